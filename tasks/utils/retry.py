"""When to try again, and how long to wait before: the policy is data, and knows nothing of S3."""

import random
from dataclasses import dataclass
from time import sleep

import tenacity

from tasks.utils.deadline import Deadline


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with jitter.

    The n-th wait is `delay * backoff ** (n - 1)` seconds, plus a random part of `jitter`, at most `max_delay`.

    Attributes:
        tries: attempts in all, the first included; -1 for ever.
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

    def wait(self, attempt):
        """Returns the seconds to wait after the failed attempt number `attempt` (from 1)."""
        # 2.0 ** 1024 overflows a float; long before that every wait has reached max_delay.
        grown = self.delay * self.backoff ** min(attempt - 1, 64)
        return min(self.max_delay, grown + random.uniform(*self.jitter))

    def run(self, call, *, deadline=Deadline()):
        """Calls `call()` until it passes, and returns what it returns together with the number of attempts.

        Args:
            call: a function without arguments.
            deadline: no wait is begun that would end after it.

        Returns:
            A pair: the result, and how many attempts it took.

        Raises:
            Exception: the last error, as it was raised, with its `attempts` set where it has such an attribute:
                at once when it is not `retryable`, else after `tries` attempts or when time is up.
        """
        try:
            # Most calls pass at once. tenacity would take a tenth of a small request's time.
            return call(), 1
        except Exception as error:  # pylint: disable=broad-exception-caught  # raised below
            failed = [error]

        def again():
            if failed:
                raise failed.pop()
            return call()

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: getattr(error, "retryable", False)),
            wait=lambda state: self.wait(state.attempt_number),
            stop=lambda state: self._is_over(state, deadline),
            sleep=lambda seconds: sleep(seconds),  # pylint: disable=unnecessary-lambda  # looked up anew each time
            reraise=True,
        )
        try:
            return retrying(again), retrying.statistics["attempt_number"]
        except Exception as error:
            if hasattr(error, "attempts"):
                error.attempts = retrying.statistics["attempt_number"]
            raise

    def _is_over(self, state, deadline):
        return state.attempt_number == self.tries or state.upcoming_sleep >= deadline.remaining()
