"""The errors of this task; those of S3 are in `tasks.object_clerk.errors`.

    BucketBrigadeError
    ├── TableError                  the table did not answer, and may answer at the next delivery        (transient)
    │   └── TableThrottled              it throttles, or another request held the row just then          (retryable)
    ├── RowRefused                  the table refuses this row, and will refuse it again
    ├── RowChanged                  another worker wrote the row meanwhile: observe again                (transient)
    ├── LostRace                    a precondition of a step did not hold: observe again                 (transient)
    ├── NoProgress                  a bucket's listing and its reads contradict each other               (transient)
    └── VersionsNotKept             the settings ask for every version, and a bucket keeps none          (transient)

Those of the destination's credentials are in `tasks.utils.errors`. Most are transient, so that an hour of wrong
configuration does not turn the messages of that hour into dead letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.utils.errors import BucketBrigadeError


class TableError(BucketBrigadeError):
    """A request to DynamoDB failed."""

    transient = True


class TableThrottled(TableError):
    """DynamoDB throttles the table, or another request to the row was under way: the same request may pass."""

    retryable = True


class RowRefused(BucketBrigadeError):
    """DynamoDB refuses this row because of its content: a value that is not valid, or too many bytes."""


class RowChanged(BucketBrigadeError):
    """Another worker wrote the row since it was read.

    Attributes:
        found: the item that is there, if the answer of the table holds it, else None.
    """

    transient = True

    def __init__(self, reason: str, *, found: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.found = found


class LostRace(BucketBrigadeError):
    """A precondition of a step did not hold: another worker was faster, or an object is gone.

    Attributes:
        error: what the server answered, as an error.
        of_row: the precondition was that of the key row.
    """

    transient = True

    def __init__(self, error: BucketBrigadeError) -> None:
        super().__init__(str(error))
        self.error = error
        self.of_row = isinstance(error, RowChanged)


class NoProgress(BucketBrigadeError):
    """Several rounds changed nothing, because a bucket's listing and its reads contradict each other."""

    transient = True


class VersionsNotKept(BucketBrigadeError):
    """The settings ask for every version, and one of the buckets does not keep versions."""

    transient = True
