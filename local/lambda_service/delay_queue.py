"""A queue that releases its items when they are due."""

import heapq
import itertools
import threading
import time
from typing import Generic, TypeVar

Item = TypeVar("Item")


class DelayQueue(Generic[Item]):
    """A queue for several threads; it releases items that are due at the same time in the order of `put`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Item]] = []
        self._numbers = itertools.count()
        self._stopped = False

    def put(self, item: Item, *, delay: float) -> None:
        """Put an item that is due in some seconds."""
        with self._changed:
            heapq.heappush(self._waiting, (time.monotonic() + delay, next(self._numbers), item))
            self._changed.notify()

    def take(self) -> Item | None:
        """Wait for an item that is due, and remove it; None after `stop`."""
        with self._changed:
            while not self._stopped:
                wait = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(wait)
            return None

    def stop(self) -> None:
        """Release no more items."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
