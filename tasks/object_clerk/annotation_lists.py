"""Lists of annotations, and which servers know annotations at all.

A server that does not know the sub-resource ignores `?annotation` (SeaweedFS does): then `PUT` would replace the object
by the annotation, `DELETE` would delete the object, and `GET` sends the object itself. So nothing is put or deleted
before the same server has answered a list of annotations for an object of the same bucket. The list is read as a
stream: the answer's headers tell an object from a list, and no more of a list is read than S3 can send.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from botocore.response import StreamingBody

from tasks.object_clerk.errors import (
    ObjectClerkException,
    ObjectClerkServerAuthException,
    ObjectClerkServerInternalException,
)
from tasks.object_clerk.failures import BODY_ERRORS, translated
from tasks.object_clerk.parts import MIB

if TYPE_CHECKING:
    from tasks.object_clerk.s3_requests import S3Requests
    from tasks.utils.s3_object import S3Object

# A page has 1,000 entries. Each has a name of up to 512 bytes, and less than that beside it.
MOST_LISTED = 2 * MIB

# The answers of a server that does not know the sub-resource. A 400 with another code, such as ExpiredToken, is none.
UNKNOWN_CODES = frozenset(
    {
        "400",
        "405",
        "501",
        "InvalidArgument",
        "InvalidRequest",
        "MethodNotAllowed",
        "NotImplemented",
        "NotSupported",
        "UnsupportedOperation",
    }
)

LIST = "ListObjectAnnotations"
LIST_ROOT = b"<ListObjectAnnotations"
KEY = re.compile(rb"<Key>.*?</Key>", re.DOTALL)

# Whether a server knows annotations: client -> bucket -> whether. One region may lack what another has.
_KNOWN: WeakKeyDictionary[Any, dict[str, bool]] = WeakKeyDictionary()

# Held while a client is prepared for lists.
_PREPARING = threading.Lock()


class _NotAList(ObjectClerkException):
    """The server answers a list of annotations with something else."""


@dataclass(frozen=True)
class Annotation:
    """An annotation in a list.

    Attributes:
        name: its name, unique in its version.
        size: bytes of its payload.
        etag: its ETag. With KMS the ETags of two equal payloads may differ.
    """

    name: str
    size: int
    etag: str


def annotations_of(requests: S3Requests, address: S3Object) -> dict[str, Annotation] | None:
    """List the annotations of an object version.

    Args:
        requests: for the object.
        address: the object; without a version its current version.

    Returns:
        Name -> annotation; None if the server does not know annotations.

    Raises:
        ObjectNotFoundException: there is no such object.
        ObjectClerkServerAuthException: the list is not allowed; the text names the permission.
        ObjectClerkException: as `s3_requests.request` says.
    """
    known = _KNOWN.setdefault(requests.client, {})
    if known.get(address.bucket) is False:
        return None
    try:
        found = {one.name: one for one in _listed(requests, address)}
    except _NotAList:
        known[address.bucket] = False
        return None
    except ObjectClerkServerAuthException as error:
        name_permissions(error, "s3:ListObjectAnnotations and s3:ListObjectVersionAnnotations")
        raise
    except ObjectClerkException as error:
        if error.code not in UNKNOWN_CODES:
            raise
        # Another code may be about this object alone: an object that is encrypted by a customer's key has none.
        if error.code == "NotImplemented":
            known[address.bucket] = False
        return None
    known[address.bucket] = True
    return found


def is_known(client: Any, bucket: str) -> bool:
    """Return whether this server has answered a list of annotations for an object of this bucket."""
    return _KNOWN.get(client, {}).get(bucket) is True


def name_permissions(error: ObjectClerkException, actions: str) -> None:
    """Add to an error which permissions annotations need."""
    error.reason = f"{error.reason}; annotations need {actions}"


def _listed(requests: S3Requests, address: S3Object) -> Iterator[Annotation]:
    _read_lists_as_streams(requests.client)
    token = None
    while True:
        page = requests("list_object_annotations", source=address, ContinuationToken=token, **address.parameters)
        for each in page.get("Annotations", []):
            yield Annotation(each["AnnotationName"], each["Size"], each.get("ETag", ""))
        token = page.get("NextContinuationToken")
        if not token:
            return


def _read_lists_as_streams(client: Any) -> None:
    """Make botocore pass on the answer to a list before it is read; once for each client."""
    # Two threads that ask for the description at the same time would get one each, and botocore would keep the later.
    with _PREPARING:
        # botocore leaves the body of such an operation unread, and looks for no error in it.
        client.meta.service_model.operation_model(LIST).has_event_stream_output = True
        client.meta.events.register(f"before-parse.s3.{LIST}", _bound, unique_id=f"{__name__}.bound")


def _bound(response_dict: dict[str, Any], **_: object) -> None:
    """Read the answer to a list, up to the size that S3 can send."""
    if response_dict["status_code"] >= 300:
        return
    headers = {name.lower(): value for name, value in response_dict["headers"].items()}
    # Every server sends an object's ETag with its bytes. The answer to a list has none.
    is_object = "etag" in headers
    # botocore takes None for a length that is not known.
    length: Any = headers.get("content-length")
    text = _text(StreamingBody(response_dict["body"], length), is_object)
    if LIST_ROOT in text[:1024] and len(text) <= MOST_LISTED:
        # A key may hold characters that XML forbids, and the key is not needed.
        response_dict["body"] = KEY.sub(b"", text)
    elif not is_object and (not text or b"<Error" in text[:1024]):
        raise ObjectClerkServerInternalException("the answer to a list of annotations is none")
    else:
        raise _NotAList("this server does not know annotations")


def _text(body: StreamingBody, is_object: bool) -> bytes:
    try:
        # The second read is at the end, where a body that was cut short is noticed.
        return b"" if is_object else body.read(MOST_LISTED) + body.read(1)
    except BODY_ERRORS as error:
        raise translated(error, operation="list_object_annotations") from error
    finally:
        # The rest is not waited for: the connection is closed.
        body.close()
