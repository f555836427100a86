"""The parts of an object, within S3's limits.

Limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
"""

from dataclasses import dataclass

MIB = 1024 * 1024
GIB = 1024 * MIB

MAX_PARTS = 10_000
MIN_PART = 5 * MIB
MAX_PART = 5 * GIB
# 48.8 TiB, which S3's announcements call 50 TB.
MAX_OBJECT = MAX_PARTS * MAX_PART
# The limit of one PutObject or CopyObject.
MAX_SINGLE = 5 * GIB


@dataclass(frozen=True)
class Part:
    """One part of an object: `number` from 1, and the bytes from `first` to `last`, both included."""

    number: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """Bytes in this part."""
        return self.last - self.first + 1

    @property
    def range_header(self) -> str:
        """The value of an HTTP `Range` header that asks for these bytes."""
        return f"bytes={self.first}-{self.last}"


def plan(size: int, *, part_size: int) -> tuple[Part, ...]:
    """Return the parts of an object of `size` bytes: `part_size` bytes each, and the last one smaller.

    If 10,000 parts of that size do not suffice, the part size grows in whole MiB. An empty object has no part.

    Raises:
        ValueError: the size is negative or more than S3 stores in one object, or the part size is not legal.
    """
    if not 0 <= size <= MAX_OBJECT:
        raise ValueError(f"an S3 object has 0 to {MAX_OBJECT} bytes, not {size}")
    if not MIN_PART <= part_size <= MAX_PART:
        raise ValueError(f"a part has {MIN_PART} to {MAX_PART} bytes, not {part_size}")
    smallest = -(-size // MAX_PARTS)
    step = max(part_size, -(-smallest // MIB) * MIB)
    return tuple(
        Part(number, first, min(first + step, size) - 1) for number, first in enumerate(range(0, size, step), start=1)
    )
