"""How the bytes of an object are transferred: the size of a part, the number of parts at once."""

from dataclasses import dataclass

from tasks.object_clerk.open_uploads import HOUR_SECONDS
from tasks.object_clerk.parts import MAX_PART, MIB, MIN_PART


@dataclass(frozen=True)
class Transfer:
    """How an object is cut and transferred.

    Attributes:
        threshold: an object of so many bytes or more goes in parts.
        part_size: bytes of a part; it grows if 10,000 parts would not suffice.
        workers: parts transferred at once.
        block: bytes of one read or write.
        quiet_seconds: after so long without a part an upload counts as abandoned: see `open_uploads`.
    """

    threshold: int = 16 * MIB
    part_size: int = 16 * MIB
    # Two threads keep a processor busy with encryption and checksums; four bridge the waits of a distant server.
    workers: int = 4
    # Twice as large, each block would be new memory from the system, and a download a third slower.
    block: int = MIB // 4
    quiet_seconds: float = HOUR_SECONDS

    def __post_init__(self) -> None:
        # S3 takes no smaller part than 5 MiB and no larger one than 5 GiB.
        object.__setattr__(self, "part_size", min(max(self.part_size, MIN_PART), MAX_PART))
        object.__setattr__(self, "threshold", min(self.threshold, MAX_PART))
