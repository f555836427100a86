"""Keys and secret addresses: after any failure, none of them is in a log line, an error or a dead letter."""

import base64
import json
import logging
import socket
import threading
import traceback
from types import SimpleNamespace
from urllib.parse import quote

import pytest
import sentry_sdk

from tasks.upload_validate.api_keys import KeyRing
from tasks.upload_validate.errors import ReporterError
from tasks.upload_validate.handler import handler
from tasks.upload_validate.reporters import sentry as sentry_module
from tasks.upload_validate.reporters.http import HttpClient
from tasks.upload_validate.reporters.sentry import Sentry
from tasks.upload_validate.reporters.webhook import Webhook
from tasks.utils.errors import SettingsError
from tasks.utils.retry import RetryPolicy
from tests.conftest import REGION, client_of_the_tests
from tests.support.events import sqs_event
from tests.upload_validate.conftest import WEBHOOK, Context, forget_container
from tests.upload_validate.loopback import raw

ONCE = HttpClient(RetryPolicy(tries=1))
DIGITS = str(123_456_789 * 9)
CANARY = f"canary-{DIGITS}/abc+def"
PUBLIC = CANARY.replace("/", "")
PRETTY = json.dumps({"token": CANARY, "user": "robot"}, indent=2)


class OddKey:  # pylint: disable=too-few-public-methods  # the used part of a key
    """A key without a check of its characters."""

    def __init__(self, value):
        self._value = value

    def value(self, **_):
        return self._value


def chain(error):
    """Return everything that a traceback, or Sentry, could show of an error."""
    texts, seen = ["".join(traceback.format_exception(error))], [error]
    while seen:
        one = seen.pop()
        texts += [str(one), repr(one), repr(one.args), repr(vars(one))]
        seen += [other for other in (one.__cause__, one.__context__) if other is not None]
    return "\n".join(texts)


def fails(call):
    with pytest.raises(ReporterError) as raised:
        call()
    return chain(raised.value)


# Answers in log lines and errors.


ECHOES = {
    "as it is": CANARY,
    "quoted": quote(CANARY, safe=""),
    "in base64": base64.b64encode(f"Token {CANARY}".encode()).decode(),
    "in JSON": json.dumps({"header": f"Token {CANARY}"}).replace("/", "\\/"),
    "at the cut": "x" * 255 + CANARY,
    "just before the cut": "x" * 240 + CANARY,
    "twice": CANARY * 2,
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
@pytest.mark.parametrize("status", [400, 401, 500, 502])
def test_answer_that_repeats_the_key_is_kept_without_it(server, echo, status):
    server.line = [(status, {}, f"<h1>debug</h1> {echo}".encode())] * 2
    said = fails(lambda: ONCE.send("POST", server.url, json={}, key=KeyRing(None, None).key(CANARY)))
    pieces = [form[start : start + 12] for form in (CANARY, quote(CANARY, safe="")) for start in (0, 6, 12)]
    encoded = base64.b64encode(f"Token {CANARY}".encode()).decode()
    assert f"{status} <h1>debug</h1>" in said
    assert not any(piece in said for piece in (*pieces, encoded[12:36], "canary"))


# A key with a character that no header may have.


@pytest.mark.parametrize("key", [f"{CANARY}\nx", f"{CANARY}\r\nX-Forged: y", f"{CANARY}\u2028", PRETTY])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_error_of_a_library_keeps_its_type_only(server, method, key):
    said = fails(lambda: ONCE.send(method, server.url, key=OddKey(key)))
    assert "canary" not in said and server.received == []


def everything_written(capsys, sqs, url):
    written = capsys.readouterr()
    table = client_of_the_tests("dynamodb", REGION).scan(TableName="outcomes")["Items"]
    letters = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10)
    return written.out + written.err + json.dumps([table, letters.get("Messages", [])], default=str)


@pytest.fixture(name="letters")
def queue_for_dead_letters(sqs, monkeypatch, capsys):
    url = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
    monkeypatch.setenv("DEAD_LETTER_QUEUE", url)
    return capsys, sqs, url


@pytest.mark.parametrize("name", ["WDIV_API_KEY", "GITHUB_API_KEY"])
@pytest.mark.parametrize("secret", [PRETTY, f"{CANARY}\nx"])
def test_entry_that_holds_no_key_is_named_and_its_content_is_written_nowhere(task, letters, monkeypatch, name, secret):
    client_of_the_tests("secretsmanager", REGION).create_secret(Name="robot", SecretString=secret)
    monkeypatch.setenv(name, "secretsmanager:robot")
    event = task.event_of(task.put("a.csv"))
    assert handler(sqs_event(event), Context())["batchItemFailures"]
    with pytest.raises(Exception) as raised:
        handler(event, Context())
    written = everything_written(*letters) + chain(raised.value)
    assert "the key in the entry secretsmanager:robot " in written
    assert ("#field" in written) == secret.startswith("{")
    assert "canary" not in written
    # It is sent after a person has corrected the entry.
    client_of_the_tests("secretsmanager", REGION).put_secret_value(
        SecretId="robot", SecretString={"WDIV_API_KEY": "wdiv-key", "GITHUB_API_KEY": "github-key"}[name]
    )
    forget_container()
    assert handler(sqs_event(event), Context()) == {"batchItemFailures": []}
    assert len(task.outside.hooks) == 1


# Secret addresses.


PATHS = [f"/services/T0/{quote(CANARY, safe='')}", f"/hook?token={CANARY}", f"/hook?{CANARY}", f"/{CANARY}/x#{CANARY}"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "answer",
    [
        (404, {}, f"Cannot POST /services/T0/{CANARY}".encode()),
        (400, {}, f"no_such_token: {CANARY}".encode()),
        (500, {}, quote(CANARY).encode()),
        (302, {"Location": f"https://example.org/{CANARY}"}, b""),
        (302, {"Location": f"https://{quote(CANARY, safe='')}/"}, b""),
        raw(b""),
        raw(b"HTTP/1.1 what\r\n\r\n"),
    ],
)
def test_address_of_the_webhook_is_removed_from_its_answers(server, path, answer):
    server.line = [answer]
    url = f"http://127.0.0.1:{server.server_port}{path}"
    webhook = Webhook(HttpClient(RetryPolicy(tries=1)), url, KeyRing(None, None).key("the-key-of-the-webhook"))
    said = fails(lambda: webhook.post({"digest": "d"})) + repr(webhook)
    assert f"POST http://127.0.0.1:{server.server_port}: " in said
    assert not any(piece in said for piece in ("canary", DIGITS, "abc%2Bdef"))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid", "x" * 300 + ".example.org"])
def test_address_of_an_unreachable_webhook_is_in_no_error(monkeypatch, path, host):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    webhook = Webhook(HttpClient(RetryPolicy(tries=1)), f"https://{host}{path}", KeyRing(None, None).key("key"))
    said = fails(lambda: webhook.post({"digest": "d"}))
    assert "canary" not in said and DIGITS not in said


def test_address_of_the_webhook_is_not_logged_without_a_key(caplog):
    caplog.set_level("INFO")
    Webhook(ONCE, f"https://example.org/hook/{CANARY}", None).post({"digest": "d"})
    (line,) = caplog.records
    assert line.url == "https://example.org" and "canary" not in repr(vars(line))


def test_address_of_the_webhook_is_written_nowhere(task, letters, monkeypatch):
    monkeypatch.setenv("WDIV_WEBHOOK_URL", f"{WEBHOOK}/{CANARY}")
    fault = (404, {}, f"Cannot POST /hook/{CANARY}")
    task.outside.faults += [(f"POST {WEBHOOK}", fault), (f"POST {WEBHOOK}", (502, {}, CANARY))]
    keys = [task.put("a.csv"), task.put("a.csv", b"short", prefix="E01/2025/1/")]
    for key in keys:
        handler(sqs_event(task.event_of(key)), Context())
    written = everything_written(*letters)
    assert "POST https://wdiv.example: 404 Cannot POST (secret)" in written
    assert "POST https://wdiv.example: 502 (secret)" in written
    assert "canary" not in written


def test_address_of_the_webhook_is_read_from_its_entry(task, letters, monkeypatch):
    ssm = client_of_the_tests("ssm", REGION)
    ssm.put_parameter(Name="/wdiv/url", Value=f"http://example.org/{CANARY}", Type="SecureString")
    monkeypatch.setenv("WDIV_WEBHOOK_URL", "/wdiv/url")
    monkeypatch.setattr("time.sleep", lambda _: None)
    event = sqs_event(task.event_of(task.put("a.csv")))
    assert handler(event, Context())["batchItemFailures"]
    ssm.put_parameter(Name="/wdiv/url", Value=f"{WEBHOOK}/{CANARY}\n", Type="SecureString", Overwrite=True)
    forget_container()
    task.outside.faults.append((f"POST {WEBHOOK}", (500, {}, f"no {CANARY}")))
    assert handler(event, Context()) == {"batchItemFailures": []}
    assert len(task.outside.hooks) == 1
    written = everything_written(*letters)
    assert "the address of the webhook begins with http://" in written
    assert "canary" not in written


def test_address_is_not_logged_if_headers_cannot_be_read(server, caplog):
    caplog.set_level(logging.INFO)
    server.line = [raw(b"HTTP/1.1 200 OK\r\n: odd github-key\r\nno header\r\n\r\n")]
    Webhook(ONCE, f"{server.url}/token-in-the-path", KeyRing(None, None).key("key")).post({"digest": "d"})
    assert "token-in-the-path" not in caplog.text and "github-key" not in caplog.text


# Sentry.


@pytest.fixture(name="clean_sentry")
def sentry_of_this_process():
    yield
    # Reset to no DSN and no integrations, which would stay in this process for other tests.
    sentry_sdk.init(default_integrations=False, auto_enabling_integrations=False)


@pytest.fixture(name="sent")
def transport_that_keeps():
    events = []

    class Transport(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope):
            events.append(json.dumps([item.get_event() for item in envelope.items], default=str))

    return SimpleNamespace(events=events, transport=Transport)


@pytest.mark.parametrize("answer", [raw(b""), (404, {}, CANARY.encode()), (302, {"Location": f"/{CANARY}"}, b"")])
@pytest.mark.usefixtures("clean_sentry")
def test_error_of_the_webhook_reaches_sentry_without_its_address(server, sent, answer):
    server.line = [answer]
    webhook = Webhook(ONCE, f"{server.url}/{CANARY}", KeyRing(None, None).key("the-key-of-the-webhook"))
    sentry = Sentry("https://key@sentry.example/1", transport=sent.transport)
    try:
        webhook.post({"digest": "d"})
    except ReporterError as error:
        sentry.capture(error)
    sentry.flush()
    (event,) = sent.events
    assert "127.0.0.1" in event and DIGITS not in event and "the-key-of" not in event


@pytest.mark.usefixtures("clean_sentry")
def test_known_secret_in_any_error_does_not_reach_sentry(sent):
    ring = KeyRing(None, None)
    ring.key(CANARY).value()
    sentry = Sentry("https://key@sentry.example/1", ring.known, transport=sent.transport)
    try:
        try:
            raise ValueError(f"odd: {CANARY}")
        except ValueError as error:
            raise KeyError(quote(CANARY)) from error
    except KeyError as error:
        sentry.capture(error)
    (event,) = sent.events
    assert event.count("(secret)") >= 2 and DIGITS not in event


@pytest.mark.usefixtures("clean_sentry")
def test_event_is_sent_with_the_flush_and_the_answer_is_bounded(server, caplog):
    server.line = [(200, {}, b"x" * 3_000_000)]
    sentry = Sentry(f"http://public@127.0.0.1:{server.server_port}/42")
    sentry.capture(ValueError("odd"))
    assert server.received == []
    sentry.flush()
    sentry.flush()
    ((method, path, headers, body),) = server.received
    assert (method, path) == ("POST", "/api/42/envelope/")
    assert "sentry_key=public" in headers["X-Sentry-Auth"]
    assert b'"value":"odd"' in body
    assert caplog.text == ""


@pytest.mark.parametrize("way", ["refused", "no such host", "silent", "an echo"])
@pytest.mark.usefixtures("clean_sentry")
def test_unreachable_sentry_causes_one_warning(server, monkeypatch, caplog, way):
    monkeypatch.setattr(sentry_module, "FLUSH_SECONDS", 0.3)
    here = f"localhost:{server.server_port}"
    host = {"refused": "127.0.0.1:1", "no such host": "no-such-host.invalid"}.get(way, here)
    if way == "no such host":
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: (_ for _ in ()).throw(socket.gaierror(8, CANARY)))
    over = threading.Event()
    server.line = [lambda _: over.wait(5)] if way == "silent" else [(400, {}, f"unknown key {PUBLIC}".encode())]
    sentry = Sentry(f"{'https' if 'host' in way else 'http'}://{PUBLIC}@{host}/1")
    for number in range(3):
        sentry.capture(ValueError(number))
    sentry.flush()
    over.set()
    (line,) = [line for line in caplog.records if line.name == "bucket_brigade"]
    assert line.getMessage() == "errors are not reported to Sentry"
    assert "canary" not in repr(vars(line)) + caplog.text


@pytest.mark.parametrize("dsn", [f"http://{CANARY}@sentry.example/1", f"https://{PUBLIC}@a.example/{CANARY}", PRETTY])
@pytest.mark.parametrize("entry", [False, True], ids=["itself", "in its entry"])
def test_wrong_dsn_causes_one_warning_and_sets_are_published(task, monkeypatch, capsys, dsn, entry):
    if entry:
        ssm = client_of_the_tests("ssm", REGION)
        ssm.put_parameter(Name="/sentry/dsn", Value=dsn, Type="SecureString")
    monkeypatch.setenv("SENTRY_DSN", "/sentry/dsn" if entry else dsn)
    forget_container()
    keys = [task.put("a.csv"), task.put("a.csv", prefix="E01/2025/1/")]
    for key in keys:
        assert handler(sqs_event(task.event_of(key)), Context()) == {"batchItemFailures": []}
    written = capsys.readouterr()
    said = [json.loads(line) for line in written.out.splitlines()]
    warnings = [line for line in said if line.get("message") == "errors are not reported to Sentry"]
    assert len(warnings) == 1 and warnings[0]["level"] == "WARNING"
    assert "canary" not in written.out + written.err and "robot" not in written.out
    assert len(task.outside.issues) == 2


@pytest.mark.parametrize(
    "dsn",
    [
        f"http://{CANARY}@sentry.example/1",
        f"https://{CANARY}/1",
        f"https://{PUBLIC}@sentry.example/{CANARY}",
        f"https://{PUBLIC}@sentry.example/",
        "https://sentry.example/1",
        f"https://{PUBLIC}@[::1/1",
        f"https://{PUBLIC}@x:y/1",
        CANARY,
    ],
)
def test_wrong_dsn_is_refused_without_showing_it(dsn):
    with pytest.raises(SettingsError, match="^SENTRY_DSN ") as raised:
        Sentry(dsn)
    assert "canary" not in chain(raised.value)
