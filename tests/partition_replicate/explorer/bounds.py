"""What an exploration covers: the settings of the mirror, and how much may happen."""

from dataclasses import dataclass

from tasks.partition_replicate.settings import ALL, KEEP, MIRROR
from tests.partition_replicate.explorer.changes import CHANGES


@dataclass(frozen=True)
class Policy:
    """The settings of the mirror and of its buckets.

    Attributes:
        versions: `all` or `current`.
        deletes: `mirror` or `keep`.
        version_deletes: `keep` or `mirror`.
        is_versioned: whether both buckets keep versions.
        is_encrypted: whether SSE-KMS encrypts at the destination, where no ETag is an MD5 then.
    """

    versions: str = ALL
    deletes: str = MIRROR
    version_deletes: str = KEEP
    is_versioned: bool = True
    is_encrypted: bool = False


@dataclass(frozen=True)
class Bounds:
    """How much may happen.

    Attributes:
        changes: for each change of the source, the names from `CHANGES` that it may have.
        workers: how many workers may be at work at the same time.
        kills: workers that are killed, each after any request.
        late: writes that a server holds and carries out later, or never.
        duplicates: events that are delivered once more.
        faults: how many of these may happen together; a worker that is killed while a server holds its write is one.
        switches: how often another worker's turn comes before the present one ends; None for any number.
    """

    changes: tuple = ()
    workers: int = 2
    kills: int = 1
    late: int = 1
    duplicates: int = 1
    faults: int = 1
    switches: int | None = None


def any_of(count, names=tuple(CHANGES)):
    """Return the `changes` of so many free choices."""
    return (tuple(names),) * count
