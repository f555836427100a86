"""The body of an upload: bytes, a file, or a stream, which is cut into parts and held in memory at most once.

Bytes and files can be cut anywhere and read any number of times. A stream (an iterable of blocks, a pipe, a socket's
file) can be read once, so a part of it stays in memory until S3 has it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.object_clerk.checksums import Crc32
from tasks.object_clerk.errors import ObjectSaveException
from tasks.object_clerk.parts import MIB

if TYPE_CHECKING:
    from tasks.object_clerk.checksums import Buffer

# Large enough that reading it costs far more than the call.
READ_BLOCK = MIB


class Section:
    """A range of a file or a buffer, as a file of its own that botocore can send, and send again."""

    def __init__(self, read_at: Callable[[int, int], bytes], first: int, size: int) -> None:
        self.size = size
        self._read_at = read_at
        self._first = first
        self._position = 0

    def read(self, amount: int | None = -1) -> bytes:
        """Return at most `amount` of the bytes that are left; all of them if it is negative or None."""
        left = self.size - self._position
        wanted = left if amount is None or amount < 0 else min(amount, left)
        block = self._read_at(self._first + self._position, wanted)
        if len(block) < wanted:
            raise ObjectSaveException("it became shorter while it was being uploaded")
        self._position += wanted
        return block

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position as `io.IOBase.seek` does."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def crc32(self) -> int:
        """Return the CRC32 of all bytes, and go back to the start."""
        crc = Crc32()
        self.seek(0)
        while block := self.read(READ_BLOCK):
            crc.update(block)
        self.seek(0)
        return crc.value


class BytesSection(Section):
    """A range of a buffer, which gives its bytes without a copy, as `io.BytesIO` does."""

    def __init__(self, view: memoryview) -> None:
        super().__init__(lambda start, amount: bytes(view[start : start + amount]), 0, len(view))
        self._view = view

    def getbuffer(self) -> memoryview:
        """Return all bytes."""
        return self._view


class BytesBody:
    """Bytes in memory."""

    name = "bytes in memory"

    def __init__(self, data: Buffer) -> None:
        self._view = memoryview(data).cast("B")
        self.size = len(self._view)

    def section(self, first: int, size: int) -> BytesSection:
        """Return a range of the bytes. Nothing is copied until it is sent."""
        return BytesSection(self._view[first : first + size])

    def check_unchanged(self) -> None:
        """Do nothing: the caller must not change a buffer during its upload."""


class FileBody:
    """A regular file, from its first byte on."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self._descriptor = descriptor
        self._state = self._observe()
        self.size = self._state[0]

    def section(self, first: int, size: int) -> Section:
        """Return a range of the file. Several ranges may be read at once."""
        return Section(lambda start, amount: os.pread(self._descriptor, amount, start), first, size)

    def check_unchanged(self) -> None:
        """Check that nothing was written to the file since the upload began: its parts would not fit together.

        Raises:
            ObjectSaveException: the file was changed.
        """
        if self._observe() != self._state:
            raise ObjectSaveException("it was changed while it was being uploaded")

    def _observe(self) -> tuple[int, int]:
        state = os.fstat(self._descriptor)
        return state.st_size, state.st_mtime_ns


class StreamBody:
    """Blocks of bytes that can be read once, in order. Their number is known at the end."""

    name = "a stream"
    size = None

    def __init__(self, blocks: Iterable[Buffer]) -> None:
        self._blocks = iter(blocks)
        self._rest = b""

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end of the stream.

        Raises:
            ObjectSaveException: a block is not bytes.
        """
        taken, length = [self._rest], len(self._rest)
        while length < size:
            try:
                block = next(self._blocks)
            except StopIteration:
                break
            taken.append(_bytes_of(block))
            length += len(taken[-1])
        whole = b"".join(taken)
        self._rest = whole[size:]
        return whole[:size]

    def check_unchanged(self) -> None:
        """Do nothing: a block that was read cannot change."""


Body = BytesBody | FileBody | StreamBody


@contextmanager
def opened(data: Any) -> Iterator[Body]:
    """Yield the body of an upload, and close the file that it opened.

    Args:
        data: bytes (or another buffer); the path of a file; a binary file, which is read from its start if it can be
            rewound; or an iterable of bytes.

    Raises:
        ObjectSaveException: the file cannot be opened.
        TypeError: `data` is none of these.
    """
    if isinstance(data, (bytes, bytearray, memoryview)):
        yield BytesBody(data)
    elif isinstance(data, io.BytesIO):
        with data.getbuffer() as view:
            yield BytesBody(view)
    elif isinstance(data, (str, Path)):
        with _file(data) as file:
            yield _file_body(file, str(data))
    elif isinstance(getattr(data, "raw", data), io.FileIO):
        yield _file_body(data, str(data.name))
    elif hasattr(data, "read"):
        yield StreamBody(_blocks_of(data))
    elif hasattr(data, "__iter__"):
        yield StreamBody(data)
    else:
        kind = type(data).__name__
        raise TypeError(f"an upload takes a path, a binary file, bytes or an iterable of bytes, not {kind}")


def _file(path: str | Path) -> io.BufferedReader:
    try:
        return open(path, "rb")
    except OSError as error:
        raise ObjectSaveException(f"it cannot be opened: {error.strerror}", source=str(path)) from error


def _file_body(file: Any, name: str) -> FileBody | StreamBody:
    if not file.seekable():
        return StreamBody(_blocks_of(file))
    if file.writable():
        file.flush()
    return FileBody(file.fileno(), name)


def _bytes_of(block: Buffer) -> bytes:
    if isinstance(block, bytes):
        return block
    try:
        # `bytes` would also take a number, for so many zeros.
        return memoryview(block).tobytes()
    except TypeError:
        raise ObjectSaveException(f"a block is of type {type(block).__name__}: it should be bytes") from None


def _blocks_of(file: Any) -> Iterator[bytes]:
    if isinstance(file, io.TextIOBase):
        raise TypeError("an upload takes a file that is opened in binary mode")
    if file.seekable():
        file.seek(0)
    while block := file.read(READ_BLOCK):
        yield block
