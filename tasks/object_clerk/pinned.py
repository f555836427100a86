"""One state of an object: every later read names its version or its ETag, so no read gets bytes of another state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.object_clerk import checksums
from tasks.utils.s3_object import S3Object


@dataclass(frozen=True)
class Pinned:
    """One state of an object.

    Attributes:
        address: the `S3Object`, with its version if the bucket keeps versions.
        etag: the ETag, as S3 gives it.
        size: bytes.
        has_opaque_etag: the object is encrypted in a way that keeps its ETag from being an MD5.
    """

    address: S3Object
    etag: str
    size: int
    has_opaque_etag: bool = False

    @classmethod
    def by(cls, address: S3Object, answer: Mapping[str, Any]) -> Pinned:
        """Return the state that an answer to HeadObject or GetObject describes."""
        where = pinned_address(address, answer)
        return cls(where, answer["ETag"], answer["ContentLength"], checksums.has_opaque_etag(answer))


def pinned_address(address: S3Object, answer: Mapping[str, Any]) -> S3Object:
    """Return an address with the version that an answer of S3 names, if that version cannot be overwritten."""
    version = answer.get("VersionId")
    # The next write without versioning overwrites the version "null", so its name pins nothing. The ETag does.
    return S3Object(address.bucket, address.key, address.version_id or (None if version == "null" else version))
