"""Checksums in S3: verified when they are given, and told when they are asked for.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html

CRC32C and CRC64NVME are passed over: moto itself computes them only where `awscrt` is installed.
"""

# A patch reaches into moto by its nature.
# pylint: disable=protected-access

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

import xmltodict
from moto.s3.exceptions import InvalidPart, S3ClientError
from moto.s3.models import FakeKey, FakeMultipart, S3Backend
from moto.s3.responses import S3Response

from local.patches.patching import patch

ALGORITHMS: dict[str, Callable[[bytes], bytes]] = {
    "CRC32": lambda body: binascii.crc32(body).to_bytes(4, "big"),
    "SHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
}
UNVERIFIED = ("CRC32C", "CRC64NVME")
# A trailer is the last thing in a body, and short.
TRAILER_BYTES = 512


def checksum(algorithm: str, body: bytes) -> str:
    """Compute a checksum as S3 writes it, in base64."""
    return base64.b64encode(ALGORITHMS[algorithm](body)).decode()


@patch(S3Response, "put_object")
def verify_objects(original: Any, response: Any) -> Any:
    """PutObject refuses a body that does not fit the checksums it comes with; moto believes them."""
    _verify_body(response)
    return original(response)


@patch(S3Response, "upload_part")
def verify_parts(original: Any, response: Any) -> Any:
    """UploadPart refuses a body that does not fit the checksums it comes with; moto believes them."""
    _verify_body(response)
    return original(response)


@patch(S3Response, "_get_checksum")
def keep_stated_checksums(original: Any, response: Any, response_headers: dict[str, Any]) -> Any:
    """A checksum is kept whether or not the request names its algorithm; moto forgets it then, and where it comes after
    the body moto takes the first thing in the body that looks like one.
    """
    for algorithm in (*ALGORITHMS, *UNVERIFIED):
        stated = _stated_checksum(response, algorithm)
        if stated is not None:
            response_headers[f"x-amz-checksum-{algorithm.lower()}"] = stated
            return algorithm, stated
    return original(response, response_headers)


@patch(S3Response, "upload_part_copy")
def tell_checksums_of_copied_parts(original: Any, response: Any) -> Any:
    """UploadPartCopy tells the checksum of the part when its upload has an algorithm; moto does not."""
    status, headers, body = original(response)
    upload = _upload(response)
    algorithm = _algorithm(upload)
    if status == 200 and algorithm in ALGORITHMS:
        part = upload.parts[response._get_int_param("partNumber")]
        told = {f"Checksum{algorithm}": checksum(algorithm, part.value)}
        body = _add_to_result(body, headers, "CopyPartResult", told)
    return status, headers, body


@patch(S3Response, "_complete_multipart_body")
def verify_completed_uploads(original: Any, response: Any, body: bytes) -> Iterable[tuple[int, str]]:
    """CompleteMultipartUpload refuses checksums and a size that do not fit the parts, and for a composite checksum it
    needs that of every part; moto reads none of them.
    """
    parts = list(original(response, body))
    upload = _upload(response)
    if upload is not None and all(number in upload.parts for number, _ in parts):
        values = [upload.parts[number].value for number, _ in parts]
        _verify_size(response, values)
        if _algorithm(upload) in ALGORITHMS:
            _verify_part_checksums(upload, body, values)
            _verify_whole_checksum(response, upload, values)
    return parts


@patch(S3Response, "_key_response_post")
def tell_checksums_of_completed_uploads(original: Any, response: Any, *args: Any) -> Any:
    """CompleteMultipartUpload tells checksum and type of the object; moto does not."""
    status, headers, body = original(response, *args)
    if status == 200 and response.data.get("Action") == "CompleteMultipartUpload":
        key = response.backend.get_object(response.bucket_name, response.parse_key_name())
        if key.checksum_algorithm:
            told = {f"Checksum{key.checksum_algorithm}": _qualified(key), "ChecksumType": key.checksum_type}
            body = _add_to_result(body, headers, "CompleteMultipartUploadResult", told)
    return status, headers, body


@patch(S3Backend, "put_object")
def type_checksums(original: Any, backend: Any, *args: Any, **kwargs: Any) -> FakeKey:
    """An object's checksum has a type, which is that of the whole object unless it came in parts; moto has none."""
    key = original(backend, *args, **kwargs)
    key.checksum_type = "FULL_OBJECT"
    return key


@patch(S3Backend, "copy_object")
def compute_checksums(original: Any, backend: Any, src_key: Any, bucket: str, key: str, **kwargs: Any) -> None:
    """A copy has a checksum of its whole content; moto carries over the one composed of the source's parts."""
    original(backend, src_key, bucket, key, **kwargs)
    copy = backend.get_object(bucket, key)
    if copy.checksum_algorithm in ALGORITHMS:
        copy.checksum_value = checksum(copy.checksum_algorithm, copy.value)


@patch(S3Response, "head_object")
def qualify_checksums(original: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
    """HeadObject tells the type of a checksum, and with a composite one the number of parts; moto does not."""
    status, headers, body = original(response, *args, **kwargs)
    told = [name for name in headers if name.startswith("x-amz-checksum-") and name != "x-amz-checksum-algorithm"]
    if status == 200 and told:
        version_id = response.querystring.get("versionId", [None])[0]
        key = response.backend.get_object(response.bucket_name, response.parse_key_name(), version_id=version_id)
        headers |= {told[0]: _qualified(key), "x-amz-checksum-type": key.checksum_type}
    return status, headers, body


def _verify_body(response: Any) -> None:
    stated_hash = response.headers.get("x-amz-content-sha256", "")
    # Anything but a hash in this header says how the body is signed.
    if re.fullmatch("[0-9a-f]{64}", stated_hash) and stated_hash != hashlib.sha256(response.raw_body).hexdigest():
        message = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise S3ClientError("XAmzContentSHA256Mismatch", message)
    body = response.body or b""
    for algorithm in ALGORITHMS:
        if _stated_checksum(response, algorithm) not in (None, checksum(algorithm, body)):
            raise _bad_digest(algorithm)
    stated_md5 = response.headers.get("Content-MD5")
    if stated_md5 and base64.b64decode(stated_md5) != hashlib.md5(body, usedforsecurity=False).digest():
        raise _bad_digest("Content-MD5")


def _stated_checksum(response: Any, algorithm: str) -> str | None:
    """Find a checksum in the headers, or in the trailer that they announce."""
    name = f"x-amz-checksum-{algorithm.lower()}"
    if response.headers.get("x-amz-trailer") == name:
        found = re.findall(rf"\r\n{name}:([\w+/=]+)\s".encode(), response.raw_body[-TRAILER_BYTES:])
        # What comes before the last one is the body's.
        return found[-1].decode() if found else None
    return response.headers.get(name)


def _upload(response: Any) -> FakeMultipart | None:
    uploads = response.backend.get_bucket(response.bucket_name).multiparts
    return uploads.get(response.querystring["uploadId"][0])


def _algorithm(upload: FakeMultipart | None) -> str | None:
    return upload and upload.metadata.get("x-amz-checksum-algorithm")


def _is_composite(upload: FakeMultipart) -> bool:
    return upload.metadata.get("x-amz-checksum-type", "COMPOSITE") == "COMPOSITE"


def _verify_size(response: Any, values: list[bytes]) -> None:
    stated = response.headers.get("x-amz-mp-object-size")
    if stated is not None and int(stated) != sum(map(len, values)):
        raise S3ClientError("InvalidRequest", "The provided 'x-amz-mp-object-size' header does not match the parts.")


def _verify_part_checksums(upload: FakeMultipart, body: bytes, values: list[bytes]) -> None:
    algorithm = _algorithm(upload)
    parts = xmltodict.parse(body, force_list=("Part",))["CompleteMultipartUpload"]["Part"]
    for part, value in zip(parts, values, strict=True):
        stated = part.get(f"Checksum{algorithm}")
        if stated is None and _is_composite(upload):
            raise S3ClientError(
                "InvalidRequest",
                f"The upload was created using a {algorithm.lower()} checksum. The complete request must include the "
                f"checksum for each part. It was missing for part {part['PartNumber']} in the request.",
            )
        if stated is not None and stated != checksum(algorithm, value):
            raise InvalidPart()


def _verify_whole_checksum(response: Any, upload: FakeMultipart, values: list[bytes]) -> None:
    algorithm = _algorithm(upload)
    stated = response.headers.get(f"x-amz-checksum-{algorithm.lower()}")
    if stated is None:
        return
    if _is_composite(upload):
        computed = f"{checksum(algorithm, b''.join(map(ALGORITHMS[algorithm], values)))}-{len(values)}"
    else:
        computed = checksum(algorithm, b"".join(values))
    if stated != computed:
        raise _bad_digest(algorithm)


def _bad_digest(what: str) -> S3ClientError:
    return S3ClientError("BadDigest", f"The {what} you specified did not match the calculated checksum.")


def _qualified(key: FakeKey) -> str:
    composite = key.checksum_type == "COMPOSITE"
    return f"{key.checksum_value}-{key.checksum_parts}" if composite else key.checksum_value


def _add_to_result(body: str, headers: dict[str, Any], result: str, told: dict[str, str]) -> str:
    """Add elements to the result in an answer, whose length grows with it."""
    elements = "".join(f"<{name}>{value}</{name}>" for name, value in told.items())
    body = body.replace(f"</{result}>", f"{elements}</{result}>")
    if "content-length" in headers:
        headers["content-length"] = str(len(body.encode()))
    return body
