"""Checksums in S3: verification, storage and return.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html

CRC32C and CRC64NVME are not verified: moto itself computes them only if `awscrt` is installed.
"""

# pylint: disable=protected-access  # a patch replaces internals of moto

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
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
# A trailer is short, and ends the body.
TRAILER_BYTES = 512


def checksum(algorithm: str, body: bytes) -> str:
    """Compute a checksum in S3's format, base64."""
    return base64.b64encode(ALGORITHMS[algorithm](body)).decode()


@patch(S3Response, "put_object")
def verify_objects(original: Any, response: Any) -> Any:
    """PutObject refuses a body that does not match the checksums in its request; moto does not verify them."""
    _verify_body(response)
    return original(response)


@patch(S3Response, "upload_part")
def verify_parts(original: Any, response: Any) -> Any:
    """UploadPart refuses a body that does not match the checksums in its request; moto does not verify them."""
    _verify_body(response)
    return original(response)


@patch(S3Response, "_get_checksum")
def store_stated_checksums(original: Any, response: Any, response_headers: dict[str, Any]) -> Any:
    """A checksum is stored whether or not the request names its algorithm; moto drops it without that name. For a
    checksum in a trailer, moto takes the first text of the body that looks like one.
    """
    for algorithm in (*ALGORITHMS, *UNVERIFIED):
        stated = _stated_checksum(response, algorithm)
        if stated is not None:
            response_headers[f"x-amz-checksum-{algorithm.lower()}"] = stated
            return algorithm, stated
    return original(response, response_headers)


@patch(S3Response, "upload_part_copy")
def return_checksums_of_copied_parts(original: Any, response: Any) -> Any:
    """UploadPartCopy returns the checksum of the part if its upload has an algorithm; moto does not."""
    status, headers, body = original(response)
    upload = _upload(response)
    algorithm = _algorithm(upload)
    if status == 200 and upload is not None and algorithm in ALGORITHMS:
        part = upload.parts[response._get_int_param("partNumber")]
        elements = {f"Checksum{algorithm}": checksum(algorithm, part.value)}
        body = _add_to_result(body, headers, "CopyPartResult", elements)
    return status, headers, body


@patch(S3Response, "_complete_multipart_body")
def verify_completed_uploads(original: Any, response: Any, body: bytes) -> Iterable[tuple[int, str]]:
    """CompleteMultipartUpload refuses checksums and a size that do not match the parts, and a composite checksum needs
    the checksum of every part; moto ignores all of them.
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
def return_checksums_of_completed_uploads(original: Any, response: Any, *args: Any) -> Any:
    """CompleteMultipartUpload returns checksum and type of the object; moto does not."""
    status, headers, body = original(response, *args)
    if status == 200 and response.data.get("Action") == "CompleteMultipartUpload":
        key = response.backend.get_object(response.bucket_name, response.parse_key_name())
        if key.checksum_algorithm:
            elements = {f"Checksum{key.checksum_algorithm}": _full_value(key), "ChecksumType": key.checksum_type}
            body = _add_to_result(body, headers, "CompleteMultipartUploadResult", elements)
    return status, headers, body


@patch(S3Backend, "put_object")
def set_checksum_type(original: Callable[..., FakeKey], backend: Any, *args: Any, **kwargs: Any) -> FakeKey:
    """An object's checksum has a type, `FULL_OBJECT` except after some multipart uploads; moto has none."""
    key = original(backend, *args, **kwargs)
    key.checksum_type = "FULL_OBJECT"
    return key


@patch(S3Backend, "copy_object")
def recompute_checksums_of_copies(
    original: Any, backend: Any, src_key: Any, bucket: str, key: str, **kwargs: Any
) -> None:
    """A copy has a checksum of its whole content; moto keeps the composite checksum of the source's parts."""
    original(backend, src_key, bucket, key, **kwargs)
    copy = backend.get_object(bucket, key)
    if copy.checksum_algorithm in ALGORITHMS:
        copy.checksum_value = checksum(copy.checksum_algorithm, copy.value)


@patch(S3Response, "head_object")
def return_checksum_type(original: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
    """HeadObject returns the type of a checksum, and with a composite one the number of parts; moto does not."""
    status, headers, body = original(response, *args, **kwargs)
    names = [name for name in headers if name.startswith("x-amz-checksum-") and name != "x-amz-checksum-algorithm"]
    if status == 200 and names:
        version_id = response.querystring.get("versionId", [None])[0]
        key = response.backend.get_object(response.bucket_name, response.parse_key_name(), version_id=version_id)
        headers |= {names[0]: _full_value(key), "x-amz-checksum-type": key.checksum_type}
    return status, headers, body


def _verify_body(response: Any) -> None:
    stated_hash = response.headers.get("x-amz-content-sha256", "")
    # Any value except a hash in this header names the way of signing the body.
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
    """Return a checksum from the headers, or from the trailer that they announce."""
    name = f"x-amz-checksum-{algorithm.lower()}"
    headers: Mapping[str, str] = response.headers
    if headers.get("x-amz-trailer") == name:
        raw_body: bytes = response.raw_body
        found = re.findall(rf"\r\n{name}:([\w+/=]+)\s".encode(), raw_body[-TRAILER_BYTES:])
        # Earlier matches belong to the body.
        return str(found[-1], "ascii") if found else None
    return headers.get(name)


def _upload(response: Any) -> FakeMultipart | None:
    uploads: dict[str, FakeMultipart] = response.backend.get_bucket(response.bucket_name).multiparts
    return uploads.get(response.querystring["uploadId"][0])


def _algorithm(upload: FakeMultipart | None) -> str:
    """Return the checksum algorithm of an upload; "" without one."""
    return str(upload.metadata.get("x-amz-checksum-algorithm") or "") if upload else ""


def _is_composite(upload: FakeMultipart) -> bool:
    return bool(upload.metadata.get("x-amz-checksum-type", "COMPOSITE") == "COMPOSITE")


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


def _bad_digest(name: str) -> S3ClientError:
    return S3ClientError("BadDigest", f"The {name} you specified did not match the calculated checksum.")


def _full_value(key: FakeKey) -> str:
    """Return a checksum with the number of parts if it is composite."""
    suffix = f"-{key.checksum_parts}" if key.checksum_type == "COMPOSITE" else ""
    return f"{key.checksum_value}{suffix}"


def _add_to_result(body: str, headers: dict[str, Any], result: str, elements: Mapping[str, str]) -> str:
    """Add elements to the result in an answer, and correct its length."""
    added = "".join(f"<{name}>{value}</{name}>" for name, value in elements.items())
    body = body.replace(f"</{result}>", f"{added}</{result}>")
    if "content-length" in headers:
        headers["content-length"] = str(len(body.encode()))
    return body
