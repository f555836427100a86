"""Answers of a server, which may send anything, as slowly as it likes.

Each read ends by the deadline of its thread. Interim answers, headers, and bodies of XML or JSON end at a limit.
http.client would read headers as those of an e-mail, which takes several times as long.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from botocore.exceptions import ResponseStreamingError

from tasks.utils.deadline import is_time_up, limit_timeout

# S3 answers with at most 8 KB of an object's own headers, and with some of its own.
HEADERS_LIMIT = 64 * 1024

# Bytes of a body that is no object. An error, or the answer to a write, has less than 1 KiB, a DynamoDB item 400 KB.
CONTENT_LIMIT = 1024 * 1024
PIECE = 16 * 1024

# A server sends "100 Continue" once, if at all.
INTERIM_ANSWERS = 8

# Reads of one answer after the deadline, 0.05 s each at most. For a second, bytes that have arrived are still read.
LATE_READS = 20

# Seconds that a wait for the server may last beyond the deadline, so that not every read sets a time-out of its own.
SLACK = 0.1

Read = TypeVar("Read")


class Answer:
    """An answer, as botocore's `AWSResponse` has it.

    Attributes:
        status_code: the status.
        headers: the headers, whose names compare without case.
        raw: the body, to be read and closed: this object itself.
    """

    def __init__(self, response: _Response, connection: Any, idle: deque[Any]) -> None:
        self.status_code = response.status
        self.headers = response.headers
        self.raw = self
        self._response = response
        self._connection = connection
        self._idle = idle
        self._content: bytes | None = None

    @property
    def content(self) -> bytes:
        """The body of an answer that is no object, at most `CONTENT_LIMIT` bytes of it.

        After that the connection is free again, or closed if the body is longer.
        """
        if self._content is None:
            try:
                self._content = self._read_content()
            finally:
                self.close()
        return self._content

    def _read_content(self) -> bytes:
        content, piece = bytearray(), memoryview(bytearray(PIECE))
        while size := self.readinto(piece[: CONTENT_LIMIT - len(content)]):
            content += piece[:size]
        missing = self._response.length
        if missing and len(content) < CONTENT_LIMIT:
            raise ResponseStreamingError(error=http.client.IncompleteRead(bytes(content), missing))
        return bytes(content)

    def read(self, amount: int | None = None) -> bytes:
        """Return the next bytes of the body: `amount` of them, fewer at its end, or by default all that are left."""
        return self._reading(self._response.read, amount)

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer with the next bytes of the body, and return their number."""
        return self._reading(self._response.readinto, buffer)

    def close(self) -> None:
        """Return the connection for the next request, or close it if some of the body was not read.

        The read of the last byte does the same.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._response.isclosed() and not self._response.will_close:
            self._idle.append(connection)
        else:
            self._response.close()
            connection.close()

    def _reading(self, read: Callable[[Any], Read], argument: Any) -> Read:
        try:
            return read(argument)
        except (http.client.HTTPException, OSError) as error:
            # The connection holds the rest of this answer.
            self._response.will_close = True
            raise ResponseStreamingError(error=error) from error
        finally:
            if self._response.isclosed():
                self.close()


class _Bytes(io.RawIOBase):
    """The bytes that a server sends. Each wait for them ends by the deadline."""

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        super().__init__()
        self._sock = sock
        self._timeout = timeout
        self._late_reads = 0

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return itself with a buffer. http.client calls this method of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Return True: there is something to read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with bytes that have arrived, and return their number, 0 at the end."""
        self._late_reads += is_time_up()
        if self._late_reads > LATE_READS:
            raise TimeoutError("time ran out while an answer was read")
        limit_wait(self._sock, self._timeout)
        return self._sock.recv_into(buffer)


class _Response(http.client.HTTPResponse):  # pylint: disable=too-many-instance-attributes  # http.client's
    """An answer whose headers are read as HTTP has them, not as an e-mail does."""

    def begin(self) -> None:
        """Read the status and the headers. http.client's methods then read the body by the attributes set here."""
        for _ in range(INTERIM_ANSWERS):
            version, status, self.reason = self._read_status()  # type: ignore[attr-defined]  # private in http.client
            headers = _read_headers(self.fp)
            if status != HTTPStatus.CONTINUE:
                break
        else:
            raise http.client.HTTPException(f"{INTERIM_ANSWERS} interim answers came, and no other")
        self.status = status
        self.version = 10 if version == "HTTP/1.0" else 11
        self.headers = self.msg = headers
        self.chunked, self.chunk_left = headers.get("transfer-encoding", "").lower() == "chunked", None
        length = headers.get("content-length", "")
        self.length = int(length) if length.isdecimal() and not self.chunked else None
        # The next attributes are private in http.client.
        if self._method == "HEAD" or status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):  # type: ignore[attr-defined]  # see above
            self.length = 0
        # A body of unknown length ends with the connection.
        self.will_close = self._check_close() or (self.length is None and not self.chunked)  # type: ignore[attr-defined]  # see above

    def _read_next_chunk_size(self) -> int:
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]  # private in http.client
        if size < 0:
            # http.client takes -1 for "all that comes".
            raise ValueError("the size of a chunk is negative")
        return size


def read_response(sock: Any, *, method: str, timeout: float) -> _Response:
    """Read the status and the headers of the answer to a request of this method."""
    # _Bytes has the one method of a socket that http.client calls.
    response = _Response(_Bytes(sock, timeout), method=method)  # type: ignore[arg-type]  # see above
    try:
        response.begin()
    except BaseException:
        response.close()
        raise
    return response


def _read_headers(stream: Any) -> http.client.HTTPMessage:
    headers, left = http.client.HTTPMessage(), HEADERS_LIMIT
    while line := stream.readline(left + 1).decode("latin-1"):
        left -= len(line)
        if left < 0:
            raise http.client.HTTPException(f"the headers of an answer are longer than {HEADERS_LIMIT} bytes")
        if line in ("\r\n", "\n"):
            return headers
        name, colon, value = line.partition(":")
        if not colon:
            raise http.client.HTTPException("an answer has a header without a name")
        headers.set_raw(name, value.strip())
    raise http.client.HTTPException("the connection ended within the headers of an answer")


def limit_wait(sock: Any, timeout: float) -> None:
    """Make the next wait for the server end by the deadline, so that a silent server cannot hold the function."""
    seconds = limit_timeout(timeout)
    # Setting it is a system call, during which another thread takes the interpreter's lock.
    if not seconds <= sock.gettimeout() <= seconds + SLACK:
        sock.settimeout(seconds)
