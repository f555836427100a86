"""Checksums of objects: what S3 says of an object's content, and when two such statements can be compared.

An ETag is an MD5 only for an object that was put whole and not encrypted with KMS, so nothing here relies on that.
Equal ETags mean equal bytes; different ETags mean nothing by themselves. This module computes CRC32 (6 GB/s where zlib
is built for the processor; those of parts can be combined), SHA-256, SHA-1 and MD5.
Rules: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, overload

ALGORITHMS = ("CRC64NVME", "CRC32", "CRC32C", "SHA256", "SHA1")
# S3 computes only these over a whole object that was written in parts.
FULL_OBJECT_MULTIPART_ALGORITHMS = ("CRC64NVME", "CRC32", "CRC32C")

MD5_SHAPE = re.compile(r"[0-9a-f]{32}")

# x^32 is 1 + x + x^2 + ... by this polynomial, which RFC 1952 calls the CRC of gzip. Bits are reflected: the highest is
# the coefficient of x^0.
CRC32_POLYNOMIAL = 0xEDB88320
ONE, X = 1 << 31, 1 << 30

Buffer = bytes | bytearray | memoryview
# An algorithm, and the checksum of that algorithm as S3 writes it.
Proof = tuple[str, str]


@overload
def bare(etag: str) -> str: ...
@overload
def bare(etag: str | None) -> str | None: ...
def bare(etag: str | None) -> str | None:
    """Return an ETag without the quotes that HTTP puts around it; None stays None."""
    return etag.strip('"') if etag else None


def looks_like_md5(etag: str | None) -> bool:
    """Return whether an ETag has the shape of an MD5. With KMS or SSE-C it may have it and be no MD5."""
    return bool(etag) and MD5_SHAPE.fullmatch(bare(etag) or "") is not None


def full_object_checksums(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return the checksums over the whole object in an answer of S3: algorithm -> base64 text.

    A composite checksum (a checksum of the parts' checksums) depends on the sizes of the parts, so it is left out.
    """
    if answer.get("ChecksumType") == "COMPOSITE":
        return {}
    found = {name: answer.get(f"Checksum{name}") for name in ALGORITHMS}
    return {name: value for name, value in found.items() if value and "-" not in value}


def same_content(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool | None:
    """Compare two HEAD answers: True or False if they are conclusive, None if only the bytes would be."""
    if left["ContentLength"] != right["ContentLength"]:
        return False
    if left.get("ETag") and bare(left["ETag"]) == bare(right.get("ETag")):
        return True
    ours, theirs = full_object_checksums(left), full_object_checksums(right)
    shared = [name for name in ours if name in theirs]
    if not shared:
        return None
    return all(ours[name] == theirs[name] for name in shared)


def has_opaque_etag(answer: Mapping[str, Any]) -> bool:
    """Return whether an answer names an encryption, KMS or SSE-C, by which an ETag is no MD5 whatever its shape."""
    return (answer.get("ServerSideEncryption") or "").startswith("aws:") or bool(answer.get("SSECustomerAlgorithm"))


class Crc32:
    """A CRC32 that grows with `update`, as S3 writes it."""

    def __init__(self) -> None:
        self.value = 0

    def update(self, block: Buffer) -> None:
        """Add the next bytes."""
        self.value = zlib.crc32(block, self.value)

    def text(self) -> str:
        """Return the checksum of the bytes so far."""
        return crc32_text(self.value)


class Digest:
    """A digest of hashlib's that grows with `update`, as S3 writes it: base64, or hexadecimal for an ETag."""

    def __init__(self, name: str) -> None:
        self.is_etag = name == "MD5"
        # MD5 guards against accidents here, so it may be used where it is forbidden for security.
        self.digest = hashlib.new(name, usedforsecurity=False)

    def update(self, block: Buffer) -> None:
        """Add the next bytes."""
        self.digest.update(block)

    def text(self) -> str:
        """Return the digest of the bytes so far."""
        return self.digest.hexdigest() if self.is_etag else base64.b64encode(self.digest.digest()).decode()


def proof_of(answer: Mapping[str, Any]) -> Proof | None:
    """Return an algorithm and the expected checksum by which the bytes of an object can be proven, or None.

    The algorithm is `CRC32`, `SHA256`, `SHA1`, or `MD5` for an ETag that has the shape of one.
    """
    stored = full_object_checksums(answer)
    for name in ("CRC32", "SHA256", "SHA1"):
        if name in stored:
            return name, stored[name]
    etag = bare(answer.get("ETag"))
    return ("MD5", etag) if etag and looks_like_md5(etag) else None


def counter(name: str) -> Crc32 | Digest:
    """Return a new counter for an algorithm that `proof_of` names."""
    return Crc32() if name == "CRC32" else Digest(name)


def crc32_text(value: int) -> str:
    """Return a CRC32 as S3 writes it: base64 of its four bytes."""
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def crc32_combined(pieces: Iterable[tuple[int, int]]) -> int:
    """Return the CRC32 of pieces put together, without their bytes.

    Args:
        pieces: for each piece in order its CRC32 and its length in bytes.
    """
    whole = 0
    for value, size in pieces:
        whole = _times(_power_of_x(8 * size), whole) ^ value
    return whole


def _times(left: int, right: int) -> int:
    """Multiply two polynomials over GF(2), modulo that of the CRC."""
    product = 0
    for place in range(31, -1, -1):
        if left >> place & 1:
            product ^= right
        right = right >> 1 ^ (CRC32_POLYNOMIAL if right & 1 else 0)
    return product


# The parts of an object have two lengths, all but the last one and the last.
@lru_cache(maxsize=16)
def _power_of_x(exponent: int) -> int:
    power, square = ONE, X
    while exponent:
        if exponent & 1:
            power = _times(power, square)
        square = _times(square, square)
        exponent >>= 1
    return power
