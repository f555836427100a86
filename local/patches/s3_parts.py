"""Multipart uploads in progress, and their parts."""

import re
from typing import Any

from moto.core.utils import iso_8601_datetime_with_milliseconds, utcnow
from moto.s3.models import FakeMultipart
from moto.s3.responses import S3Response

from local.patches.patching import patch
from local.patches.s3_checksums import ALGORITHMS, checksum


@patch(S3Response, "list_parts")
def return_checksums_of_parts(original: Any, response: Any) -> Any:
    """ListParts returns the checksum of each part if the upload has an algorithm; moto returns none."""
    status, headers, body = original(response)
    upload = response.backend.get_bucket(response.bucket_name).multiparts.get(response.querystring["uploadId"][0])
    algorithm = upload and upload.metadata.get("x-amz-checksum-algorithm")
    if algorithm not in ALGORITHMS:
        return status, headers, body
    for number, part in upload.parts.items():
        checksum_element = f"<Checksum{algorithm}>{_checksum(algorithm, part)}</Checksum{algorithm}>"
        number_element = f"<PartNumber>{number}</PartNumber>"
        body = body.replace(number_element, number_element + checksum_element)
    return status, headers, body


@patch(FakeMultipart, "__init__")
def store_upload_start(original: Any, upload: Any, *args: Any, **kwargs: Any) -> None:
    """An upload has a start time; moto stores none."""
    original(upload, *args, **kwargs)
    upload.started = utcnow()


@patch(S3Response, "list_multipart_uploads")
def list_uploads_with_start(original: Any, response: Any) -> Any:
    """ListMultipartUploads returns the start time of each upload; moto returns the same day of 2010 for all."""
    status, headers, body = original(response)
    uploads = response.backend.list_multipart_uploads(response.bucket_name)

    def with_start_time(element: re.Match[str]) -> str:
        upload = uploads[element["id"]]
        started = f"<Initiated>{iso_8601_datetime_with_milliseconds(upload.started)}</Initiated>"
        return re.sub("<Initiated>.*?</Initiated>", started, element[0])

    return status, headers, re.sub("<Upload>.*?<UploadId>(?P<id>.*?)</UploadId>.*?</Upload>", with_start_time, body)


def _checksum(algorithm: str, part: Any) -> str:
    """Return the checksum of a part, computed once: parts are listed often and never change."""
    cache: dict[str, str] = vars(part).setdefault("_checksums", {})
    if algorithm not in cache:
        cache[algorithm] = checksum(algorithm, part.value)
    return cache[algorithm]
