"""How fast requests go to a server that asks for patience: the pacer waits, and knows nothing of S3.

As in rclone's `lib/pacer`, the pause between two requests doubles when the server throttles and shrinks when it does
not. All threads of a container that speak to one server share a pacer, so the rate falls whatever their number.
"""

import threading
import time
from dataclasses import dataclass, field

# A server that says "slow down" counts requests by the second. Two seconds between two requests are what rclone takes
# for the most; Lambda's time is limited, and what is left undone comes back with its message.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0

# What a request that went well leaves of the pause, and below what there is none any more.
DECAY = 0.75
LEAST_PAUSE = 0.01


@dataclass
class Pacer:
    """Gives each request of several threads its moment.

    Attributes:
        pause: seconds between two requests at this moment; 0 as long as nothing is throttled.
    """

    pause: float = 0.0
    _next: float = 0.0
    _slowed: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def wait(self, deadline):
        """Waits for the moment of the next request.

        Args:
            deadline: a `Deadline`; no wait is begun that would end after it.

        Returns:
            That moment on the monotonic clock, or None where it would come too late.
        """
        if not self.pause:
            return time.monotonic()
        with self._lock:
            now = time.monotonic()
            moment = max(now, self._next)
            if moment - now > deadline.remaining():
                return None
            self._next = moment + self.pause
        if moment > now:
            time.sleep(moment - now)
        return moment

    def throttled(self, moment):
        """Doubles the pause, because the request of this moment was throttled.

        Requests that were under way when the pause was doubled last tell nothing about the new one.
        """
        with self._lock:
            if moment >= self._slowed:
                self.pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * self.pause))
                self._slowed = self._next = time.monotonic() + self.pause

    def passed(self):
        """Shortens the pause, because a request was not throttled."""
        if self.pause:
            with self._lock:
                self.pause = self.pause * DECAY if self.pause * DECAY >= LEAST_PAUSE else 0.0
