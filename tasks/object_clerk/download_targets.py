"""The targets of a download: memory, or a file beside its final path."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self

from tasks.object_clerk.checksums import Buffer


class Target(Protocol):
    """Receives the bytes of an object, in any order."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def write(self, position: int, block: Buffer) -> None:
        """Write bytes at a position."""

    def blocks(self, size: int) -> Iterator[Buffer]:
        """Yield the written bytes, in order."""

    def result(self) -> bytes | None:
        """Return the bytes, or None if they are in a file."""


class MemoryTarget:
    """An object's bytes in memory, which `result` returns without a copy."""

    def __init__(self, size: int) -> None:
        self._buffer = io.BytesIO()
        if size:
            # Writing the last byte first gives the buffer its final length.
            self._buffer.seek(size - 1)
            self._buffer.write(b"\0")
        self._view = self._buffer.getbuffer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._view.release()

    def write(self, position: int, block: Buffer) -> None:
        """Write bytes at a position."""
        self._view[position : position + len(block)] = block

    def blocks(self, size: int) -> Iterator[memoryview]:
        """Yield the written bytes, in order."""
        for start in range(0, len(self._view), size):
            yield self._view[start : start + size]

    def result(self) -> bytes:
        """Return the bytes."""
        self._view.release()
        return self._buffer.getvalue()


class FileTarget:
    """A file that is being written."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def sized(self, size: int) -> Self:
        """Give the file its length, whatever an earlier attempt left, and return this target."""
        os.ftruncate(self._descriptor, size)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the file open for another attempt."""

    def write(self, position: int, block: Buffer) -> None:
        """Write bytes at a position."""
        view = memoryview(block)
        while view:
            written = os.pwrite(self._descriptor, view, position)
            view, position = view[written:], position + written

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield the written bytes, in order."""
        position = 0
        while block := os.pread(self._descriptor, size, position):
            yield block
            position += len(block)

    def result(self) -> None:
        """Return nothing: the file is the result."""


@contextmanager
def file_beside(path: Path) -> Iterator[FileTarget]:
    """Yield a new file in the folder of `path`. It gets that name at the end, and is removed after a failure."""
    unfinished = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        try:
            yield FileTarget(descriptor)
        finally:
            os.close(descriptor)
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
