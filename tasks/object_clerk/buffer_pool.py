"""The memory through which bytes pass from one S3 to another: one piece, whose size is its limit."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.object_clerk.errors import ObjectSaveException


class BufferPool:  # pylint: disable=too-few-public-methods  # `buffer` takes one, and its block returns it
    """One piece of memory, from which all streams of a container take their buffers.

    A buffer that was returned is used again. With malloc, the system would map new memory for some of the parts, which
    takes as long as filling them, and the process would keep more memory than it uses.

    Args:
        size: bytes in all. The system provides a page when its first byte is written.

    Raises:
        OSError: the machine does not have so much memory.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        # ACCESS_COPY makes the memory private to this process.
        self._all = memoryview(mmap.mmap(-1, size, access=mmap.ACCESS_COPY))
        self._taken: list[tuple[int, int]] = []
        self._changed = threading.Condition()

    @contextmanager
    def buffer(self, size: int) -> Iterator[memoryview]:
        """Wait until so many contiguous bytes are free, and yield them as a writable memoryview.

        The end of the block returns them to the pool.

        Raises:
            ObjectSaveException: the pool is smaller than that.
        """
        if size > self.size:
            raise ObjectSaveException(f"it needs a buffer of {size} bytes, and the buffer pool has {self.size}")
        with self._changed:
            while not (place := self._free(size)):
                self._changed.wait()
            self._taken.append(place)
        try:
            yield self._all[slice(*place)]
        finally:
            with self._changed:
                self._taken.remove(place)
                self._changed.notify_all()

    def _free(self, size: int) -> tuple[int, int] | None:
        """Return where the first so many contiguous free bytes begin and end, or None."""
        begin = 0
        for taken in [*sorted(self._taken), (self.size, self.size)]:
            if taken[0] - begin >= size:
                return begin, begin + size
            begin = taken[1]
        return None
