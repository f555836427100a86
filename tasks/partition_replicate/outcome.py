"""How the work on one event ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Unpack

from tasks.object_clerk.errors import DeadlineException, Places
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


class Effort(NamedTuple):
    """What it took to end the work on one event.

    Attributes:
        bytes: bytes of objects that were carried.
        attempts: 1 and the number of requests that had to be repeated.
        seconds: how long it took.
    """

    bytes: int = 0
    attempts: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """How the work on one event ended.

    Attributes:
        event: the event.
        action: what was done.
        destination: what was written or found, with its version if the bucket keeps versions; or None.
        reason: why there was nothing to do, or "".
        not_carried: what the destination does not have of the object.
        effort: what it took.
        is_rechecked: whether the key is observed again once no server can hold a request about it any more.
    """

    event: ObjectEvent
    action: Action
    destination: S3Object | None = None
    reason: str = ""
    not_carried: tuple[str, ...] = ()
    effort: Effort = Effort()
    is_rechecked: bool = False


class Unfinished(DeadlineException):
    """Time ran out in the middle of the work; what was carried is kept.

    Attributes:
        carried: parts, versions or annotations that this invocation has carried, 0 if none.
        stalled: as `UnfinishedError` says.
    """

    def __init__(self, reason: str, *, carried: int, stalled: bool = True, **places: Unpack[Places]) -> None:
        super().__init__(reason, **places)
        self.carried = carried
        self.stalled = stalled
