"""The bytes of an uploaded file, pinned to the ETag that was listed."""

from collections.abc import Generator

from tasks.object_clerk.downloads import blocks
from tasks.object_clerk.errors import DeadlineException, KeyNotFoundException, ObjectChangedException
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.transfers import Transfer
from tasks.upload_validate.errors import SetChangedError
from tasks.upload_validate.file_sets import UploadedFile
from tasks.upload_validate.set_check import BLOCK
from tasks.utils.s3_object import S3Object


def read_upload(requests: S3Requests, bucket: str, file: UploadedFile) -> Generator[bytes]:
    """Yield the bytes of a file in blocks.

    Raises:
        SetChangedError: the file was removed or replaced.
        DeadlineException: no time is left to read it.
        ObjectClerkException: S3 refuses the request.
    """
    if requests.deadline.has_passed():
        raise DeadlineException("no time was left to check all files of the set", source=file.key)
    try:
        yield from blocks(requests, S3Object(bucket, file.key), etag=file.etag, transfer=Transfer(block=BLOCK))
    except (KeyNotFoundException, ObjectChangedException) as error:
        raise SetChangedError(str(error)) from error
