"""What can be uploaded: bytes, a file, or a stream; cut into parts, and never held in memory twice.

Bytes and files are cut where one likes and read as often as needed. A stream (an iterable of blocks, a pipe, a
socket's file) passes once, so a part of it is kept in memory until S3 has it.
"""

import io
import os
from contextlib import contextmanager
from pathlib import Path

from tasks.object_clerk.checksums import Crc32
from tasks.object_clerk.errors import ObjectSaveException
from tasks.object_clerk.parts import MIB

# Large enough that reading it costs far more than asking for it.
READ_BLOCK = MIB


class Section:
    """Some bytes of a file or a buffer, as a file of their own that boto3 can send, and send again."""

    def __init__(self, read_at, first, size):
        self.size = size
        self._read_at = read_at
        self._first = first
        self._position = 0

    def read(self, amount=-1):
        """Returns at most `amount` of the bytes that are left, all of them when it is negative or None."""
        left = self.size - self._position
        wanted = left if amount is None or amount < 0 else min(amount, left)
        block = self._read_at(self._first + self._position, wanted)
        if len(block) < wanted:
            raise ObjectSaveException("it became shorter while it was being uploaded")
        self._position += wanted
        return block

    def seek(self, offset, whence=os.SEEK_SET):
        """Moves to a position as `io.IOBase.seek` does."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = start + offset
        return self._position

    def tell(self):
        """Returns the position."""
        return self._position

    def crc32(self):
        """Returns the CRC32 of all its bytes, as a number, and goes back to the start."""
        crc = Crc32()
        self.seek(0)
        while block := self.read(READ_BLOCK):
            crc.update(block)
        self.seek(0)
        return crc.value


class BytesSection(Section):
    """Some bytes of a buffer, which need not be read: like `io.BytesIO` it gives them as they are."""

    def __init__(self, view):
        super().__init__(lambda start, amount: bytes(view[start : start + amount]), 0, len(view))
        self._view = view

    def getbuffer(self):
        """Returns all its bytes as a memoryview."""
        return self._view


class BytesBody:
    """Bytes in memory."""

    name = "bytes in memory"

    def __init__(self, data):
        self._view = memoryview(data).cast("B")
        self.size = len(self._view)

    def section(self, first, size):
        """Returns some of the bytes as a `Section`; nothing is copied until it is sent."""
        return BytesSection(self._view[first : first + size])

    def check_unchanged(self):
        """Does nothing: whoever changes a buffer while it is uploaded is on his own."""


class FileBody:
    """A regular file, from its first byte on."""

    def __init__(self, descriptor, name):
        self.name = name
        self._descriptor = descriptor
        self._state = self._look()
        self.size = self._state[0]

    def section(self, first, size):
        """Returns some of the file as a `Section`; several may be read at once."""
        return Section(lambda start, amount: os.pread(self._descriptor, amount, start), first, size)

    def check_unchanged(self):
        """Raises an error when the file was written to since the upload began: its parts would not fit together."""
        if self._look() != self._state:
            raise ObjectSaveException("it was changed while it was being uploaded")

    def _look(self):
        state = os.fstat(self._descriptor)
        return state.st_size, state.st_mtime_ns


class StreamBody:
    """Blocks of bytes that pass once, in order; how many is known at the end."""

    name = "a stream"
    size = None

    def __init__(self, blocks):
        self._blocks = iter(blocks)
        self._rest = b""

    def take(self, size):
        """Returns the next `size` bytes, fewer only at the end of the stream."""
        taken, length = [self._rest], len(self._rest)
        while length < size:
            block = next(self._blocks, None)
            if block is None:
                break
            taken.append(bytes(block) if not isinstance(block, bytes) else block)
            length += len(block)
        whole = b"".join(taken)
        self._rest = whole[size:]
        return whole[:size]

    def check_unchanged(self):
        """Does nothing: what has passed cannot change."""


@contextmanager
def opened(data):
    """Yields what is to be uploaded as a `BytesBody`, a `FileBody` or a `StreamBody`, and closes what it opened.

    Args:
        data: bytes (or another buffer); the path of a file; a binary file, which is read from its start where it can
            be rewound; or an iterable of bytes.

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


def _file(path):
    try:
        return open(path, "rb")
    except OSError as error:
        raise ObjectSaveException(f"it cannot be opened: {error.strerror}", source=str(path)) from error


def _file_body(file, name):
    if not file.seekable():
        return StreamBody(_blocks_of(file))
    if file.writable():
        file.flush()
    return FileBody(file.fileno(), name)


def _blocks_of(file):
    if isinstance(file, io.TextIOBase):
        raise TypeError("an upload takes a file that is opened in binary mode")
    if file.seekable():
        file.seek(0)
    while block := file.read(READ_BLOCK):
        yield block
