import socket
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from types import SimpleNamespace

import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)
from botocore.httpsession import get_cert_path

from tasks.object_clerk.errors import DeadlineException
from tasks.object_clerk.failures import BODY_ERRORS
from tasks.object_clerk.parts import MIB
from tasks.object_clerk.transport.connections import Connections
from tasks.utils.deadline import Deadline
from tests.support.server import AUTHORITY, OK, reset, served


@pytest.fixture(name="connections")
def make_connections():
    connections = Connections(Config(connect_timeout=2, read_timeout=0.3), get_cert_path(True))
    yield connections
    connections.close()


def request(url, method="GET", path="/key?versionId=1", body=None, **headers):
    return AWSRequest(method, url + path, headers, body).prepare()


def test_answer_has_status_headers_and_body(connections):
    with served(b"HTTP/1.1 206 Partial\r\nContent-Length: 5\r\nETag: x\r\n\r\nbytes") as server:
        answer = connections.send(request(server.url))
        assert (answer.status_code, answer.headers["etag"], answer.content) == (206, "x", b"bytes")
        assert server.requests[0].startswith(b"GET /key?versionId=1 HTTP/1.1\r\n")


def test_answer_with_five_hundred_headers_is_read(connections):
    # 2 KB of metadata may be five hundred headers; http.client takes a hundred.
    metadata = b"".join(b"x-amz-meta-%d: %d\r\n" % (number, number) for number in range(500))
    with served(b"HTTP/1.1 200 OK\r\n" + metadata + b"Content-Length: 0\r\n\r\n") as server:
        answer = connections.send(request(server.url))
        assert [answer.headers[f"X-Amz-Meta-{number}"] for number in range(500)] == [str(n) for n in range(500)]
        assert answer.content == b""


def test_interim_answer_is_skipped(connections):
    with served(b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\n" + OK) as server:
        answer = connections.send(request(server.url))
        assert (answer.status_code, answer.headers.get("x"), answer.content) == (200, None, b"bytes")


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_body_without_a_length_ends_with_the_connection(connections, version):
    def answer_and_close(connection, _):
        connection.sendall(b"HTTP/%s 200 OK\r\n\r\nall of it" % version)
        connection.close()

    with served(answer_and_close, OK) as server:
        assert connections.send(request(server.url)).content == b"all of it"
        assert connections.send(request(server.url)).content == b"bytes"


def test_answer_to_head_has_no_body_whatever_length_it_names(connections):
    with served(OK.removesuffix(b"bytes")) as server:
        for _ in range(2):
            answer = connections.send(request(server.url, "HEAD"))
            assert (answer.headers["content-length"], answer.content) == ("5", b"")
        assert server.connections == 1


def test_request_names_its_host_and_has_its_headers_in_bytes(connections):
    with served(OK) as server:
        connections.send(request(server.url, "PUT", body=b"body", Title="Grüße".encode())).close()
    head = server.requests[0]
    assert head.startswith(b"PUT /key?versionId=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert "\r\nTitle: Grüße\r\n".encode() in head
    assert head.count(b"Content-Length: 4\r\n") == 1


def test_next_request_takes_the_same_connection(connections):
    with served(OK) as server:
        for _ in range(3):
            assert connections.send(request(server.url)).content == b"bytes"
        assert server.connections == 1


def test_body_is_read_into_memory_and_then_the_connection_is_free(connections):
    with served(OK) as server:
        for _ in range(2):
            answer, memory = connections.send(request(server.url)), bytearray(8)
            assert answer.raw.readinto(memory) == 5
            assert memory == b"bytes\0\0\0"
        assert server.connections == 1
        assert answer.raw.readinto(memory) == 0
        assert answer.raw.read() == b""
        answer.raw.close()


def test_connection_with_an_answer_that_was_not_read_is_not_used_again(connections):
    with served(OK) as server:
        connections.send(request(server.url)).close()
        assert connections.send(request(server.url)).content == b"bytes"
        assert server.connections == 2


def test_connection_that_the_server_closed_meanwhile_is_not_used(connections):
    closed = threading.Event()

    def answer_and_close(connection, _):
        connection.sendall(OK)
        connection.close()
        closed.set()

    with served(answer_and_close, OK) as server:
        assert connections.send(request(server.url)).content == b"bytes"
        assert closed.wait(5)
        assert connections.send(request(server.url)).content == b"bytes"
        assert server.connections == 2


def test_connection_that_the_server_announced_to_close_is_not_used_again(connections):
    with served(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nbytes", OK) as server:
        assert connections.send(request(server.url)).content == b"bytes"
        assert connections.send(request(server.url)).content == b"bytes"
        assert server.connections == 2


def test_threads_do_not_get_each_others_answers(connections):
    def ask(number):
        return connections.send(request(server.url, path=f"/{number}")).content

    with served(repeating) as server, ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(400))) == [b"/%d" % number for number in range(400)]
        assert server.connections <= 16


def repeating(connection, head):
    path = head.split()[1]
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))


def test_body_is_sent_without_an_interim_answer(connections):
    taken = []

    def take(connection, _):
        taken.append(connection.recv(5, socket.MSG_WAITALL))
        connection.sendall(OK)

    with served(take) as server:
        assert connections.send(request(server.url, "PUT", body=memoryview(b"taken"))).content == b"bytes"
    assert taken == [b"taken"]


def test_body_may_take_longer_than_the_time_out_while_the_server_reads_it():
    connections, size = Connections(Config(read_timeout=2), get_cert_path(True)), 32 * MIB

    def take_slowly(connection, _):
        for _ in range(size // MIB):
            connection.recv(MIB, socket.MSG_WAITALL)
            # More than two seconds in all, which is longer than the time-out.
            threading.Event().wait(0.1)
        connection.sendall(OK)

    with served(take_slowly) as server:
        assert connections.send(request(server.url, "PUT", body=memoryview(bytes(size)))).content == b"bytes"
    connections.close()


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


def test_content_can_be_read_twice(connections):
    with served(OK) as server:
        answer = connections.send(request(server.url))
        assert (answer.content, answer.content) == (b"bytes", b"bytes")


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


def test_absent_server_is_a_connection_error(connections):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(EndpointConnectionError, match=f"http://127.0.0.1:{port}"):
        connections.send(request(f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize("value", ["two\r\nlines", "two\nlines", "two\rlines"])
def test_header_with_a_line_break_is_refused(connections, value):
    with served(OK) as server, pytest.raises(HTTPClientError, match="Invalid header value: it holds a line break"):
        connections.send(request(server.url, Metadata=value))
    assert not server.requests


@pytest.fixture(name="bundle")
def bundle_of_the_authority(tmp_path):
    AUTHORITY.cert_pem.write_to_path(tmp_path / "authority.pem")
    return str(tmp_path / "authority.pem")


def test_tls_carries_requests_and_bodies(bundle):
    connections = Connections(Config(), bundle)
    with served(OK, certificate=AUTHORITY.issue_cert("127.0.0.1")) as server:
        for _ in range(2):
            assert connections.send(request(server.url)).content == b"bytes"
        assert server.connections == 1
    connections.close()


@pytest.mark.parametrize("trusted", [True, False], ids=["for another host", "of an unknown issuer"])
def test_certificate_is_refused(bundle, trusted):
    connections = Connections(Config(), bundle if trusted else get_cert_path(True))
    name = "other.example" if trusted else "127.0.0.1"
    with served(OK, certificate=AUTHORITY.issue_cert(name)) as server:
        with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED|doesn't match"):
            connections.send(request(server.url))
    assert not server.requests
