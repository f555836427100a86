"""Multipart uploads that are under way, and their parts."""

import re
from typing import Any

from moto.core.utils import iso_8601_datetime_with_milliseconds, utcnow
from moto.s3.models import FakeMultipart
from moto.s3.responses import S3Response

from local.patches.patching import patch
from local.patches.s3_checksums import ALGORITHMS, checksum


@patch(S3Response, "list_parts")
def tell_checksums_of_parts(original: Any, response: Any) -> Any:
    """ListParts tells the checksum of each part when the upload has an algorithm; moto tells none."""
    status, headers, body = original(response)
    upload = response.backend.get_bucket(response.bucket_name).multiparts.get(response.querystring["uploadId"][0])
    algorithm = upload and upload.metadata.get("x-amz-checksum-algorithm")
    if algorithm not in ALGORITHMS:
        return status, headers, body
    for number, part in upload.parts.items():
        told = f"<Checksum{algorithm}>{_checksum(algorithm, part)}</Checksum{algorithm}>"
        element = f"<PartNumber>{number}</PartNumber>"
        body = body.replace(element, element + told)
    return status, headers, body


@patch(FakeMultipart, "__init__")
def remember_when_an_upload_began(original: Any, upload: Any, *args: Any, **kwargs: Any) -> None:
    """An upload has a time at which it was begun; moto keeps none."""
    original(upload, *args, **kwargs)
    upload.began = utcnow()


@patch(S3Response, "list_multipart_uploads")
def list_uploads_with_their_beginning(original: Any, response: Any) -> Any:
    """ListMultipartUploads has the time at which each upload was begun; moto has the same day of 2010 for all."""
    status, headers, body = original(response)
    uploads = response.backend.list_multipart_uploads(response.bucket_name)

    def with_its_time(found: re.Match[str]) -> str:
        upload = uploads[found["id"]]
        began = f"<Initiated>{iso_8601_datetime_with_milliseconds(upload.began)}</Initiated>"
        return re.sub("<Initiated>.*?</Initiated>", began, found[0])

    return status, headers, re.sub("<Upload>.*?<UploadId>(?P<id>.*?)</UploadId>.*?</Upload>", with_its_time, body)


def _checksum(algorithm: str, part: Any) -> str:
    """The checksum of a part, computed once: parts are listed often, and never change."""
    kept = vars(part).setdefault("_checksums", {})
    if algorithm not in kept:
        kept[algorithm] = checksum(algorithm, part.value)
    return kept[algorithm]
