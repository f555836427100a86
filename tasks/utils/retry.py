"""When to try again, and how long to wait before. A policy is data and knows nothing of S3."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING, TypeVar

from tasks.utils.deadline import Deadline

if TYPE_CHECKING:
    import tenacity

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with jitter.

    The n-th wait is `delay * backoff ** (n - 1)` seconds, plus a random part of `jitter`, at most `max_delay`.

    Attributes:
        tries: the number of attempts, the first included; -1 means no limit.
        delay: seconds before the second attempt.
        backoff: the factor from one wait to the next.
        jitter: (least, most) seconds added to each wait, drawn evenly between the two.
        max_delay: the longest wait in seconds.
    """

    tries: int = 3
    delay: float = 0.0
    backoff: float = 2.0
    jitter: tuple[float, float] = (0.0, 0.0)
    max_delay: float = 60.0

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait after the failed attempt number `attempt` (from 1)."""
        # 2.0 ** 1024 overflows a float; every wait has reached max_delay long before that.
        grown = self.delay * self.backoff ** min(attempt - 1, 64)
        return min(self.max_delay, grown + random.uniform(*self.jitter))

    def run(self, call: Callable[[], T], *, deadline: Deadline = Deadline()) -> tuple[T, int]:
        """Call `call()` until it passes.

        Args:
            call: a function without arguments.
            deadline: no wait begins that would end after it.

        Returns:
            The result of the call, and the number of attempts it took.

        Raises:
            Exception: the last error. Its `attempts` is set if it has such an attribute. It is raised at once if it is
                not `retryable`, else after `tries` attempts or when time is up.
        """
        try:
            # Most calls pass at once, and tenacity takes a tenth of a small request's time.
            return call(), 1
        except Exception as error:  # pylint: disable=broad-exception-caught  # `first_error_then_call` raises it
            return self._retry(call, error, deadline)

    def _retry(self, call: Callable[[], T], first: Exception, deadline: Deadline) -> tuple[T, int]:
        # On the first failure: a cold start does not pay for the import.
        import tenacity  # pylint: disable=import-outside-toplevel  # see above

        errors = [first]

        def first_error_then_call() -> T:
            if errors:
                raise errors.pop()
            return call()

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: getattr(error, "retryable", False)),
            wait=lambda state: self.wait(state.attempt_number),
            stop=lambda state: self._is_over(state, deadline),
            sleep=lambda seconds: sleep(seconds),  # pylint: disable=unnecessary-lambda  # tests replace `sleep`
            reraise=True,
        )
        try:
            return retrying(first_error_then_call), retrying.statistics["attempt_number"]
        except Exception as error:
            if hasattr(error, "attempts"):
                error.attempts = retrying.statistics["attempt_number"]
            raise

    def _is_over(self, state: tenacity.RetryCallState, deadline: Deadline) -> bool:
        return state.attempt_number == self.tries or state.upcoming_sleep >= deadline.remaining()
