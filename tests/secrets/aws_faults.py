"""Faults of AWS and of an S3-compatible store, whose answers quote the request."""

import base64
import http.client
import io
import json
from urllib.parse import quote
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)

from tests.secrets.cases import cases
from tests.secrets.written import bytes_of


def ways_of(text):
    """Return a text in the encodings that a debug page may use."""
    return [text, json.dumps(text), quote(text), base64.b64encode(text.encode()).decode()]


def every_way(text):
    """Return a text in all these encodings, one after the other."""
    return " ".join(ways_of(text))


def said(request):
    """Return the whole request as text, credentials included."""
    body = bytes_of(request.body).decode("utf-8", "replace")
    headers = [f"{name}: {_text(value)}" for name, value in request.headers.items()]
    return "\n".join([request.method, request.url, *sorted(headers, reverse=True), body])


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def answer(request, status, body, headers=()):
    """Return an answer as botocore reads it, without a body after a HEAD."""
    body = b"" if request.method == "HEAD" else body.encode()
    return AWSResponse(request.url, status, {"Content-Length": str(len(body)), **dict(headers)}, _Raw(body))


class _Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self, **_):
        """Yield the body."""
        while block := self.read(65_536):
            yield block


def refusal(request, status, code, headers=()):
    """Return an error that quotes the request, in the service's format: XML or JSON."""
    text = every_way(said(request))
    if "X-Amz-Target" in request.headers:
        return answer(request, status, json.dumps({"__type": code, "message": text, "Message": text}), headers)
    error = f"<Code>{code}</Code><Message>{escape(text)}</Message>"
    if "s3" in request.url.partition("?")[0] or request.method in ("HEAD", "PUT"):
        return answer(request, status, f"<Error>{error}</Error>", headers)
    return answer(request, status, f"<ErrorResponse><Error>{error}</Error></ErrorResponse>", headers)


def raises(make):
    """Return a fault that raises the exception that `make` makes of a request."""

    def fault(request):
        raise make(request)

    return fault


FAULTS = {
    "401": lambda request: refusal(request, 401, "InvalidToken"),
    "500": lambda request: refusal(request, 500, "InternalError"),
    "redirect": lambda request: refusal(
        request, 307, "TemporaryRedirect", {"Location": f"https://elsewhere.example/?{quote(said(request))}"}
    ),
    "a page": lambda request: answer(request, 200, f"<html><p>{every_way(said(request))}"),
    "TLS": raises(lambda request: SSLError(endpoint_url=request.url, error="certificate verify failed")),
    "time-out": raises(lambda request: ReadTimeoutError(endpoint_url=request.url)),
    "exception": raises(lambda request: RuntimeError(f"a bug in {request.method} {request.url}")),
}


CASES = cases(FAULTS, quick=["401", "500", "a page", "exception"])


def random_faults(random):
    """Return a `hits` by which about every eighth request fails, with a random fault."""
    return lambda service, operation, request: random.choice(list(FAULTS.values())) if random.random() < 1 / 8 else None


def sent(request):
    """Let http.client check the headers, as before it sends them; then give no answer."""
    connection = http.client.HTTPConnection("127.0.0.1")
    connection.putrequest(request.method, "/")
    try:
        for name, value in request.headers.items():
            connection.putheader(name, value)
    except ValueError as error:
        # As botocore does.
        raise HTTPClientError(error=error) from error
    raise ReadTimeoutError(endpoint_url=request.url)


def none(service, operation, request):  # pylint: disable=unused-argument  # the arguments of `Faults.hits`
    """No fault."""


class Faults:  # pylint: disable=too-few-public-methods  # botocore calls it
    """Records each request of a session's clients, and makes some of them fail.

    Attributes:
        hits: takes service, operation and request; returns a fault or None.
        met: number of requests that failed.
    """

    def __init__(self, written):
        self._written = written
        self.hits = none
        self.met = 0

    def __call__(self, request, event_name, **_):
        service, operation = event_name.split(".")[1:3]
        self._written.request(event_name, request)
        # pylint: disable-next=assignment-from-no-return  # tests put others in its place
        fault = self.hits(service, operation, request)
        self.met += fault is not None
        return fault and fault(request)
