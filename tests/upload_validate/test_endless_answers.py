"""GitHub, the council service and the webhook may answer at any length and at any speed."""

import gzip
import threading
import time
import tracemalloc
import zlib

import pytest

from tasks.upload_validate.errors import ReporterError, ServiceFailedError
from tasks.upload_validate.reporters import http as http_module
from tasks.upload_validate.reporters.councils import council_name
from tasks.upload_validate.reporters.http import HttpClient
from tasks.upload_validate.reporters.webhook import Webhook
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy
from tests.upload_validate.loopback import raw
from tests.upload_validate.outside_calls import KEY, MEGABYTE, ONCE, base

BOMB = gzip.compress(bytes(48 * MEGABYTE))
ENDLESS = b"x" * 65_536
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def endless(head):
    return raw(b"HTTP/1.1 " + head, *[ENDLESS] * 800)


FLOODS = {
    "a body": endless(b"200 OK\r\nContent-Length: 99999999\r\n\r\n"),
    "a body without length": endless(b"200 OK\r\n\r\n"),
    "a chunk": endless(b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n"),
    "many chunks": raw(CHUNKED, *[b"10\r\n0123456789abcdef\r\n" * 3_000] * 800),
    "a chunk's size": endless(b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "trailers": raw(CHUNKED + b"0\r\n", *[b"a: 0123456789abcdef\r\n" * 3_000] * 800),
    "a header": endless(b"200 OK\r\na: "),
    "headers": raw(b"HTTP/1.1 200 OK\r\n", *[b"a: b\r\n" * 9_000] * 800),
    "a status": endless(b""),
    "interim answers": raw(*[b"HTTP/1.1 100 Continue\r\na: %s\r\n\r\n" % (b"b" * 200) * 300] * 800),
    "zipped": raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB), BOMB),
    "zipped twice": raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\n\r\n", gzip.compress(BOMB)),
    "deflated": raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n", zlib.compress(bytes(32 * MEGABYTE))),
    "a redirect": raw(b"HTTP/1.1 302 x\r\nLocation: /x\r\nContent-Encoding: gzip\r\n\r\n", BOMB),
    "an error": endless(b"500 no\r\n\r\n"),
    "an error that is zipped": raw(b"HTTP/1.1 400 no\r\nContent-Encoding: gzip\r\n\r\n", BOMB),
}


@pytest.fixture(name="memory")
def memory_that_is_used():
    """Return the peak of Python's memory in bytes since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_answer_without_end_is_given_up_in_little_memory(server, memory, flood):
    server.line = [flood] * 9
    before = memory()
    began = time.monotonic()
    try:
        ONCE.send("GET", server.url).json()
        raise AssertionError("it was taken for an answer")
    except ReporterError as error:
        assert len(str(error)) < 500
    assert memory() - before < 8 * MEGABYTE
    assert time.monotonic() - began < 5


def drip(kind):
    """Answer byte by byte, each in time."""

    def answer(handler):
        handler.wfile.write(kind)
        for _ in range(1_000):
            if handler.server.over.wait(0.03):
                return
            try:
                handler.wfile.write(b"x" if b"\r\n" in kind else b"HTTP/1.1 100 Continue\r\n\r\n")
            except OSError:
                return

    return answer


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("kind", [OK + b"Content-Length: 9999\r\n\r\n", b"HTTP/1.1 500 no\r\n\r\n", OK + b"a: ", b""])
def test_answer_that_drips_ends_with_its_call_and_leaves_no_thread(server, monkeypatch, kind):
    monkeypatch.setattr(http_module, "LEAST_SECONDS", 0.1)
    server.over, server.line = threading.Event(), [drip(kind)]
    before = set(threading.enumerate())
    began = time.monotonic()
    with pytest.raises(ServiceFailedError):
        HttpClient(RetryPolicy(tries=1), Deadline(began + 0.3)).send("GET", server.url)
    assert time.monotonic() - began < 2
    ours = [thread for thread in set(threading.enumerate()) - before if "work" in thread.name]
    for thread in ours:
        thread.join(2)
    left = [thread for thread in ours if thread.is_alive()]
    server.over.set()
    assert left == []


def test_call_does_not_last_as_long_as_an_invocation(server, monkeypatch):
    monkeypatch.setattr("tasks.upload_validate.reporters.http.LONGEST_CALL", 0.3, raising=False)
    monkeypatch.setattr(http_module, "LEAST_SECONDS", 0.1)
    server.over, server.line = threading.Event(), [drip(b"HTTP/1.1 200 OK\r\n")]
    began = time.monotonic()
    with pytest.raises(ServiceFailedError):
        HttpClient(RetryPolicy(tries=1), Deadline(began + 900)).send("GET", server.url)
    server.over.set()
    assert time.monotonic() - began < 2


def test_council_service_that_does_not_answer_leaves_time_for_the_set(server, monkeypatch):
    monkeypatch.setattr("tasks.upload_validate.reporters.councils.LOOKUP_SECONDS", 0.3, raising=False)
    monkeypatch.setattr(http_module, "LEAST_SECONDS", 0.1)
    server.over, server.line = threading.Event(), [drip(b"HTTP/1.1 200 OK\r\n")]
    began = time.monotonic()
    assert council_name(HttpClient(RetryPolicy(tries=4), Deadline(began + 8)), base(server), "E07") == "E07"
    server.over.set()
    assert time.monotonic() - began < 2


def test_webhook_with_an_endless_body_does_not_delay_the_set(server, monkeypatch):
    monkeypatch.setattr(http_module, "LEAST_SECONDS", 0.1)
    server.over, server.line = threading.Event(), [drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")]
    began = time.monotonic()
    assert Webhook(HttpClient(ONCE.policy, Deadline(began + 3)), server.url, KEY).post({"digest": "d"}) == 200
    server.over.set()
    assert time.monotonic() - began < 2
