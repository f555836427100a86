"""How much time is left. Lambda ends a function without a warning, so work has to know when to stop.

The rules, from the end of an invocation backwards:
- The deadline of the work is 5 s before the end. No request of the work begins after it. A request that is under way
  is cut off at the deadline: its read time-out is the time that is left. Connections learn that from
  `limit_timeout` and `is_time_up`.
- Until 2.5 s before the end, steps that close the work may still run: record progress in a table, return messages to
  their queue, abort an upload. Their deadline is `closing`. botocore waits up to 2 s between two of its own tries.
- The rest is for the answer, the log lines and the metrics.
- How long S3 takes to copy an object is not known in advance. `Durations` allows another copy if the longest copy so
  far, of an object that was no larger, fits into the time that is left. It always allows the first copy.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")

# The seconds that `Deadline.of_lambda` keeps back, and how many of them `Deadline.closing` uses.
RESERVE_SECONDS = 5.0
CLOSING_SECONDS = 2.5

# The deadline of what this thread does at the moment. Connections, which no deadline is passed to, read it here.
_LIMIT: ContextVar[Deadline | None] = ContextVar("limit", default=None)


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock by which work must be over.

    Attributes:
        at: seconds on `time.monotonic()`; infinity means no limit.
        whole: the seconds that there were in the beginning.
    """

    at: float = float("inf")
    whole: float = 0.0

    @classmethod
    def of_lambda(cls, context: Any, *, reserve: float = RESERVE_SECONDS) -> Deadline:
        """Return the deadline of a Lambda invocation.

        Args:
            context: Lambda's context object; None (a direct call in a test or a shell) means no limit.
            reserve: seconds kept back to answer, to return messages and to write the log.
        """
        if context is None:
            return cls()
        whole = context.get_remaining_time_in_millis() / 1000 - reserve
        return cls(monotonic() + whole, whole)

    def remaining(self) -> float:
        """Return the seconds left, at least 0."""
        return max(0.0, self.at - monotonic())

    def has_passed(self) -> bool:
        """Return whether no time is left."""
        return self.remaining() == 0.0

    def within(self, seconds: float) -> Deadline:
        """Return the earlier of this deadline and the moment in so many seconds."""
        return Deadline(min(self.at, monotonic() + seconds), self.whole)

    def closing(self) -> Deadline:
        """Return the deadline of the steps that close the work: record, return, abort."""
        return Deadline(self.at + CLOSING_SECONDS, self.whole)

    def is_early(self) -> bool:
        """Return whether at least half of the time is left, which is enough for the work to make progress."""
        return self.remaining() >= self.whole / 2

    def limit(self, call: Callable[[], T]) -> T:
        """Call `call()` with this as the deadline of the thread, and return its result."""
        # Each request passes here, and a context manager takes three times as long.
        token = _LIMIT.set(self)
        try:
            return call()
        finally:
            _LIMIT.reset(token)


class Durations:
    """How long each piece of work of an invocation took, as an estimate for the next one."""

    def __init__(self) -> None:
        self._known: list[tuple[float, float]] = []

    def add(self, seconds: float, *, size: float = 0) -> None:
        """Add the duration of a piece of so many bytes. Any thread may call this."""
        self._known.append((size, seconds))

    def fits(self, deadline: Deadline, *, size: float = 0) -> bool:
        """Return whether a piece of so many bytes is expected to end by the deadline.

        Args:
            deadline: when it has to end.
            size: bytes; infinity if unknown. Only pieces that were no larger count.
        """
        longest = max((seconds for known, seconds in list(self._known) if known <= size), default=0.0)
        return longest < deadline.remaining()


# A time-out of 0 means "do not wait at all", and bytes that have already arrived may still be read.
LEAST_TIMEOUT = 0.05


def is_time_up() -> bool:
    """Return whether no time is left for what this thread does."""
    limit = _LIMIT.get()
    return limit is not None and not limit.remaining()


def limit_timeout(timeout: float) -> float:
    """Return a time-out in seconds, shortened so that it ends by the deadline of what this thread does."""
    limit = _LIMIT.get()
    return timeout if limit is None else min(timeout, max(LEAST_TIMEOUT, limit.remaining()))
