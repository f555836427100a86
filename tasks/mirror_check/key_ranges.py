"""Ranges of keys, where to cut them, and the ranges that wait for a worker.

S3 lists keys in the order of their UTF-8 bytes, which is that of their code points, and so of Python's texts. It lists
forward only, a page after the other, so a single listing is no faster than the way to the server. Several ranges are
listed side by side: a worker without a range gets the second half of another worker's range.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Condition

# Most keys are ASCII, whose last character that prints is 0x7E. A key beyond that is in the last range.
ASCII_END = 0x7F
UNICODE_END = 0x110000
# No text in UTF-8 holds these.
SURROGATES = range(0xD800, 0xE000)


@dataclass
class KeyRange:
    """The keys after one key, up to and including another one.

    Attributes:
        after: the greatest text before the range; "" begins with the first key.
        last: the greatest text in the range; None ends with the last key.
    """

    after: str = ""
    last: str | None = None


def middle(after: str, last: str | None, prefix: str = "") -> str | None:
    """Return a text between two others, about halfway, or None if there is none that is worth a cut.

    Args:
        after: less than the text.
        last: greater than the text; None stands for the end of the keys below the prefix.
        prefix: the beginning of all keys.
    """
    low, high = after[len(prefix) :], None if last is None else last[len(prefix) :]
    shared = ""
    for number in range(len(low) + 1):
        least = ord(low[number]) if number < len(low) else -1
        end = ord(high[number]) if high is not None and number < len(high) else _end_after(least)
        if end - least >= 2:
            # A cut at a control character is of no use.
            code = (max(least, 0x1F if end > 0x21 else -1) + end) // 2
            return None if code in SURROGATES else prefix + shared + chr(code)
        shared += low[number : number + 1]
        if end != least:
            # The text begins like the lower one, so any greater end is below the upper one.
            high = None
    return None


def _end_after(least: int) -> int:
    return ASCII_END if least < ASCII_END - 1 else UNICODE_END


class RangeQueue:
    """The ranges that no worker has taken yet, shared by all workers."""

    def __init__(self, first: KeyRange) -> None:
        self._waiting = deque([first])
        self._working = self._idle = 0
        self._is_closed = False
        self._changed = Condition()

    @property
    def is_hungry(self) -> bool:
        """Whether a worker waits for a range."""
        return self._idle > len(self._waiting)

    def put(self, key_range: KeyRange) -> None:
        """Add a range, which a busy worker cut off."""
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
            if self._is_closed or not self._waiting:
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
