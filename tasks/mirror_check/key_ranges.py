"""Ranges of keys, where to cut them, and the ranges that wait for a worker.

S3 lists keys in the order of their UTF-8 bytes, which is that of their code points, and so of Python's texts. It lists
forward only, a page after the other, so a single listing is no faster than the way to the server. Several ranges are
listed side by side: a worker without a range gets the second half of another worker's range.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition

# The last character of all, after which no key goes on.
LAST = chr(0x10FFFF)
# Most keys are ASCII, whose last character that prints is 0x7E.
ASCII_END = 0x7F


@dataclass
class KeyRange:
    """The keys after one key, up to and including another one.

    Attributes:
        after: the greatest text before the range; "" begins with the first key.
        last: the greatest text in the range; None ends with the last key.
    """

    after: str = ""
    last: str | None = None


def cut_after(key: str, first_after: Callable[[str], str | None], prefix: str) -> str | None:
    """Return where to cut the rest of a range in two; None if that is of no use.

    The rest differs from a key in some character and after it. The earliest such character divides the rest best.

    Args:
        key: the last key that was compared.
        first_after: returns the first key in the range after a text, or None if there is none.
        prefix: the beginning of all keys.
    """
    # If there is a key beyond all that begin with a part of this key, then also beyond a longer part.
    none_beyond, beyond = len(prefix), len(key) + 1
    found = None
    while beyond - none_beyond > 1:
        length = (none_beyond + beyond) // 2
        first = first_after(key[:length] + LAST)
        none_beyond, beyond = (none_beyond, length) if first else (length, beyond)
        found = first or found
    if found is None:
        return None
    halfway = _halfway(key[: beyond - 1], found[beyond - 1])
    return halfway if halfway and first_after(halfway) else key[:beyond] + LAST


def _halfway(stem: str, character: str) -> str | None:
    """Return a text halfway between a character after a stem and the end of ASCII; None if that is too near."""
    code = (ord(character) + ASCII_END) // 2
    return stem + chr(code) if ord(character) < code < ASCII_END else None


class RangeQueue:
    """The ranges that no worker has taken yet, shared by all workers.

    Args:
        ranges: the first ranges.
        is_time_up: returns whether workers are to stop; the queue hands out no range after that.
    """

    def __init__(self, *ranges: KeyRange, is_time_up: Callable[[], bool] = lambda: False) -> None:
        self.is_time_up = is_time_up
        self._waiting = deque(ranges)
        self._working = self._idle = 0
        self._is_closed = False
        self._changed = Condition()

    @property
    def is_hungry(self) -> bool:
        """Whether a worker waits for a range."""
        return self._idle > len(self._waiting)

    @property
    def rest(self) -> tuple[KeyRange, ...]:
        """The ranges that were not handed out."""
        return tuple(self._waiting)

    def put(self, key_range: KeyRange) -> None:
        """Add a range, which a busy worker cut off, or the rest of one whose worker stops."""
        with self._changed:
            self._waiting.append(key_range)
            self._changed.notify()

    def take(self) -> KeyRange | None:
        """Wait for a range, and return it; return None once all ranges are done."""
        with self._changed:
            self._idle += 1
            while not self._waiting and self._working and not self._is_closed:
                self._changed.wait()
            self._idle -= 1
            if self._is_closed or not self._waiting or self.is_time_up():
                return None
            self._working += 1
            return self._waiting.popleft()

    def done(self) -> None:
        """Count a range as done."""
        with self._changed:
            self._working -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Hand out no range any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
