"""What S3 says of an object's content, and when two such statements can be compared.

An ETag is an MD5 only for an object that was put whole and not encrypted with KMS, so it is never taken for one
here: equal ETags mean equal bytes, different ETags mean nothing by themselves. What can be computed here is CRC32
(6 GB/s where zlib is built for the processor, and the parts' can be put together), SHA-256, SHA-1 and MD5.
Rules: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

import base64
import hashlib
import re
import zlib
from functools import lru_cache

ALGORITHMS = ("CRC64NVME", "CRC32", "CRC32C", "SHA256", "SHA1")
# Only these can be computed over a whole object that was written in parts.
FULL_OBJECT_MULTIPART_ALGORITHMS = ("CRC64NVME", "CRC32", "CRC32C")

MD5_SHAPE = re.compile(r"[0-9a-f]{32}")

# x^32 is 1 + x + x^2 + ... by this polynomial, which RFC 1952 calls the CRC of gzip; bits are reflected: the
# highest is the coefficient of x^0.
CRC32_POLYNOMIAL = 0xEDB88320
ONE, X = 1 << 31, 1 << 30


def bare(etag):
    """Returns an ETag without the quotes that HTTP puts around it; None stays None."""
    return etag.strip('"') if etag else None


def looks_like_md5(etag):
    """Returns whether an ETag has the shape of an MD5, which does not yet make it one (KMS, SSE-C)."""
    return bool(etag) and MD5_SHAPE.fullmatch(bare(etag)) is not None


def full_object_checksums(answer):
    """Returns the checksums over the whole object in an answer of S3: algorithm -> base64 text.

    A composite checksum (a checksum of the parts' checksums) depends on where the parts were cut, so it is left out.
    """
    if answer.get("ChecksumType") == "COMPOSITE":
        return {}
    found = {name: answer.get(f"Checksum{name}") for name in ALGORITHMS}
    return {name: value for name, value in found.items() if value and "-" not in value}


def same_content(left, right):
    """Compares two HEAD answers: True or False where they tell, None where only reading the bytes would."""
    if left["ContentLength"] != right["ContentLength"]:
        return False
    if left.get("ETag") and bare(left["ETag"]) == bare(right.get("ETag")):
        return True
    ours, theirs = full_object_checksums(left), full_object_checksums(right)
    shared = [name for name in ours if name in theirs]
    if not shared:
        return None
    return all(ours[name] == theirs[name] for name in shared)


def has_opaque_etag(answer):
    """Returns whether an answer names an encryption by which an ETag is no MD5 whatever its shape: KMS or SSE-C."""
    return (answer.get("ServerSideEncryption") or "").startswith("aws:") or bool(answer.get("SSECustomerAlgorithm"))


class Crc32:
    """A CRC32 that grows with `update`, as S3 writes it."""

    def __init__(self):
        self.value = 0

    def update(self, block):
        """Takes in the next bytes."""
        self.value = zlib.crc32(block, self.value)

    def text(self):
        """Returns the checksum of what came so far."""
        return crc32_text(self.value)


class Digest:
    """A digest of hashlib's that grows with `update`, as S3 writes it: base64, or hexadecimal for an ETag."""

    def __init__(self, name):
        self.is_etag = name == "MD5"
        # MD5 guards against accidents here, so it may be used where it is forbidden for security.
        self.digest = hashlib.new(name, usedforsecurity=False)

    def update(self, block):
        """Takes in the next bytes."""
        self.digest.update(block)

    def text(self):
        """Returns the digest of what came so far."""
        return self.digest.hexdigest() if self.is_etag else base64.b64encode(self.digest.digest()).decode()


def proof_of(answer):
    """Returns by what the bytes of an object can be proven: (algorithm, expected text), or None.

    The algorithm is `CRC32`, `SHA256`, `SHA1`, or `MD5` for an ETag that has the shape of one.
    """
    stored = full_object_checksums(answer)
    for name in ("CRC32", "SHA256", "SHA1"):
        if name in stored:
            return name, stored[name]
    etag = bare(answer.get("ETag"))
    return ("MD5", etag) if looks_like_md5(etag) else None


def counter(name):
    """Returns a new `Crc32` or `Digest` for an algorithm that `proof_of` names."""
    return Crc32() if name == "CRC32" else Digest(name)


def crc32_text(value):
    """Returns a CRC32 as S3 writes it: base64 of its four bytes."""
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def crc32_combined(pieces):
    """Returns the CRC32 of pieces of bytes put together, which are not looked at again.

    Args:
        pieces: for each piece in order its CRC32 and its length in bytes.
    """
    whole = 0
    for value, size in pieces:
        whole = _times(_power_of_x(8 * size), whole) ^ value
    return whole


def _times(left, right):
    """Multiplies two polynomials over GF(2), modulo that of the CRC."""
    product = 0
    for place in range(31, -1, -1):
        if left >> place & 1:
            product ^= right
        right = right >> 1 ^ (CRC32_POLYNOMIAL if right & 1 else 0)
    return product


# The parts of an object have two lengths, all but the last one and the last.
@lru_cache(maxsize=16)
def _power_of_x(exponent):
    power, square = ONE, X
    while exponent:
        if exponent & 1:
            power = _times(power, square)
        square = _times(square, square)
        exponent >>= 1
    return power
