"""Copies in S3: conditions, source and tags."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.core.utils import str_to_rfc_1123_datetime
from moto.s3.exceptions import MissingKey, PreconditionFailed, S3ClientError
from moto.s3.models import FakeKey, S3Backend
from moto.s3.responses import S3Response
from moto.s3.utils import ARCHIVE_STORAGE_CLASSES

from local.patches.patching import patch

# A single copy takes 5 GB at most, and so does a single part of a multipart copy.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
COPY_SOURCE_LIMIT = 5 * 1024**3


@patch(S3Response, "copy_object")
def check_conditions_of_copies(original: Any, response: Any) -> Any:
    """CopyObject checks `x-amz-copy-source-if-*` on its source, and `If-Match` and `If-None-Match` on its destination.

    Moto checks only `x-amz-copy-source-if-none-match`.
    """
    source = source_of_copy(response)
    if source is not None:
        check_source_conditions(response.headers, source)
    check_destination_conditions(response)
    return original(response)


@patch(S3Response, "_complete_multipart_body")
def check_conditions_of_completion(original: Any, response: Any, body: bytes) -> Any:
    """CompleteMultipartUpload checks `If-Match`; moto checks only `If-None-Match`."""
    check_destination_conditions(response)
    return original(response, body)


@patch(S3Response, "upload_part_copy")
def check_conditions_of_part_copies(original: Any, response: Any) -> Any:
    """UploadPartCopy checks `x-amz-copy-source-if-*`; moto checks none of them."""
    source = source_of_copy(response)
    if source is not None:
        check_source_conditions(response.headers, source)
    return original(response)


@patch(S3Response, "copy_object")
def refuse_copies_over_5_gb(original: Any, response: Any) -> Any:
    """CopyObject refuses a source over 5 GB with `InvalidRequest`; moto copies it."""
    source = source_of_copy(response)
    if source is not None and source.size > COPY_SOURCE_LIMIT:
        raise S3ClientError(
            "InvalidRequest",
            f"The specified copy source is larger than the maximum allowable size: {COPY_SOURCE_LIMIT}",
        )
    return original(response)


@patch(S3Response, "copy_object")
def refuse_copies_of_archived_objects(original: Any, response: Any) -> Any:
    """CopyObject of an archived object answers `InvalidObjectState`; moto answers `ObjectNotInActiveTierError`."""
    refuse_archived(source_of_copy(response))
    return original(response)


@patch(S3Response, "upload_part_copy")
def refuse_part_copies_of_archived_objects(original: Any, response: Any) -> Any:
    """UploadPartCopy of an archived object answers `InvalidObjectState`; moto copies the bytes."""
    refuse_archived(source_of_copy(response))
    return original(response)


@patch(S3Response, "upload_part_copy")
def refuse_part_copies_of_missing_objects(original: Any, response: Any) -> Any:
    """UploadPartCopy of a missing object answers `NoSuchKey`; moto answers 404 without a code."""
    if source_of_copy(response) is None:
        raise MissingKey(key=parse_copy_source(response)[1])
    return original(response)


@patch(S3Response, "upload_part_copy")
def refuse_part_copies_beyond_the_end(original: Any, response: Any) -> Any:
    """UploadPartCopy refuses a range that ends beyond the source; moto copies the bytes up to the end."""
    source, byte_range = source_of_copy(response), response.headers.get("x-amz-copy-source-range", "")
    if source is not None and byte_range and int(byte_range.rpartition("-")[2]) >= source.size:
        message = f"Range specified is not valid for source object of size: {source.size}"
        raise S3ClientError("InvalidArgument", message)
    return original(response)


@patch(S3Backend, "copy_object")
def replace_tags_on_copy(original: Any, backend: Any, src_key: Any, bucket: str, key: str, **kwargs: Any) -> None:
    """A copy has only the tags of its source; moto adds them to the tags of the object that it replaces."""
    tags = backend.tagger.get_tag_dict_for_resource(src_key.arn)
    original(backend, src_key, bucket, key, **kwargs)
    copy = backend.get_object(bucket, key)
    backend.tagger.delete_all_tags_for_resource(copy.arn)
    backend.tagger.tag_resource(copy.arn, backend.tagger.convert_dict_to_tags_input(tags))


def parse_copy_source(response: Any) -> tuple[str, str, str | None]:
    """Return bucket, key and version from the header `x-amz-copy-source`."""
    header = response.headers["x-amz-copy-source"]
    path, _, query = header.partition("?")
    bucket, key = unquote(path).removeprefix("/").split("/", 1)
    return bucket, key, parse_qs(query).get("versionId", [None])[0]


def source_of_copy(response: Any) -> FakeKey | None:
    """Return the source object of a copy; None if it does not exist."""
    bucket, key, version_id = parse_copy_source(response)
    backend: S3Backend = response.backend
    source = backend.get_object(bucket, key, version_id=version_id)
    return source if isinstance(source, FakeKey) else None


def refuse_archived(source: FakeKey | None) -> None:
    """Raise `InvalidObjectState` if an object is archived and not restored."""
    if source is None or source.storage_class not in ARCHIVE_STORAGE_CLASSES:
        return
    if 'ongoing-request="false"' not in source.response_dict.get("x-amz-restore", ""):
        raise S3ClientError("InvalidObjectState", "Operation is not valid for the source object's storage class")


def check_source_conditions(headers: Mapping[str, str], source: FakeKey) -> None:
    """Raise `PreconditionFailed` if the source of a copy does not meet the request's conditions.

    `if-match` takes precedence over `if-unmodified-since`, and `if-none-match` over `if-modified-since`.
    """
    prefix = "x-amz-copy-source-if-"
    match, none_match = headers.get(prefix + "match"), headers.get(prefix + "none-match")
    modified, unmodified = headers.get(prefix + "modified-since"), headers.get(prefix + "unmodified-since")
    changed = source.last_modified.replace(microsecond=0)
    if match is not None and not etag_matches(match, source):
        raise PreconditionFailed("x-amz-copy-source-If-Match")
    if match is None and unmodified is not None and changed > str_to_rfc_1123_datetime(unmodified):
        raise PreconditionFailed("x-amz-copy-source-If-Unmodified-Since")
    if none_match is not None and etag_matches(none_match, source):
        raise PreconditionFailed("x-amz-copy-source-If-None-Match")
    if none_match is None and modified is not None and changed <= str_to_rfc_1123_datetime(modified):
        raise PreconditionFailed("x-amz-copy-source-If-Modified-Since")


def check_destination_conditions(response: Any) -> None:
    """Raise `PreconditionFailed` or `MissingKey` if the destination of a write does not meet the conditions."""
    match, none_match = response.headers.get("If-Match"), response.headers.get("If-None-Match")
    if match is None and none_match is None:
        return
    existing = response.backend.get_object(response.bucket_name, response.parse_key_name())
    if none_match is not None and existing is not None:
        raise PreconditionFailed("If-None-Match")
    if match is not None and existing is None:
        raise MissingKey(key=response.parse_key_name())
    if match is not None and not etag_matches(match, existing):
        raise PreconditionFailed("If-Match")


def etag_matches(wanted: str, key: FakeKey) -> bool:
    """Return whether an ETag of a request, with or without quotes, matches an object."""
    return wanted == "*" or wanted.strip('"') == key.etag.strip('"')
