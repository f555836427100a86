"""Parts of a multipart upload that is under way."""

from typing import Any

from moto.s3.responses import S3Response

from local.mends.mending import mend
from local.mends.s3_checksums import ALGORITHMS, checksum


@mend(S3Response, "list_parts")
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


def _checksum(algorithm: str, part: Any) -> str:
    """The checksum of a part, computed once: parts are listed often, and never change."""
    kept = vars(part).setdefault("_checksums", {})
    if algorithm not in kept:
        kept[algorithm] = checksum(algorithm, part.value)
    return kept[algorithm]
