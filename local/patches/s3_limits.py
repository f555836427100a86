"""Limits of S3 that moto does not enforce.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html and .../UsingMetadata.html
"""

from typing import Any

import xmltodict
from moto.s3.exceptions import MalformedXML, NoSuchUpload, S3ClientError
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

from local.patches.patching import patch

KEY_BYTES = 1024
# Names and values of user metadata together.
METADATA_BYTES = 2048
# All headers of a request together, with the separator and the line end of each.
HEADER_BYTES = 8192
HEADER_MARKS = len(": \r\n")
KEYS_PER_DELETE = 1000
KEYS_PER_PAGE = 1000
METADATA_PREFIX = "x-amz-meta-"


@patch(S3Response, "_key_response")
def refuse_long_keys(original: Any, response: Any, request: Any, full_url: str) -> Any:
    """A key has at most 1,024 bytes of UTF-8; moto accepts any."""
    if len(response.parse_key_name().encode()) > KEY_BYTES:
        raise S3ClientError("KeyTooLongError", "Your key is too long")
    return original(response, request, full_url)


@patch(S3Response, "_key_response")
def refuse_large_metadata(original: Any, response: Any, request: Any, full_url: str) -> Any:
    """User metadata has at most 2 KB, names and values together; moto accepts any."""
    metadata = [
        (name.lower().removeprefix(METADATA_PREFIX), value)
        for name, value in request.headers.items()
        if name.lower().startswith(METADATA_PREFIX)
    ]
    if sum(len(name.encode()) + len(value.encode()) for name, value in metadata) > METADATA_BYTES:
        raise S3ClientError("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
    return original(response, request, full_url)


@patch(S3Response, "_key_response")
def refuse_large_headers(original: Any, response: Any, request: Any, full_url: str) -> Any:
    """The headers of a request have at most 8 KB together; moto accepts any.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html, and `RequestHeaderSectionTooLarge`, whose
    `MaxSizeAllowed` is 8192, in the list of S3's error codes.
    """
    if sum(len(name) + len(str(value)) + HEADER_MARKS for name, value in request.headers.items()) > HEADER_BYTES:
        message = "Your request header section exceeds the maximum allowed request header section size"
        raise S3ClientError("RequestHeaderSectionTooLarge", message)
    return original(response, request, full_url)


@patch(S3Response, "_bucket_response_delete_keys")
def refuse_many_deletes(original: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
    """DeleteObjects takes at most 1,000 keys; moto accepts any number."""
    objects = xmltodict.parse(response.body, force_list=("Object",))["Delete"].get("Object", [])
    if len(objects) > KEYS_PER_DELETE:
        raise MalformedXML()
    return original(response, *args, **kwargs)


def _require_upload(backend: Any, bucket_name: str, upload_id: str) -> None:
    if upload_id not in backend.get_bucket(bucket_name).multiparts:
        raise NoSuchUpload(upload_id=upload_id)


@patch(S3Backend, "upload_part")
def refuse_parts_of_unknown_uploads(original: Any, backend: Any, bucket: str, upload_id: str, *args: Any) -> Any:
    """UploadPart answers `NoSuchUpload` if the upload does not exist; moto fails with status 500."""
    _require_upload(backend, bucket, upload_id)
    return original(backend, bucket, upload_id, *args)


@patch(S3Backend, "upload_part_copy")
def refuse_part_copies_of_unknown_uploads(
    original: Any, backend: Any, bucket: str, upload_id: str, *args: Any, **kwargs: Any
) -> Any:
    """UploadPartCopy answers `NoSuchUpload` if the upload does not exist; moto fails with status 500."""
    _require_upload(backend, bucket, upload_id)
    return original(backend, bucket, upload_id, *args, **kwargs)


@patch(S3Backend, "complete_multipart_upload")
def refuse_to_complete_unknown_uploads(original: Any, backend: Any, bucket: str, upload_id: str, body: Any) -> Any:
    """CompleteMultipartUpload answers `NoSuchUpload` if the upload does not exist; moto fails with status 500."""
    _require_upload(backend, bucket, upload_id)
    return original(backend, bucket, upload_id, body)


@patch(S3Backend, "_truncate_result")
def limit_page_size(original: Any, backend: Any, result_keys: Any, max_keys: int) -> Any:
    """A page of a listing has at most 1,000 keys; with moto it has as many as requested."""
    return original(backend, result_keys, min(max_keys, KEYS_PER_PAGE))
