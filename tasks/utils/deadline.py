"""How much time is left: Lambda ends a function without asking, so work has to know when to stop.

The rules, from the end of an invocation backwards:
- 5 s before it is the deadline of the work. No request of the work is begun after that, and one that is under way is
  cut off then: its read time-out is the time that is left. `limited` and `expired` tell connections so.
- Until 2.5 s before the end, what belongs to the work may still end it: progress is recorded in a table, messages are
  handed back, an upload is aborted. That is `closing`. botocore waits up to 2 s between two of its own tries.
- The rest is for the answer, the log lines and the metrics.
- How long S3 will take to copy an object is not known. Another copy is begun if the longest one so far, of an object
  that was no larger, would fit into the time left; the first one always. That is `Durations`.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic

# Seconds that `Deadline.of_lambda` keeps back, and how many of them `Deadline.closing` gives away.
RESERVE_SECONDS = 5.0
CLOSING_SECONDS = 2.5

# The deadline of what this thread does at the moment. Connections, deep below what knows the deadline, ask for it.
_LIMIT = ContextVar("limit", default=None)


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock by which work must be over.

    Attributes:
        at: seconds on `time.monotonic()`; infinity where there is no limit.
        whole: the seconds that there were in the beginning.
    """

    at: float = float("inf")
    whole: float = 0.0

    @classmethod
    def of_lambda(cls, context, *, reserve=RESERVE_SECONDS):
        """Returns the deadline of a Lambda invocation.

        Args:
            context: Lambda's context object; None (a direct call in a test or a shell) means no limit.
            reserve: seconds kept back to answer, to hand messages back and to write the log.
        """
        if context is None:
            return cls()
        whole = context.get_remaining_time_in_millis() / 1000 - reserve
        return cls(monotonic() + whole, whole)

    def remaining(self):
        """Returns the seconds left, at least 0."""
        return max(0.0, self.at - monotonic())

    def passed(self):
        """Returns whether no time is left."""
        return self.remaining() == 0.0

    def within(self, seconds):
        """Returns the deadline of a piece of work that may take so many seconds: the earlier of the two."""
        return Deadline(min(self.at, monotonic() + seconds), self.whole)

    def closing(self):
        """Returns the deadline of what ends the work: records, hands back, aborts."""
        return Deadline(self.at + CLOSING_SECONDS, self.whole)

    def is_early(self):
        """Returns whether at least half of the time is left: work that fails for lack of time had enough of it."""
        return self.remaining() >= self.whole / 2

    def limiting(self, call):
        """Returns what `call()` returns, during which `limited` goes by this deadline in this thread."""
        # No context manager: this is done for every request, and one would take three times as long.
        token = _LIMIT.set(self)
        try:
            return call()
        finally:
            _LIMIT.reset(token)


class Durations:
    """How long pieces of work of one invocation took, as a guess at how long the next one will take."""

    def __init__(self):
        self._known = []

    def note(self, seconds, *, size=0):
        """Remembers that a piece of so many bytes took so many seconds; threads may do so at the same time."""
        self._known.append((size, seconds))

    def fits(self, deadline, *, size=0):
        """Returns whether a piece of so many bytes would end by the deadline, as far as can be known.

        Args:
            deadline: a `Deadline`.
            size: bytes; only pieces that were no larger are looked at.
        """
        longest = max((seconds for known, seconds in list(self._known) if known <= size), default=0.0)
        return longest < deadline.remaining()


# A time-out of 0 would mean "do not wait at all": what is there already may still be read.
LEAST_TIMEOUT = 0.05


def expired():
    """Returns whether no time is left for what this thread does."""
    limit = _LIMIT.get()
    return limit is not None and not limit.remaining()


def limited(timeout):
    """Returns a time-out in seconds, shortened so that it ends by the deadline of what this thread does."""
    limit = _LIMIT.get()
    return timeout if limit is None else min(timeout, max(LEAST_TIMEOUT, limit.remaining()))
