"""What came of one event."""

from dataclasses import dataclass, field
from enum import Enum

from tasks.object_clerk.errors import DeadlineException
from tasks.utils.events import ObjectEvent
from tasks.utils.s3_object import S3Object


class Action(Enum):
    """What was done, in the words of the log line."""

    REPLICATED = "replicated"
    TAGGED = "tags replicated"
    ANNOTATED = "annotations replicated"
    EQUAL = "already equal"
    DELETED = "deleted"
    NOTHING = "nothing to do"


@dataclass(frozen=True)
class Outcome:  # pylint: disable=too-many-instance-attributes  # one for each field of its log line
    """What came of one event.

    Attributes:
        event: the `ObjectEvent`.
        action: see `Action`.
        destination: what was written or found, with its version where the bucket keeps versions; or None.
        size: bytes that were carried.
        attempts: 1 and how many requests had to be repeated.
        reason: why there was nothing to do, or "".
        not_carried: what of the object the destination does not have.
        seconds: how long it took.
        is_rechecked: whether the key is looked at again once no server can hold a request about it any more.
    """

    event: ObjectEvent
    action: Action
    destination: S3Object | None = None
    size: int = 0
    attempts: int = 1
    reason: str = ""
    not_carried: list = field(default_factory=list)
    seconds: float = 0.0
    is_rechecked: bool = False


class Unfinished(DeadlineException):
    """Time ran out in the middle of the work; what was carried is kept.

    Attributes:
        carried: parts, versions or annotations that this invocation has carried, 0 where it made no way at all.
    """

    def __init__(self, reason, *, carried, stalled=True, **places):
        super().__init__(reason, **places)
        self.carried = carried
        self.stalled = stalled
