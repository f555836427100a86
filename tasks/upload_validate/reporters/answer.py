"""The answer to one HTTP call: read to a bound, and believed in nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from requests.utils import parse_header_links

from tasks.upload_validate.addresses import origin
from tasks.upload_validate.errors import AnswerLostError, RefusedError, ServiceFailedError
from tasks.utils.s3_object import printable
from tasks.utils.secret_values import Secrets

# Bytes of a body, decoded: a hundred issues of GitHub's with bodies of some kilobytes.
BODY_LIMIT = 1 << 20
BLOCK = 1 << 16
# Characters of an answer that are kept: enough to see what it was about.
KEPT = 300
# RFC 9110, 15.4: those whose `Location` is another address for the same call.
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What is asked for. Another coding, or several on top of each other, can take any amount of work to decode.
CODINGS = frozenset({"", "identity", "gzip"})


@dataclass(frozen=True)
class Call:
    """What was called, as far as messages say so: an address may hold a key anywhere behind its host.

    Attributes:
        method: `GET` or `POST`.
        url: the whole address.
        secrets: the `Secrets` that no message may hold.
    """

    method: str
    url: str = field(repr=False)
    secrets: Secrets = field(repr=False)

    def said(self, what):
        """Return a message on the call, in one line and without secrets."""
        # Replaced before it is cut: half a secret at the cut would stay.
        return f"{self.method} {shown(self.url)}: {printable(self.secrets.hide(what)[:KEPT])[:KEPT]}"


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        call: the `Call`.
        status_code: the HTTP status.
        headers: the headers, whose names compare without case.
        body: the body, or its beginning.
        is_whole: whether that is all of it.
    """

    call: Call
    status_code: int
    headers: Mapping = field(repr=False)
    body: bytes = field(repr=False)
    is_whole: bool = True

    @classmethod
    def of(cls, call, response, *, with_body):
        """Read a response of requests, and close it.

        Args:
            call: the `Call`.
            response: the response, of which only the headers were read.
            with_body: whether the body of an answer with a status below 300 is read.
        """
        body, is_whole = b"", False
        with response:
            try:
                if with_body or response.status_code >= 300:
                    body, is_whole = _read(response)
            except Exception:  # pylint: disable=broad-exception-caught  # the status of an error says enough
                if response.status_code < 300:
                    raise
        return cls(call, response.status_code, response.headers, body, is_whole)

    def json(self):
        """Return the body's JSON.

        Raises:
            ServiceFailedError: a question has no answer that can be read.
            AnswerLostError: the answer to anything else, which may have been done, cannot be read.
        """
        if not self.is_whole:
            raise self.unreadable("an answer that is too long, or in another coding than gzip")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            pass
        # Not in the handler: JSON's error holds the whole text, and would be this one's context.
        raise self.unreadable("an answer that cannot be read as JSON")

    def unreadable(self, reason):
        """Return the error that says what is wrong with an answer."""
        kind = ServiceFailedError if self.call.method == "GET" else AnswerLostError
        return kind(self.call.said(f"{self.status_code}, {reason}"))

    @property
    def text(self):
        """The body as text, whatever it is."""
        return self.body.decode("utf-8", "replace")

    @property
    def is_redirect(self):
        """Whether it says that the call should be made at another address."""
        return self.status_code in REDIRECTS and "location" in self.headers

    @property
    def next_page(self):
        """What the header `Link` names as the next page (RFC 8288), or None."""
        links = parse_header_links(self.headers.get("link", ""))
        return next((link["url"] for link in links if link.get("rel") == "next"), None)

    def target(self, reference, what):
        """Return the address that a reference in this answer leads to.

        Args:
            reference: an address, whole or relative to the one that was called.
            what: what the reference does, in words that end before an address.

        Raises:
            RefusedError: it is none, or not on the same server: a key does not follow it.
        """
        try:
            target = urljoin(self.call.url, reference)
            is_here = origin(target) == origin(self.call.url)
        except ValueError:
            target = ""
        if not target:
            raise self.refusal(f"{what} what is no address")
        if self.call.method == "GET" and is_here:
            return target
        raise self.refusal(f"{what} {shown(target)}, which is not followed: set the address that it has now")

    def refusal(self, reason):
        """Return the error that says that this answer refuses the call."""
        return RefusedError(self.call.said(f"{self.status_code}, {reason}"), status=self.status_code)


def shown(url):
    """Return the part of an address that messages show: scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _read(response):
    """Return the beginning of a body, and whether that is all of it."""
    if response.headers.get("content-encoding", "").strip().lower() not in CODINGS:
        return b"", False
    body = bytearray()
    for block in response.iter_content(BLOCK):
        body += block
        if len(body) > BODY_LIMIT:
            return bytes(body[:BODY_LIMIT]), False
    return bytes(body), True
