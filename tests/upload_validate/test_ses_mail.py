"""The e-mail through SES, and TLS that breaks in the middle of a call."""

import socket
import threading
import time
from dataclasses import replace

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError

from tasks.object_clerk.s3_requests import client_config
from tasks.upload_validate.errors import AnswerLostError, RefusedError, ServiceFailedError
from tasks.upload_validate.messages import Mail
from tasks.upload_validate.reporters import http as http_module
from tasks.upload_validate.reporters.http import HttpClient
from tasks.upload_validate.reporters.ses_mail import SesMail
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy
from tests.conftest import client_of_the_tests
from tests.support.server import AUTHORITY, served
from tests.support.server import reset as end_abruptly
from tests.upload_validate.conftest import mails, raw_mails

MAIL = Mail("subject", "text", "<p>html</p>", "0123456789abcdef" * 4)


class Ses:
    """Answer with the next item of a list."""

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
    return SesMail(Ses(*line), "from@example.org", "to@example.org", RetryPolicy(tries=3)).send(MAIL)


@pytest.mark.parametrize("text", ["text", "é\ud800\u2028" * 500])
def test_mail_goes_out_in_both_forms_with_the_id_of_its_outcome(aws, text):
    ses = client_of_the_tests("ses", aws.region_name)
    ses.verify_email_identity(EmailAddress="from@example.org")
    mail = replace(MAIL, subject="Café, " * 30 + "é", text=text, html=f"<p>{text}</p>")
    SesMail(lambda *_: ses, "from@example.org", "to@example.org").send(mail)
    (sent,) = mails()
    assert (sent["From"], sent["To"], sent["Subject"]) == ("from@example.org", "to@example.org", mail.subject)
    for kind, content in (("plain", mail.text), ("html", mail.html)):
        assert sent.get_body((kind,)).get_content().rstrip("\n") == content.replace("\ud800", "?")
    assert sent["Message-ID"] == sent["References"] == "<0123456789abcdef0123456789abcdef@bucket-brigade.invalid>"
    raw = raw_mails()[0]
    assert raw.isascii() and max(map(len, raw.splitlines())) <= 78
    # In one line and not encoded, so that a simple filter finds it.
    assert "\nX-Bucket-Brigade-Outcome: 0123456789abcdef0123456789abcdef\n" in raw


def test_mail_that_ses_did_not_accept_is_sent_again():
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
    monkeypatch.setattr(http_module, "LEAST_SECONDS", 0.1)
    over = threading.Event()
    ses = Ses(lambda: over.wait(10))
    began = time.monotonic()
    with pytest.raises(AnswerLostError, match="SES: TimeoutError"):
        SesMail(ses, "from@example.org", "to@example.org", deadline=Deadline(began + 0.4)).send(MAIL)
    took = time.monotonic() - began
    over.set()
    assert 0.35 < took < 3


def broken_off(connection, _head):
    """End TCP without the end of TLS."""
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
            HttpClient(once).send("POST", server.url, json={})
        with pytest.raises(error):
            SesMail(lambda *_: ses, "from@example.org", "to@example.org", once).send(MAIL)
        assert len(server.requests) == 2 * trusted
