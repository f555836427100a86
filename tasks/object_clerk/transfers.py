"""How bytes travel: in parts of what size, how many at once."""

from dataclasses import dataclass

from tasks.object_clerk.open_uploads import HOUR_SECONDS
from tasks.object_clerk.parts import MAX_PART, MIB, MIN_PART


@dataclass(frozen=True)
class Transfer:
    """How an object's bytes are cut and carried.

    Attributes:
        threshold: an object of so many bytes or more is carried in parts.
        part_size: bytes of a part; it grows where 10,000 parts would not reach.
        workers: parts carried at once.
        block: bytes that are read and written in one go.
        quiet_seconds: how long nothing happens on an upload before it counts as abandoned: see `open_uploads`.
    """

    threshold: int = 16 * MIB
    part_size: int = 16 * MIB
    # Two threads keep a processor busy with encryption and checksums; four bridge the waits of a distant server.
    workers: int = 4
    # Twice as large, each block would be new memory from the system, and a download a third slower.
    block: int = MIB // 4
    quiet_seconds: float = HOUR_SECONDS

    def __post_init__(self):
        # S3 takes no smaller part than 5 MiB and no larger one than 5 GiB.
        object.__setattr__(self, "part_size", min(max(self.part_size, MIN_PART), MAX_PART))
        object.__setattr__(self, "threshold", min(self.threshold, MAX_PART))
