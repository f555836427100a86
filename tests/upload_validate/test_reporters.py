"""The world outside behaving badly: time-outs, refusals, limits, and answers that do not come."""

import json
import socket
import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import boto3
import pytest
import requests
import sentry_sdk
from botocore.exceptions import ClientError, ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError

from tasks.object_clerk.errors import DeadlineException
from tasks.object_clerk.s3_requests import client_config
from tasks.upload_validate.errors import AnswerLostError, RefusedError, ServiceFailedError
from tasks.upload_validate.keys import KeyRing
from tasks.upload_validate.messages import Issue, Mail
from tasks.upload_validate.reporters import http as http_module
from tasks.upload_validate.reporters import in_time
from tasks.upload_validate.reporters.council import council_name
from tasks.upload_validate.reporters.github_issue import GithubIssue
from tasks.upload_validate.reporters.http import Http
from tasks.upload_validate.reporters.sentry import Sentry
from tasks.upload_validate.reporters.ses_email import SesEmail
from tasks.upload_validate.reporters.webhook import Webhook
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy
from tests.conftest import client_of_the_tests
from tests.support.server import AUTHORITY, served
from tests.support.server import reset as end_abruptly
from tests.upload_validate.conftest import GITHUB, REPOSITORY, mails, raw_mails

QUICK = Http(RetryPolicy(tries=3))
KEY = KeyRing(None, None).key("github-key")
ISSUE = Issue("Import E01-Adur for 2025", "EMS: unknown\nFiles:\n- `a`", ("Data Import", "ready"), "<!-- mark -->")


@contextmanager
def slept(monkeypatch):
    waits = []
    monkeypatch.setattr(http_module.time, "sleep", waits.append)
    yield waits


def test_webhook_gets_the_report_with_its_key(server):
    assert Webhook(QUICK, server.url, KEY).tell({"digest": "d", "gss": "é"}) == 200
    ((method, _, headers, body),) = server.heard
    assert (method, json.loads(body)) == ("POST", {"digest": "d", "gss": "é"})
    assert headers["Authorization"] == "Token github-key"
    assert (headers["Content-Type"], headers["Idempotency-Key"]) == ("application/json", "d")


@pytest.mark.parametrize("status", [500, 501, 503, 505, 429, 408])
def test_call_that_was_not_done_is_repeated(server, status):
    server.line = [(status, {}, b"later"), (status, {}, b"later")]
    assert QUICK.send("POST", server.url, json={}).status_code == 200
    assert len(server.heard) == 3


@pytest.mark.parametrize("status", [502, 504, 520, 524])
def test_answer_of_a_gateway_does_not_say_whether_the_call_was_done(server, status):
    server.line = [(status, {}, b"bad gateway")]
    with pytest.raises(AnswerLostError, match=f"{status} bad gateway"):
        QUICK.send("POST", server.url, json={})
    assert len(server.heard) == 1
    server.line = [(status, {}, b"bad gateway")]
    assert QUICK.send("GET", server.url).status_code == 200


def test_service_that_stays_down_fails_for_now(server):
    server.line = [(503, {}, b"down")] * 3
    with pytest.raises(ServiceFailedError, match="503 down") as raised:
        QUICK.send("POST", server.url, json={})
    assert (raised.value.transient, len(server.heard)) == (True, 3)


@pytest.mark.parametrize("status", [400, 403, 404, 410, 422])
def test_call_that_is_refused_is_not_repeated(server, status):
    server.line = [(status, {}, b"no")]
    with pytest.raises(RefusedError, match=f"{status} no") as raised:
        QUICK.send("POST", server.url, json={})
    assert (raised.value.transient, len(server.heard)) == (False, 1)


REDIRECTS = pytest.mark.parametrize("status", [301, 302, 303, 307, 308])


@REDIRECTS
def test_call_that_is_redirected_is_not_made_elsewhere(server, status):
    server.line = [(status, {"Location": "/elsewhere?token=secret"}, b"no")]
    with pytest.raises(RefusedError, match=f"{status}, redirected to http://127.0.0.1:[0-9]+, which") as raised:
        QUICK.send("POST", server.url, json={}, key=KEY)
    assert (raised.value.transient, len(server.heard)) == (False, 1)
    assert "secret" not in str(raised.value)


@REDIRECTS
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_key_does_not_follow_a_redirect_to_another_server(server, other_server, method, host, status):
    location = other_server.url.replace("127.0.0.1", host)
    server.line = [(status, {"Location": f"{location}?token=secret"}, b"")]
    with pytest.raises(RefusedError, match=f"redirected to http://{host}:{other_server.server_port}, which") as raised:
        QUICK.send(method, server.url, key=KEY)
    assert (len(server.heard), other_server.heard) == (1, [])
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "location", ["https://127.0.0.1:{port}/x", "http://localhost:{port}/x", "http://[::1/x", "http://h:p/x", "ftp://x"]
)
def test_question_is_not_followed_to_another_scheme_or_host(server, location):
    server.line = [(302, {"Location": location.format(port=server.server_port)}, b"")]
    with pytest.raises(RefusedError, match=f"^GET http://127.0.0.1:{server.server_port}: 302, "):
        QUICK.send("GET", server.url, key=KEY)
    assert len(server.heard) == 1


@REDIRECTS
def test_question_follows_a_redirect_on_the_same_server_with_its_key(server, status):
    server.line = [(status, {"Location": "/elsewhere?page=2"}, b"")]
    assert QUICK.send("GET", server.url, params={"page": "1"}, key=KEY).status_code == 200
    assert [path for _, path, _, _ in server.heard] == ["/hook?page=1", "/elsewhere?page=2"]
    assert [headers["Authorization"] for _, _, headers, _ in server.heard] == ["Token github-key"] * 2


def test_question_that_is_redirected_for_ever_is_refused(server):
    server.line = [(302, {"Location": "/hook"}, b"")] * 20
    with pytest.raises(RefusedError, match="302"):
        QUICK.send("GET", server.url)
    assert len(server.heard) == 6


def test_answer_that_does_not_come_in_time_is_lost_and_not_asked_for_again(server, monkeypatch):
    monkeypatch.setattr(http_module, "TIMEOUT", (1, 0.05))
    over = threading.Event()
    server.line = [lambda _: over.wait(10)]
    with pytest.raises(AnswerLostError, match="ReadTimeout"):
        QUICK.send("POST", server.url, json={})
    over.set()
    assert len(server.heard) == 1


def test_connection_that_breaks_after_a_call_went_out_is_an_answer_lost(server):
    server.line = [lambda handler: handler.connection.close()]
    with pytest.raises(AnswerLostError, match="ConnectionError"):
        QUICK.send("POST", server.url, json={})
    assert len(server.heard) == 1


def reset_connection(handler):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # The connection is held open by the files that were made of it, too.
    for held in (handler.wfile, handler.rfile, handler.connection):
        held.close()


def test_connection_that_is_reset_after_a_call_went_out_is_an_answer_lost(server):
    server.line = [reset_connection]
    with pytest.raises(AnswerLostError, match="ConnectionError"):
        QUICK.send("POST", server.url, json={})
    assert len(server.heard) == 1


def silent(over):
    return lambda _: over.wait(10)


def dripping(over):
    """Answers byte by byte, each in less time than any time-out for one."""

    def answer(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not over.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    return answer


@pytest.mark.parametrize("kind", [silent, dripping])
@pytest.mark.parametrize("method, error", [("POST", AnswerLostError), ("GET", ServiceFailedError)])
def test_silent_server_does_not_carry_a_call_over_the_deadline(server, monkeypatch, kind, method, error):
    monkeypatch.setattr(in_time, "LEAST", 0.1)
    over = threading.Event()
    server.line = [kind(over)]
    began = time.monotonic()
    with pytest.raises(error):
        Http(RetryPolicy(tries=3), Deadline(began + 0.4)).send(method, server.url)
    took = time.monotonic() - began
    over.set()
    assert 0.35 < took < 3
    assert len(server.heard) == 1


def test_waits_of_a_call_are_capped_by_the_time_that_is_left(monkeypatch):
    asked = []

    def request(*_, timeout, **__):
        asked.append(timeout)
        raise requests.ConnectTimeout()

    monkeypatch.setattr(http_module.requests.Session, "request", request)
    for left in (8, 1000):
        with pytest.raises(ServiceFailedError):
            Http(RetryPolicy(tries=1), Deadline(time.monotonic() + left)).send("POST", "http://127.0.0.1:1/")
    assert asked[0] == (pytest.approx(2, abs=0.5), pytest.approx(8, abs=2))
    assert asked[1:] == [http_module.TIMEOUT]


def test_call_that_cannot_end_in_time_is_not_begun(server):
    deadline = Deadline(time.monotonic() + 1)
    with pytest.raises(DeadlineException) as raised:
        Http(RetryPolicy(tries=3), deadline).send("POST", server.url, json={})
    assert (raised.value.transient, server.heard) == (True, [])
    with pytest.raises(DeadlineException):
        SesEmail(Ses("id"), "from@example.org", "to@example.org", deadline=deadline).tell(MAIL)


def test_question_whose_answer_was_lost_is_asked_again(server):
    server.line = [lambda handler: handler.connection.close()]
    assert QUICK.send("GET", server.url).status_code == 200


def test_server_that_is_not_there_heard_nothing(server):
    with pytest.raises(ServiceFailedError, match="ConnectionError"):
        QUICK.send("POST", "http://127.0.0.1:1/hook", json={})
    assert server.heard == []


def test_address_that_is_none_is_refused():
    with pytest.raises(RefusedError, match="InvalidURL"):
        QUICK.send("POST", "http://", json={})


def test_rate_limits_are_kept(server, monkeypatch):
    reset = str(int(time.time()) + 30)
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 20))
    server.line = [
        (429, {"Retry-After": "7"}, b""),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, b""),
        (403, {"Retry-After": date}, b""),
        (429, {"Retry-After": "soon"}, b""),
    ]
    with slept(monkeypatch) as waits:
        Http(RetryPolicy(tries=5)).send("GET", server.url)
    assert waits[0] == 7
    assert 25 < waits[1] <= 30
    assert 15 < waits[2] <= 20
    assert waits[3] == 0


def test_limit_that_lasts_long_is_left_to_another_delivery(server, monkeypatch):
    server.line = [(429, {"Retry-After": "3600"}, b"")]
    with slept(monkeypatch) as waits, pytest.raises(ServiceFailedError):
        QUICK.send("GET", server.url)
    assert not waits


def test_wait_that_would_end_after_the_deadline_is_not_begun(server, monkeypatch):
    server.line = [(503, {"Retry-After": "30"}, b"")]
    with slept(monkeypatch) as waits, pytest.raises(ServiceFailedError):
        Http(RetryPolicy(tries=3), Deadline(time.monotonic() + 10)).send("GET", server.url)
    assert not waits


class Renewed:  # pylint: disable=too-few-public-methods
    """A key that was changed a moment ago."""

    def value(self, *, refresh=False):
        return "new" if refresh else "old"


def test_key_that_is_refused_is_read_anew_once(server):
    server.line = [(401, {}, b"old")]
    assert QUICK.send("GET", server.url, key=Renewed()).status_code == 200
    assert [headers["Authorization"] for _, _, headers, _ in server.heard] == ["Token old", "Token new"]
    server.line = [(401, {}, b"no")]
    with pytest.raises(RefusedError):
        QUICK.send("GET", server.url, key=KEY)


def test_council_is_looked_up_by_its_code_whatever_is_in_it(server):
    server.line = [(200, {}, b'{"name": "Adur"}')]
    assert council_name(QUICK, server.url + "/", "E01/../x?y#z") == "Adur"
    assert server.heard[0][1] == "/hook/E01%2F..%2Fx%3Fy%23z.json"


def github(**about):
    return GithubIssue(QUICK, GITHUB, REPOSITORY, about.get("key", KEY))


def test_open_issue_of_the_title_gets_a_comment(outside):
    outside.page_size = 2
    for number in range(4):
        outside.open_issue(f"Another {number}")
    outside.open_issue(ISSUE.title, pull_request={})
    outside.open_issue(ISSUE.title, state="closed")
    there = outside.open_issue(ISSUE.title, html_url=f"https://github.com/{REPOSITORY}/issues/7#top")
    assert github().tell(ISSUE, since=None) == f"https://github.com/{REPOSITORY}/issues/7"
    assert outside.comments_of(there["number"]) == [ISSUE.marked_comment]
    # Told again, as after a crash, it is found among many comments.
    for number in range(5):
        outside.comments[7].insert(0, {"body": f"{number}"})
    assert github().tell(ISSUE, since=None) == f"https://github.com/{REPOSITORY}/issues/7"
    assert len(outside.comments_of(7)) == 6


def test_every_call_to_github_bears_the_key(outside):
    # Its stand-in refuses any other.
    github().tell(ISSUE, since=None)
    assert [method for method, _ in outside.calls] == ["GET", "POST"]
    assert outside.issues[0]["body"] == ISSUE.marked_body


MAIL = Mail("subject", "text", "<p>html</p>", "0123456789abcdef" * 4)


class Ses:
    """Answers with what is next in line."""

    def __init__(self, *line):
        self.line = list(line)

    def __call__(self, *_):
        return self

    def send_raw_email(self, **_):
        answer = self.line.pop(0)
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        return {"MessageId": answer}


def refusal(code, status=400):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "SendRawEmail")


def mail_with(*line):
    return SesEmail(Ses(*line), "from@example.org", "to@example.org", RetryPolicy(tries=3)).tell(MAIL)


@pytest.mark.parametrize("text", ["text", "é\ud800\u2028" * 500])
def test_mail_goes_out_in_both_forms_with_the_id_of_its_outcome(aws, text):
    ses = client_of_the_tests("ses", aws.region_name)
    ses.verify_email_identity(EmailAddress="from@example.org")
    mail = replace(MAIL, subject="Café, " * 30 + "é", text=text, html=f"<p>{text}</p>")
    SesEmail(lambda *_: ses, "from@example.org", "to@example.org").tell(mail)
    (sent,) = mails()
    assert (sent["From"], sent["To"], sent["Subject"]) == ("from@example.org", "to@example.org", mail.subject)
    for kind, content in (("plain", mail.text), ("html", mail.html)):
        assert sent.get_body((kind,)).get_content().rstrip("\n") == content.replace("\ud800", "?")
    assert sent["Message-ID"] == sent["References"] == "<0123456789abcdef0123456789abcdef@bucket-brigade.invalid>"
    raw = raw_mails()[0]
    assert raw.isascii() and max(map(len, raw.splitlines())) <= 78
    # As it is, so that a filter which knows nothing of folded lines and encoded words finds it.
    assert "\nX-Bucket-Brigade-Outcome: 0123456789abcdef0123456789abcdef\n" in raw


def test_mail_that_was_not_taken_is_sent_again():
    unsent = ConnectTimeoutError(endpoint_url="https://ses")
    assert mail_with(refusal("Throttling"), unsent, "id") == "id"
    with pytest.raises(ServiceFailedError):
        mail_with(*[refusal("InternalFailure", 500)] * 3)


def test_mail_that_is_refused_or_may_be_out_is_not_sent_again():
    with pytest.raises(RefusedError):
        mail_with(refusal("MessageRejected"))
    lost = (
        ReadTimeoutError(endpoint_url="https://ses"),
        ConnectionClosedError(endpoint_url="https://ses"),
        refusal("502", 502),
        refusal("504", 504),
    )
    for error in lost:
        with pytest.raises(AnswerLostError):
            mail_with(error)


def test_silent_ses_does_not_carry_a_call_over_the_deadline(monkeypatch):
    monkeypatch.setattr(in_time, "LEAST", 0.1)
    over = threading.Event()
    ses = Ses(lambda: over.wait(10))
    began = time.monotonic()
    with pytest.raises(AnswerLostError, match="SES: TimeoutError"):
        SesEmail(ses, "from@example.org", "to@example.org", deadline=Deadline(began + 0.4)).tell(MAIL)
    took = time.monotonic() - began
    over.set()
    assert 0.35 < took < 3


def test_error_is_told_to_sentry_without_the_values_of_variables():
    sent = []

    class Transport(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope):
            sent.append(envelope)

    sentry = Sentry("https://key@sentry.example/1", transport=Transport)
    try:
        secret = "hidden".upper()
        raise ValueError(f"odd {len(secret)}")
    except ValueError as error:
        sentry.tell(error)
    sentry.flush()
    # Without a DSN again, and without the integrations that would stay in this process for other tests.
    sentry_sdk.init(default_integrations=False, auto_enabling_integrations=False)
    ((item,),) = [envelope.items for envelope in sent]
    event = item.get_event()
    assert event["exception"]["values"][0]["value"] == "odd 6"
    assert "HIDDEN" not in json.dumps(event, default=str)


def test_without_a_dsn_nothing_is_told():
    sentry = Sentry("")
    sentry.tell(ValueError())
    sentry.flush()


def broken_off(connection, _head):
    """TCP ends without the farewell of TLS."""
    socket.socket.shutdown(connection, socket.SHUT_RDWR)


def reset_at_once(connection, _head):
    end_abruptly(connection)


@pytest.mark.parametrize("end", [broken_off, reset_at_once])
@pytest.mark.parametrize("trusted, error", [(True, AnswerLostError), (False, ServiceFailedError)])
def test_tls_that_breaks_off_after_a_call_went_out_is_an_answer_lost(tmp_path, monkeypatch, end, trusted, error):
    if trusted:
        AUTHORITY.cert_pem.write_to_path(tmp_path / "authority.pem")
        for name in ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
            monkeypatch.setenv(name, str(tmp_path / "authority.pem"))
    with served(end, certificate=AUTHORITY.issue_cert("127.0.0.1")) as server:
        session = boto3.session.Session()
        ses = session.client("ses", endpoint_url=server.url, config=client_config())
        once = RetryPolicy(tries=1)
        with pytest.raises(error):
            Http(once).send("POST", server.url, json={})
        with pytest.raises(error):
            SesEmail(lambda *_: ses, "from@example.org", "to@example.org", once).tell(MAIL)
        assert len(server.requests) == 2 * trusted
