"""Ranges of keys, where to cut them, and the ranges that wait for a worker.

S3 lists keys in the order of their UTF-8 bytes, which is that of their code points, and so of Python's texts. It lists
forward only, a page after the other, so a single listing is no faster than the way to the server. Several ranges are
listed side by side: workers without a range get parts of another worker's range. It is cut between folders if there are
any, because one request finds up to 1,000 of them, and between characters of the keys if not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from threading import Condition
from typing import Protocol

# The last character of all, after which no key goes on.
LAST = chr(0x10FFFF)
# Most keys are ASCII, whose last character that prints is 0x7E.
ASCII_END = 0x7F
DELIMITER = "/"
# The most folders around a key in which others are looked for.
DEPTH = 8


@dataclass
class KeyRange:
    """The keys after one key, up to and including another one.

    Attributes:
        after: the greatest text before the range; "" begins with the first key.
        last: the greatest text in the range; None ends with the last key.
    """

    after: str = ""
    last: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is all keys."""
        return not self.after and self.last is None


class Rest(Protocol):
    """The keys of a range that were not compared yet."""

    def folders_after(self, folder: str, key: str) -> list[str]:
        """Return folders in a folder that come after a key, in order."""

    def first_after(self, text: str) -> str | None:
        """Return the first key after a text, or None if there is none."""


def cuts_after(key: str, rest: Rest, prefix: str, most: int) -> list[str]:
    """Return where to cut the rest of a range, in order; nothing if that is of no use.

    Args:
        key: the last key that was compared.
        rest: the keys after it.
        prefix: the beginning of all keys.
        most: the most cuts.
    """
    for folder in islice(_folders_around(key, prefix), DEPTH):
        if found := rest.folders_after(folder, key):
            number = min(most, len(found))
            return [found[len(found) * place // (number + 1)] for place in range(1, number + 1)]
    cut = cut_after(key, rest.first_after, prefix)
    return [cut] if cut else []


def _folders_around(key: str, prefix: str) -> Iterator[str]:
    """Yield the prefix, and the longer folders of a key."""
    yield prefix
    place = len(prefix) - 1
    while (place := key.find(DELIMITER, place + 1)) >= 0:
        yield key[: place + 1]


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
    def hunger(self) -> int:
        """How many workers wait for a range."""
        return max(0, self._idle - len(self._waiting))

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
