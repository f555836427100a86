"""How much time is left: Lambda ends a function without asking, so work has to know when to stop."""

from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic

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
    def of_lambda(cls, context, *, reserve=5.0):
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
