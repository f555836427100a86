"""The pace of requests to a server that throttles. The pacer waits, and knows nothing of S3.

As in rclone's `lib/pacer`, the pause between two requests doubles when the server throttles and shrinks when it does
not. All threads of a container share one pacer for each server, so the rate falls whatever their number.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.utils.deadline import Deadline

# A server that answers SlowDown counts requests by the second. rclone waits at most two seconds between two requests;
# Lambda's time is limited, and the message of unfinished work comes back.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0

# The part of the pause that remains after a request that was not throttled, and the shortest pause.
DECAY = 0.75
LEAST_PAUSE = 0.01


@dataclass
class Pacer:
    """Gives each request of several threads its moment.

    Attributes:
        pause: seconds between two requests; 0 as long as nothing is throttled.
    """

    pause: float = 0.0
    _next: float = 0.0
    _slowed: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def wait(self, deadline: Deadline) -> float | None:
        """Wait for the moment of the next request.

        Args:
            deadline: no wait is begun that would end after it.

        Returns:
            That moment on the monotonic clock, or None if it would come too late.
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

    def throttled(self, moment: float) -> None:
        """Double the pause, because the request of this moment was throttled.

        A request that was under way when the pause was last doubled says nothing about the new pause.
        """
        with self._lock:
            if moment >= self._slowed:
                self.pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * self.pause))
                self._slowed = self._next = time.monotonic() + self.pause

    def passed(self) -> None:
        """Shorten the pause, because a request was not throttled."""
        if self.pause:
            with self._lock:
                self.pause = self.pause * DECAY if self.pause * DECAY >= LEAST_PAUSE else 0.0
