"""How much time is left: Lambda ends a function without asking, so work has to know when to stop."""

from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock by which work must be over.

    Attributes:
        at: seconds on `time.monotonic()`; infinity where nobody sets a limit.
    """

    at: float = float("inf")

    @classmethod
    def of_lambda(cls, context, *, reserve=5.0):
        """Returns the deadline of a Lambda invocation.

        Args:
            context: Lambda's context object; None (a direct call in a test or a shell) means no limit.
            reserve: seconds kept back to answer, to hand messages back and to write the log.
        """
        if context is None:
            return cls()
        return cls(monotonic() + context.get_remaining_time_in_millis() / 1000 - reserve)

    def remaining(self):
        """Returns the seconds left, at least 0."""
        return max(0.0, self.at - monotonic())

    def passed(self):
        """Returns whether no time is left."""
        return self.remaining() == 0.0
