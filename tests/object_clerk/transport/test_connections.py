"""Connections send requests and bodies, read the answers, and are used again."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.config import Config
from botocore.exceptions import (
    EndpointConnectionError,
    HTTPClientError,
    SSLError,
)
from botocore.httpsession import get_cert_path

from tasks.object_clerk.parts import MIB
from tasks.object_clerk.transport.connections import Connections
from tests.object_clerk.transport.prepared import request
from tests.support.server import AUTHORITY, OK, served


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


def test_content_can_be_read_twice(connections):
    with served(OK) as server:
        answer = connections.send(request(server.url))
        assert (answer.content, answer.content) == (b"bytes", b"bytes")


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
