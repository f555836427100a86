"""Outside services that fail: time-outs, refusals, limits, and lost answers."""

import json
import socket
import struct
import threading
import time
from contextlib import contextmanager

import pytest
import requests
import sentry_sdk

from tasks.object_clerk.errors import DeadlineException
from tasks.upload_validate.api_keys import KeyRing
from tasks.upload_validate.errors import AnswerLostError, RefusedError, ServiceFailedError
from tasks.upload_validate.messages import Issue
from tasks.upload_validate.reporters import http as http_module
from tasks.upload_validate.reporters.http import HttpClient
from tasks.upload_validate.reporters.sentry import Sentry
from tasks.upload_validate.reporters.ses_mail import SesMail
from tasks.upload_validate.reporters.webhook import Webhook
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy
from tests.upload_validate.test_ses_mail import MAIL, Ses

QUICK = HttpClient(RetryPolicy(tries=3))
KEY = KeyRing(None, None).key("github-key")
ISSUE = Issue("Import E01-Adur for 2025", "EMS: unknown\nFiles:\n- `a`", ("Data Import", "ready"), "<!-- mark -->")


@contextmanager
def slept(monkeypatch):
    waits = []
    monkeypatch.setattr(http_module.time, "sleep", waits.append)
    yield waits


def test_webhook_gets_the_report_with_its_key(server):
    assert Webhook(QUICK, server.url, KEY).post({"digest": "d", "gss": "é"}) == 200
    ((method, _, headers, body),) = server.received
    assert (method, json.loads(body)) == ("POST", {"digest": "d", "gss": "é"})
    assert headers["Authorization"] == "Token github-key"
    assert (headers["Content-Type"], headers["Idempotency-Key"]) == ("application/json", "d")


@pytest.mark.parametrize("status", [500, 501, 503, 505, 429, 408])
def test_call_that_was_not_carried_out_is_repeated(server, status):
    server.line = [(status, {}, b"later"), (status, {}, b"later")]
    assert QUICK.send("POST", server.url, json={}).status == 200
    assert len(server.received) == 3


@pytest.mark.parametrize("status", [502, 504, 520, 524])
def test_answer_of_a_gateway_does_not_say_whether_the_call_was_done(server, status):
    server.line = [(status, {}, b"bad gateway")]
    with pytest.raises(AnswerLostError, match=f"{status} bad gateway"):
        QUICK.send("POST", server.url, json={})
    assert len(server.received) == 1
    server.line = [(status, {}, b"bad gateway")]
    assert QUICK.send("GET", server.url).status == 200


def test_service_that_stays_down_fails_for_now(server):
    server.line = [(503, {}, b"down")] * 3
    with pytest.raises(ServiceFailedError, match="503 down") as raised:
        QUICK.send("POST", server.url, json={})
    assert (raised.value.transient, len(server.received)) == (True, 3)


@pytest.mark.parametrize("status", [400, 403, 404, 410, 422])
def test_call_that_is_refused_is_not_repeated(server, status):
    server.line = [(status, {}, b"no")]
    with pytest.raises(RefusedError, match=f"{status} no") as raised:
        QUICK.send("POST", server.url, json={})
    assert (raised.value.transient, len(server.received)) == (False, 1)


REDIRECTS = pytest.mark.parametrize("status", [301, 302, 303, 307, 308])


@REDIRECTS
def test_redirected_post_is_not_made_elsewhere(server, status):
    server.line = [(status, {"Location": "/elsewhere?token=secret"}, b"no")]
    with pytest.raises(RefusedError, match=f"{status}, redirected to http://127.0.0.1:[0-9]+, which") as raised:
        QUICK.send("POST", server.url, json={}, key=KEY)
    assert (raised.value.transient, len(server.received)) == (False, 1)
    assert "secret" not in str(raised.value)


@REDIRECTS
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_key_does_not_follow_a_redirect_to_another_server(server, other_server, method, host, status):
    location = other_server.url.replace("127.0.0.1", host)
    server.line = [(status, {"Location": f"{location}?token=secret"}, b"")]
    with pytest.raises(RefusedError, match=f"redirected to http://{host}:{other_server.server_port}, which") as raised:
        QUICK.send(method, server.url, key=KEY)
    assert (len(server.received), other_server.received) == (1, [])
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "location", ["https://127.0.0.1:{port}/x", "http://localhost:{port}/x", "http://[::1/x", "http://h:p/x", "ftp://x"]
)
def test_redirected_get_is_not_followed_to_another_scheme_or_host(server, location):
    server.line = [(302, {"Location": location.format(port=server.server_port)}, b"")]
    with pytest.raises(RefusedError, match=f"^GET http://127.0.0.1:{server.server_port}: 302, "):
        QUICK.send("GET", server.url, key=KEY)
    assert len(server.received) == 1


@REDIRECTS
def test_redirected_get_follows_on_the_same_server_with_its_key(server, status):
    server.line = [(status, {"Location": "/elsewhere?page=2"}, b"")]
    assert QUICK.send("GET", server.url, params={"page": "1"}, key=KEY).status == 200
    assert [path for _, path, _, _ in server.received] == ["/hook?page=1", "/elsewhere?page=2"]
    assert [headers["Authorization"] for _, _, headers, _ in server.received] == ["Token github-key"] * 2


def test_get_with_endless_redirects_is_refused(server):
    server.line = [(302, {"Location": "/hook"}, b"")] * 20
    with pytest.raises(RefusedError, match="302"):
        QUICK.send("GET", server.url)
    assert len(server.received) == 6


def test_answer_that_is_late_is_lost_and_its_call_is_not_repeated(server, monkeypatch):
    monkeypatch.setattr(http_module, "TIMEOUT", (1, 0.05))
    over = threading.Event()
    server.line = [lambda _: over.wait(10)]
    with pytest.raises(AnswerLostError, match="ReadTimeout"):
        QUICK.send("POST", server.url, json={})
    over.set()
    assert len(server.received) == 1


def test_connection_that_breaks_after_a_call_went_out_is_an_answer_lost(server):
    server.line = [lambda handler: handler.connection.close()]
    with pytest.raises(AnswerLostError, match="ConnectionError"):
        QUICK.send("POST", server.url, json={})
    assert len(server.received) == 1


def reset_connection(handler):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # The files made of the connection keep it open, too.
    for held in (handler.wfile, handler.rfile, handler.connection):
        held.close()


def test_connection_that_is_reset_after_a_call_went_out_is_an_answer_lost(server):
    server.line = [reset_connection]
    with pytest.raises(AnswerLostError, match="ConnectionError"):
        QUICK.send("POST", server.url, json={})
    assert len(server.received) == 1


def silent(over):
    return lambda _: over.wait(10)


def dripping(over):
    """Answer byte by byte, each faster than any time-out."""

    def answer(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not over.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    return answer


@pytest.mark.parametrize("kind", [silent, dripping])
@pytest.mark.parametrize("method, error", [("POST", AnswerLostError), ("GET", ServiceFailedError)])
def test_silent_server_does_not_carry_a_call_over_the_deadline(server, monkeypatch, kind, method, error):
    monkeypatch.setattr(http_module, "LEAST_SECONDS", 0.1)
    over = threading.Event()
    server.line = [kind(over)]
    began = time.monotonic()
    with pytest.raises(error):
        HttpClient(RetryPolicy(tries=3), Deadline(began + 0.4)).send(method, server.url)
    took = time.monotonic() - began
    over.set()
    assert 0.35 < took < 3
    assert len(server.received) == 1


def test_waits_of_a_call_are_capped_by_the_time_that_is_left(monkeypatch):
    asked = []

    def request(*_, timeout, **__):
        asked.append(timeout)
        raise requests.ConnectTimeout()

    monkeypatch.setattr(http_module.requests.Session, "request", request)
    for left in (8, 1000):
        with pytest.raises(ServiceFailedError):
            HttpClient(RetryPolicy(tries=1), Deadline(time.monotonic() + left)).send("POST", "http://127.0.0.1:1/")
    assert asked[0] == (pytest.approx(2, abs=0.5), pytest.approx(8, abs=2))
    assert asked[1:] == [http_module.TIMEOUT]


def test_call_that_cannot_end_in_time_is_not_begun(server):
    deadline = Deadline(time.monotonic() + 1)
    with pytest.raises(DeadlineException) as raised:
        HttpClient(RetryPolicy(tries=3), deadline).send("POST", server.url, json={})
    assert (raised.value.transient, server.received) == (True, [])
    with pytest.raises(DeadlineException):
        SesMail(Ses("id"), "from@example.org", "to@example.org", deadline=deadline).send(MAIL)


def test_get_with_a_lost_answer_is_repeated(server):
    server.line = [lambda handler: handler.connection.close()]
    assert QUICK.send("GET", server.url).status == 200


def test_server_that_is_down_received_nothing(server):
    with pytest.raises(ServiceFailedError, match="ConnectionError"):
        QUICK.send("POST", "http://127.0.0.1:1/hook", json={})
    assert server.received == []


def test_address_of_a_wrong_form_is_refused():
    with pytest.raises(RefusedError, match="InvalidURL"):
        QUICK.send("POST", "http://", json={})


def test_rate_limits_are_respected(server, monkeypatch):
    reset = str(int(time.time()) + 30)
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 20))
    server.line = [
        (429, {"Retry-After": "7"}, b""),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, b""),
        (403, {"Retry-After": date}, b""),
        (429, {"Retry-After": "soon"}, b""),
    ]
    with slept(monkeypatch) as waits:
        HttpClient(RetryPolicy(tries=5)).send("GET", server.url)
    assert waits[0] == 7
    assert 25 < waits[1] <= 30
    assert 15 < waits[2] <= 20
    assert waits[3] == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "9" * 5_000},
        {"Retry-After": "x" * 5_000},
        {"Retry-After": "Fri, 31 Dec 99999 23:59:59 GMT"},
        {"Retry-After": "Mon, 01 Jan 0001 00:00:00 -0000"},
        {"Retry-After": "-1"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "nan"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1e999"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "x"},
    ],
)
def test_wait_that_cannot_be_read_counts_as_no_wait(server, headers):
    server.line = [(429, headers, b"later")]
    with pytest.raises(ServiceFailedError) as raised:
        HttpClient(RetryPolicy(tries=1)).send("GET", server.url)
    assert raised.value.wait >= 0


def test_limit_that_lasts_long_is_left_to_another_delivery(server, monkeypatch):
    server.line = [(429, {"Retry-After": "3600"}, b"")]
    with slept(monkeypatch) as waits, pytest.raises(ServiceFailedError):
        QUICK.send("GET", server.url)
    assert not waits


def test_wait_that_would_end_after_the_deadline_is_not_begun(server, monkeypatch):
    server.line = [(503, {"Retry-After": "30"}, b"")]
    with slept(monkeypatch) as waits, pytest.raises(ServiceFailedError):
        HttpClient(RetryPolicy(tries=3), Deadline(time.monotonic() + 10)).send("GET", server.url)
    assert not waits


class Renewed:  # pylint: disable=too-few-public-methods  # a call uses one method of a key
    """A key that was just changed."""

    def value(self, *, refresh=False):
        return "new" if refresh else "old"


def test_key_that_is_refused_is_read_again_once(server):
    server.line = [(401, {}, b"old")]
    assert QUICK.send("GET", server.url, key=Renewed()).status == 200
    assert [headers["Authorization"] for _, _, headers, _ in server.received] == ["Token old", "Token new"]
    server.line = [(401, {}, b"no")]
    with pytest.raises(RefusedError):
        QUICK.send("GET", server.url, key=KEY)


def test_error_is_sent_to_sentry_without_the_values_of_variables():
    sent = []

    class Transport(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope):
            sent.append(envelope)

    sentry = Sentry("https://key@sentry.example/1", transport=Transport)
    try:
        secret = "hidden".upper()
        raise ValueError(f"odd {len(secret)}")
    except ValueError as error:
        sentry.capture(error)
    sentry.flush()
    # Reset to no DSN and no integrations, which would stay in this process for other tests.
    sentry_sdk.init(default_integrations=False, auto_enabling_integrations=False)
    ((item,),) = [envelope.items for envelope in sent]
    event = item.get_event()
    assert event["exception"]["values"][0]["value"] == "odd 6"
    assert "HIDDEN" not in json.dumps(event, default=str)


def test_sentry_without_a_dsn_sends_nothing():
    sentry = Sentry("")
    sentry.capture(ValueError())
    sentry.flush()
