"""The flow of parts over a link: how fast they arrive, and whether another one would arrive in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tasks.object_clerk.errors import DeadlineException
from tasks.object_clerk.parts import MIB

if TYPE_CHECKING:
    from tasks.utils.deadline import Deadline

# Bytes per second that a link is assumed to carry before a part has arrived: a slow link.
FIRST_RATE = MIB


class Flow:  # pylint: disable=too-few-public-methods  # parts are carried in it, and nothing else
    """All parts on one link, which all streams of a container share. Its rate stays for the next invocation.

    Args:
        clock: returns seconds, of which only differences count.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rate: float = FIRST_RATE
        self._began = 0.0
        self._arrived = self._in_flight = 0
        self._changed = threading.Condition()

    @contextmanager
    def carrying(self, size: int, deadline: Deadline, *, first: Callable[[], bool]) -> Iterator[None]:
        """Wait until a part fits into the time that is left; the block carries the part.

        Args:
            size: bytes.
            deadline: the part must arrive before it.
            first: returns whether no part of this stream has arrived yet. Then, if nothing else is in flight, the part
                begins even if it does not seem to fit, because the link may have become faster.

        Raises:
            DeadlineException: the part would not arrive in time.
        """
        with self._changed:
            self._wait_for_place(size, deadline, first)
            if not self._in_flight:
                self._began, self._arrived = self._clock(), 0
            self._in_flight += size
        arrived = False
        try:
            yield
            arrived = True
        finally:
            with self._changed:
                self._in_flight -= size
                self._learn(size, arrived, deadline)
                self._changed.notify_all()

    def _wait_for_place(self, size: int, deadline: Deadline, first: Callable[[], bool]) -> None:
        while not self._fits(size, deadline) and (self._in_flight or not first() or deadline.has_passed()):
            # The parts in flight may arrive sooner than expected.
            if not self._in_flight or deadline.has_passed():
                raise DeadlineException(f"a part of {size} bytes would not arrive in the time that is left")
            self._changed.wait()

    def _fits(self, size: int, deadline: Deadline) -> bool:
        left: float = deadline.remaining()
        return left == float("inf") or (left > 0 and self._in_flight + size <= left * self._rate)

    def _learn(self, size: int, arrived: bool, deadline: Deadline) -> None:
        # Two readings of a clock may be equal.
        seconds = max(self._clock() - self._began, 0.001)
        if arrived:
            self._arrived += size
            self._rate = self._arrived / seconds
        elif deadline.has_passed():
            # The link was too slow for all parts in flight. A single part may fit.
            self._rate = min(self._rate, max(self._arrived, size) / seconds)
