"""Annotations: named payloads of an object version, which moto does not implement.

Moto treats `PUT /key?annotation` as a write of the object and `DELETE /key?annotation` as its removal.

S3 User Guide, "Annotating your objects"; S3 API Reference, PutObjectAnnotation, GetObjectAnnotation,
ListObjectAnnotations, DeleteObjectAnnotation and CopyObject.
"""

# pylint: disable=protected-access  # a patch replaces internals of moto

import base64
import hashlib
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from xml.sax.saxutils import escape

from moto.s3 import notifications
from moto.s3.exceptions import PreconditionFailed, S3ClientError
from moto.s3.models import FakeKey
from moto.s3.notifications import S3NotificationEvent
from moto.s3.responses import S3Response

from local.patches.patching import patch
from local.patches.s3_copy import etag_matches, source_of_copy

NAME_BYTES = 512
PAYLOAD_BYTES = 1024**2
PER_VERSION = 1000
PAGE = 1000

PUT, DELETE = "s3:ObjectAnnotation:Put", "s3:ObjectAnnotation:Delete"
DETAIL_TYPES = {PUT: "Object Annotation Created", DELETE: "Object Annotation Removed"}

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(frozen=True)
class Annotation:
    """One annotation of a version.

    Attributes:
        payload: The content.
        etag: The ETag, in quotes.
        checksum: The header of the checksum, and its value.
        changed: The time of the last put.
    """

    payload: bytes
    etag: str
    checksum: dict[str, str]
    changed: datetime


class AnnotatedKey:  # pylint: disable=too-few-public-methods  # it has all methods of the object
    """The object of an annotation event, with the annotation."""

    def __init__(self, key: FakeKey, annotation: dict[str, Any]) -> None:
        self._key = key
        self.annotation = annotation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._key, name)


def annotations_of(key: FakeKey) -> dict[str, Annotation]:
    """Return the annotations of a version: name -> `Annotation`."""
    annotations: dict[str, Annotation] = vars(key).setdefault("annotations", {})
    return annotations


@patch(S3Response, "_key_response_get")
def read_annotations(original: Any, response: Any, query: dict[str, Any], key_name: str) -> Any:
    """`GET ?annotation` lists the annotations of a version, or returns the named one; moto returns the object."""
    if "annotation" not in query:
        return original(response, query, key_name)
    key = _authorize(response, "GET", query)
    if "annotationName" not in query:
        return _listing(key, query, response)
    found = annotations_of(key).get(query["annotationName"][0])
    if found is None:
        raise S3ClientError("NoSuchAnnotation", "The specified annotation does not exist on this object.")
    headers = {"ETag": found.etag, "Last-Modified": format_datetime(found.changed, usegmt=True)}
    if response.headers.get("x-amz-checksum-mode") == "ENABLED":
        headers |= found.checksum
    return 200, {**headers, **_version_header(key)}, found.payload


@patch(S3Response, "_key_response_put")
def put_annotations(original: Any, response: Any, query: dict[str, Any], key_name: str) -> Any:
    """`PUT ?annotation` writes an annotation of 1 byte to 1 MiB of UTF-8; moto replaces the object with it."""
    if "annotation" not in query:
        return original(response, query, key_name)
    key = _authorize(response, "PUT", query)
    _check_object_etag(response, key)
    name, payload = query.get("annotationName", [""])[0], response.body or b""
    payload = payload.encode() if isinstance(payload, str) else bytes(payload)
    _check_annotation(name, payload, response.headers)
    found = annotations_of(key)
    if name not in found and len(found) >= PER_VERSION:
        raise S3ClientError("AnnotationLimitExceeded", "The object has the maximum number of annotations.")
    checksum = {"x-amz-checksum-crc32": base64.b64encode(zlib.crc32(payload).to_bytes(4, "big")).decode()}
    # With KMS encryption an ETag is not a digest of the payload.
    etag = uuid.uuid4().hex if key.encryption == "aws:kms" else hashlib.md5(payload).hexdigest()
    found[name] = Annotation(payload, f'"{etag}"', checksum, datetime.now(UTC))
    _send_event(response, PUT, key, {"name": name, "size": len(payload), "etag": etag})
    return 200, {"ETag": f'"{etag}"', **checksum, **_version_header(key)}, ""


@patch(S3Response, "_key_response_delete")
def delete_annotations(original: Any, response: Any, bucket_name: str, query: dict[str, Any], key_name: str) -> Any:
    """`DELETE ?annotation` deletes an annotation; moto deletes the object."""
    if "annotation" not in query:
        return original(response, bucket_name, query, key_name)
    key = _authorize(response, "DELETE", query)
    _check_object_etag(response, key)
    name = query.get("annotationName", [""])[0]
    if annotations_of(key).pop(name, None):
        _send_event(response, DELETE, key, {"name": name})
    return 204, _version_header(key), ""


@patch(S3Response, "copy_object")
def copy_annotations(original: Any, response: Any) -> Any:
    """CopyObject copies the annotations unless `x-amz-object-annotation-directive` is `EXCLUDE`; moto has none."""
    source = source_of_copy(response)
    carried = dict(annotations_of(source)) if source else {}
    directive = response.headers.get("x-amz-object-annotation-directive", "COPY")
    if directive not in ("COPY", "EXCLUDE"):
        raise S3ClientError("InvalidArgument", "The annotation directive is COPY or EXCLUDE.")
    answer = original(response)
    copy = response.backend.get_object(response.bucket_name, response.parse_key_name())
    vars(copy)["annotations"] = carried if directive == "COPY" else {}
    return answer


@patch(S3NotificationEvent, "events")
def accept_annotation_events(original: Any, kind: Any) -> list[str]:
    """A notification may select `s3:ObjectAnnotation:*`, `:Put` and `:Delete`; moto refuses these."""
    return sorted([*original(kind), "s3:ObjectAnnotation:*", PUT, DELETE])


@patch(notifications, "_detail_type")
def name_annotation_events(original: Any, event_name: str) -> str:
    """EventBridge has "Object Annotation Created" and "Object Annotation Removed"; moto has "Object Tags Deleted".

    S3 User Guide, "Amazon EventBridge mapping and troubleshooting".
    """
    return DETAIL_TYPES.get(event_name) or original(event_name)


def _authorize(response: Any, method: str, query: dict[str, Any]) -> FakeKey:
    """Check the caller's permission, and return the object of the request."""
    response._set_action("KEY", method, query)
    response._authenticate_and_authorize_s3_action(bucket_name=response.bucket_name, key_name=response.parse_key_name())
    # Annotations of archived objects are read and written without a restore.
    key, _ = response._get_key(validate_storage_class=False)
    if not isinstance(key, FakeKey):
        raise S3ClientError("MethodNotAllowed", "The specified method is not allowed against this resource.")
    return key


def _check_object_etag(response: Any, key: FakeKey) -> None:
    expected = response.headers.get("x-amz-object-if-match")
    if expected is not None and not etag_matches(expected, key):
        raise PreconditionFailed("x-amz-object-if-match")


def _check_annotation(name: str, payload: bytes, headers: Any) -> None:
    if len(name.encode()) > NAME_BYTES:
        raise S3ClientError("AnnotationNameTooLong", "The annotation name is too long.")
    if not name or name.lower().startswith(("aws", "s3")) or not name.translate(str.maketrans("", "", "_.-")).isalnum():
        raise S3ClientError("InvalidAnnotationName", "The annotation name is not valid.")
    if not payload:
        raise S3ClientError("InvalidRequest", "An annotation must have at least 1 byte.")
    if len(payload) > PAYLOAD_BYTES:
        raise S3ClientError("EntityTooLarge", "An annotation must have at most 1 MiB.")
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        raise S3ClientError("UnsupportedMediaType", "An annotation must be UTF-8.") from error
    stated = headers.get("x-amz-checksum-crc32")
    if stated and base64.b64decode(stated) != zlib.crc32(payload).to_bytes(4, "big"):
        raise S3ClientError("BadDigest", "The CRC32 you specified did not match what we received.")


def _listing(key: FakeKey, query: dict[str, Any], response: Any) -> Any:
    after = query.get("continuation-token", [""])[0]
    prefix = query.get("annotation-prefix", [""])[0]
    limit = int(query.get("max-annotation-results", [PAGE])[0])
    if not 1 <= limit <= PAGE:
        raise S3ClientError("InvalidArgument", f"max-annotation-results must be 1 to {PAGE}.")
    rest = [name for name in sorted(annotations_of(key)) if name.startswith(prefix) and name > after]
    page = rest[:limit]
    entries = "".join(_entry(name, annotations_of(key)[name]) for name in page)
    more = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if len(rest) > len(page) else ""
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ListObjectAnnotationsOutput xmlns="{NAMESPACE}">'
        f"<Annotations>{entries}</Annotations><Bucket>{response.bucket_name}</Bucket><Key>{escape(key.name)}</Key>"
        f"<AnnotationCount>{len(page)}</AnnotationCount>{more}</ListObjectAnnotationsOutput>"
    )
    return 200, {"Content-Type": "application/xml", **_version_header(key)}, text


def _entry(name: str, annotation: Annotation) -> str:
    changed = annotation.changed.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return (
        f"<AnnotationEntry><AnnotationName>{escape(name)}</AnnotationName><LastModified>{changed}</LastModified>"
        f"<ETag>{escape(annotation.etag)}</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>"
        f"<Size>{len(annotation.payload)}</Size></AnnotationEntry>"
    )


def _version_header(key: FakeKey) -> dict[str, str]:
    return {"x-amz-object-version-id": key.version_id} if key.version_id != "null" else {}


def _send_event(response: Any, event_name: str, key: FakeKey, annotation: dict[str, Any]) -> None:
    # Moto's types know neither these events nor an object with an annotation.
    send_event: Callable[..., None] = notifications.send_event
    bucket = response.backend.get_bucket(response.bucket_name)
    send_event(response.backend.account_id, event_name, bucket, AnnotatedKey(key, annotation))
