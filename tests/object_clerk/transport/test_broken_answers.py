"""Answers that are no object, break, stop or drip: each ends soon, and takes little memory."""

import threading
import time
import tracemalloc
from contextlib import closing, contextmanager
from types import SimpleNamespace

import pytest
from botocore.config import Config
from botocore.exceptions import (
    ConnectionClosedError,
    HTTPClientError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.httpsession import get_cert_path

from tasks.object_clerk.errors import DeadlineException
from tasks.object_clerk.failures import BODY_ERRORS
from tasks.object_clerk.parts import MIB
from tasks.object_clerk.transport.connections import Connections
from tasks.utils.deadline import Deadline
from tests.object_clerk.transport.prepared import request
from tests.support.server import OK, reset, served


def flood(head, block=bytes(MIB), most=1024):
    """Send an answer of a gigabyte, or until the connection is closed."""

    def answer(connection, _):
        connection.sendall(head)
        for _ in range(most):
            connection.sendall(block)

    return answer


@contextmanager
def memory_at_most(size):
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size


HUGE = b"HTTP/1.1 500 No\r\nContent-Length: 99999999999\r\n\r\n"
CHUNKED = b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n"
FLOODS = {
    "a length": flood(HUGE),
    "a length beyond all memory": flood(HUGE.replace(b"\r\n\r\n", b"9" * 9 + b"\r\n\r\n")),
    "no length": flood(b"HTTP/1.1 500 No\r\n\r\n"),
    "chunks": flood(CHUNKED, b"100000\r\n" + bytes(MIB) + b"\r\n"),
    "small chunks": flood(CHUNKED, (b"10\r\n" + bytes(16) + b"\r\n") * 20_000),
    "one chunk": flood(CHUNKED + b"ffffffffffffffff\r\n"),
}


@pytest.mark.parametrize("answer", FLOODS.values(), ids=FLOODS)
def test_body_that_is_no_object_is_cut_off_and_its_connection_closed(connections, answer):
    with served(answer, OK) as server:
        with memory_at_most(8 * MIB):
            assert connections.send(request(server.url)).content == bytes(MIB)
        assert connections.send(request(server.url)).content == b"bytes"
        assert server.connections == 2


@pytest.mark.parametrize("size", [b"-1", b"-5", b"x"])
def test_chunk_with_an_invalid_size_is_an_error_and_is_not_read(connections, size):
    with served(flood(CHUNKED + size + b"\r\n"), OK) as server:
        with memory_at_most(8 * MIB), closing(connections.send(request(server.url))) as answer:
            with pytest.raises(ResponseStreamingError):
                answer.read(10)
        assert connections.send(request(server.url)).content == b"bytes"


def silent(*_):
    threading.Event().wait(1)


def cut_headers(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")
    connection.close()


FAILURES = {
    "silence": (silent, ReadTimeoutError),
    "an end": (lambda connection, _: connection.close(), ConnectionClosedError),
    "nonsense": (b"what?\r\n\r\n", ConnectionClosedError),
    "a reset": (lambda connection, _: reset(connection), ConnectionClosedError),
    "headers without end": (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000 + b"\r\n", ConnectionClosedError),
    "one header without end": (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n", ConnectionClosedError),
    "a header without a name": (b"HTTP/1.1 200 OK\r\nwhat?\r\n\r\n", ConnectionClosedError),
    "an end within the headers": (cut_headers, ConnectionClosedError),
    "interim answers without end": (flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), ConnectionClosedError),
    "a length of too many digits": (
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        HTTPClientError,
    ),
}


@pytest.mark.parametrize(("answer", "error"), FAILURES.values(), ids=FAILURES)
def test_failure_is_botocores_error_and_the_next_request_passes(connections, answer, error):
    with served(answer, OK) as server:
        with pytest.raises(error):
            connections.send(request(server.url))
        assert connections.send(request(server.url)).content == b"bytes"


@pytest.mark.parametrize(
    "rest",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nby",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nby",
    ],
    ids=["in chunks", "at once"],
)
def test_body_that_ends_early_is_an_error(connections, rest):
    def cut(connection, _):
        connection.sendall(rest)
        connection.close()

    with served(cut, OK) as server:
        answer = connections.send(request(server.url))
        with pytest.raises(BODY_ERRORS):
            assert answer.content == b"whole"
        assert connections.send(request(server.url)).content == b"bytes"


def test_body_that_stops_half_way_is_an_error(connections):
    def stop(connection, _):
        connection.sendall(OK[:-2])
        silent()

    with served(stop) as server:
        answer = connections.send(request(server.url))
        with pytest.raises(ResponseStreamingError):
            answer.readinto(bytearray(5))
        answer.close()


@contextmanager
def patient_connections(seconds):
    """Connections that wait for a minute, and a deadline that comes sooner."""
    connections = Connections(Config(connect_timeout=60, read_timeout=60), get_cert_path(True))
    began = time.monotonic()
    deadline = Deadline(began + seconds)
    try:
        yield SimpleNamespace(send=lambda asked: Limited(deadline.limit(lambda: connections.send(asked)), deadline))
    finally:
        connections.close()
    assert time.monotonic() - began < 20


class Limited:
    """An answer that is read by a deadline."""

    def __init__(self, answer, deadline):
        self._answer = answer
        self._deadline = deadline
        self.close = answer.close

    @property
    def content(self):
        return self._deadline.limit(lambda: self._answer.content)

    def readinto(self, buffer):
        return self._deadline.limit(lambda: self._answer.readinto(buffer))


def until_the_end(*_):
    threading.Event().wait(60)


def test_server_that_says_nothing_is_left_when_time_is_up():
    with served(until_the_end) as server, patient_connections(0.2) as connections:
        with pytest.raises(ReadTimeoutError):
            connections.send(request(server.url))


def test_body_that_stops_coming_is_left_when_time_is_up():
    def stop(connection, _):
        connection.sendall(OK[:-2])
        until_the_end()

    with served(OK, stop) as server, patient_connections(0.5) as connections:
        # A connection that was opened with more time has the same deadline.
        assert connections.send(request(server.url)).content == b"bytes"
        answer = connections.send(request(server.url))
        with pytest.raises(ResponseStreamingError):
            answer.readinto(bytearray(5))
        answer.close()


def dripping(head, drop):
    """An answer that gets some bytes every few milliseconds, for ever: no single wait is long."""

    def answer(connection, _):
        connection.sendall(head)
        while True:
            connection.sendall(drop)
            threading.Event().wait(0.01)

    return answer


DRIPS = {
    "status": dripping(b"", b"H"),
    "headers": dripping(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
    "one header": dripping(b"HTTP/1.1 200 OK\r\nx: ", b"y"),
    "interim answer": dripping(b"HTTP/1.1 100 Continue\r\n", b"x: y\r\n"),
    "body": dripping(HUGE, b"y"),
    "chunks": dripping(CHUNKED, b"1\r\ny\r\n"),
    "the size of a chunk": dripping(CHUNKED, b"0"),
    "trailers": dripping(CHUNKED + b"0\r\n", b"x: y\r\n"),
}


@pytest.mark.parametrize("read", ["content", "into memory"])
@pytest.mark.parametrize("answer", DRIPS.values(), ids=DRIPS)
def test_answer_that_drips_is_left_when_time_is_up(answer, read):
    began = time.monotonic()
    with served(answer) as server, patient_connections(0.1) as connections:
        with pytest.raises((ReadTimeoutError, ResponseStreamingError)):
            with closing(connections.send(request(server.url))) as dripped:
                assert dripped.content if read == "content" else dripped.readinto(bytearray(MIB))
    # For a second, bytes that have arrived are still read.
    assert time.monotonic() - began < 5


def test_body_that_a_server_does_not_read_ends_at_the_deadline():
    with served(until_the_end) as server, patient_connections(0.5) as connections:
        body = memoryview(bytes(64 << 20))
        with pytest.raises(ReadTimeoutError):
            connections.send(request(server.url, "PUT", body=body, **{"Content-Length": str(len(body))}))


def test_body_is_not_begun_when_time_is_up():
    with served(OK) as server, patient_connections(0.0) as connections:
        with pytest.raises(DeadlineException, match="time ran out while a body was sent"):
            connections.send(request(server.url, "PUT", body=memoryview(bytes(MIB)), **{"Content-Length": str(MIB)}))
