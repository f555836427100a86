"""A part that the server of a multipart upload has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tasks.object_clerk.checksums import crc32_text


@dataclass(frozen=True)
class SentPart:
    """A part that the server has.

    Attributes:
        number: from 1.
        etag: its ETag there.
        crc: its CRC32 as a number.
        size: bytes.
    """

    number: int
    etag: str
    crc: int
    size: int

    @property
    def named(self) -> dict[str, Any]:
        """The part as CompleteMultipartUpload takes it."""
        return {"PartNumber": self.number, "ETag": self.etag, "ChecksumCRC32": crc32_text(self.crc)}
