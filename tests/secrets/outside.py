"""GitHub, the councils, the webhook and Sentry on loopback, and the faults of calls to them."""

import itertools
import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import urllib3.connection

from tests.secrets.aws_faults import ways_of
from tests.secrets.cases import cases
from tests.support import server

GITHUB, COUNCILS, HOOK, SENTRY = "/github", "/councils", "/hook", "/api"
ISSUE = {"html_url": "https://github.com/octocat/imports/issues/1", "number": 1}
ANSWERS = {("GET", "github"): [], ("GET", "councils"): {"name": "Adur"}}


class Outside(ThreadingHTTPServer):
    """One server for all of these services, each with its own path.

    Attributes:
        fault: a function that takes an `Answering` and answers, or the name of a fault of the connection.
        met: the paths whose calls have failed.
    """

    daemon_threads = True

    def __init__(self, written):
        super().__init__(("127.0.0.1", 0), Answering)
        self.written, self.ways = written, itertools.count()
        self.failing, self.fault, self.met = (), None, set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def fail(self, *paths, fault=None):
        """Make calls to these paths fail, and no others."""
        self.failing, self.fault, self.met = paths, fault, set()

    def handle_error(self, request, client_address):
        """Ignore a client that has closed its connection."""

    def hits(self, path):
        """Record the fault of a call, and return whether there is one."""
        hit = {failing for failing in self.failing if path.startswith(failing)}
        self.met |= hit
        return bool(hit)


class Answering(BaseHTTPRequestHandler):
    """One call."""

    def do_POST(self):  # pylint: disable=invalid-name  # the library's name
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.written.call(self.path.split("/")[1], self.path, dict(self.headers), body)
        if self.server.hits(self.path) and callable(self.server.fault):
            self.server.fault(self)
        else:
            self.answer(200, json.dumps(ANSWERS.get((self.command, self.path.split("/")[1]), ISSUE)))

    do_GET = do_POST

    def answer(self, status, body, **headers):
        server.send(self, status, headers, body.encode())

    def said(self):
        """Return the request's secrets in all encodings; each call begins with another one."""
        ways = ways_of(f"Authorization: {self.headers['Authorization']} {self.path}")
        first = next(self.server.ways) % len(ways)
        return " ".join([*ways[first:], *ways[:first]])

    def log_message(self, format, *args):
        pass


def says(status, **headers):
    """Return a fault: an answer that quotes the request."""
    return lambda call: call.answer(status, call.said(), **headers)


def redirects(call):
    """A fault: a redirect with the request in the address."""
    call.answer(302, "", Location=f"https://elsewhere.example/{quote(call.said())}")


def hangs_up(call):
    """A fault: no answer."""
    call.close_connection = True


FAULTS = {
    "401": says(401),
    "403": says(403),
    "500": says(500),
    "502": says(502),
    "redirect": redirects,
    "a page": says(200),
    "an object": lambda call: call.answer(200, json.dumps({"name": [call.said()], "html_url": {"a": call.said()}})),
    "a list": lambda call: call.answer(200, json.dumps([{"title": call.said()}])),
    "hangs up": hangs_up,
    "TLS": "TLS",
    "time-out": "time-out",
    "exception": "exception",
    "bad header": "bad header",
}


CASES = cases(FAULTS, quick=FAULTS.keys() - {"403", "502", "a list"})


def _untrusted():
    error = ssl.SSLCertVerificationError("certificate verify failed")
    # As OpenSSL sets it.
    error.reason = "CERTIFICATE_VERIFY_FAILED"
    return error


def patch_connections(patches, outside):
    """Patch urllib3's connections, so that calls fail with the faults that are no answers."""
    kind = urllib3.connection.HTTPConnection
    request, getresponse = kind.request, kind.getresponse

    def faulty_request(self, method, url, body=None, headers=None, **how):
        self.is_faulty = outside.hits(url)
        if self.is_faulty:
            if outside.fault == "TLS":
                raise _untrusted()
            if outside.fault == "exception":
                raise RuntimeError(f"{method} {url} {dict(headers or {})}")
            if outside.fault == "bad header":
                raise ValueError(f"Invalid header value {dict(headers or {})}")
        return request(self, method, url, body=body, headers=headers, **how)

    def faulty_answer(self):
        if self.is_faulty and outside.fault == "time-out":
            raise TimeoutError("timed out")
        return getresponse(self)

    patches.setattr(kind, "request", faulty_request)
    patches.setattr(kind, "getresponse", faulty_answer)


def serving(written):
    """Run an `Outside` until the block ends, and yield it."""
    return server.running(Outside(written))
