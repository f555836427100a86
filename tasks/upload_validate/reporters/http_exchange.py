"""One request and its response over HTTP, bounded by the deadline and by the bytes on the wire.

http.client bounds a line of a response and the number of its headers, but neither interim responses nor trailers. The
time-out of a socket counts for one wait. So both bounds are applied below http.client, where bytes are received.
"""

import http.client
import io
import json
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from tasks.upload_validate.addresses import origin
from tasks.upload_validate.errors import AnswerLostError, RefusedError, ServiceFailedError
from tasks.upload_validate.reporters.explanations import explanation
from tasks.utils.deadline import is_time_up, limit_timeout
from tasks.utils.s3_object import printable
from tasks.utils.secret_values import Secrets

# Bytes of a decoded body: a hundred of GitHub's issues with bodies of some kilobytes.
BODY_LIMIT = 1 << 20
BLOCK = 1 << 16
# Bytes on the wire for one response with its headers: twice the limit of a body.
WIRE_LIMIT = 2 << 20
# Characters of a response that are logged.
KEPT = 300
# RFC 9110, 15.4: the statuses whose `Location` is another address for the same request.
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# The work to decode another coding, or several codings on top of each other, has no bound.
CODINGS = frozenset({"", "identity", "gzip"})
HEADERS = {"User-Agent": "bucket-brigade", "Accept-Encoding": "gzip"}
# Statuses of requests that were not carried out. RFC 9110: 408 the request did not arrive whole; 500 a condition
# "prevented it from fulfilling the request"; 501 and 505 the server cannot; 503 it is "currently unable to handle the
# request". RFC 6585: 429 too many requests. All others from 500 on leave it open: 502 and 504 come from a gateway,
# whose server may have carried it out, and 520 to 527 from a content delivery network.
UNDONE = frozenset({408, 429, 500, 501, 503, 505})


@dataclass(frozen=True)
class Request:
    """A request, as far as messages show it: an address may hold a key anywhere after its host.

    Attributes:
        method: `GET` or `POST`.
        url: the whole address.
        secrets: the `Secrets` that no message may contain.
    """

    method: str
    url: str = field(repr=False)
    secrets: Secrets = field(repr=False)

    def message(self, text: str) -> str:
        """Return a message on the request, in one line and without secrets."""
        # Secrets are replaced before the cut, which would leave half a secret.
        return f"{self.method} {shown(self.url)}: {printable(self.secrets.hide(text)[:KEPT])[:KEPT]}"


@dataclass(frozen=True)
class Response:
    """A response.

    Attributes:
        request: the `Request`.
        status: the HTTP status.
        headers: the headers, whose names compare without case.
        body: the body, or its beginning.
        is_whole: whether `body` is the whole body.
    """

    request: Request
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    is_whole: bool = True

    def json(self) -> Any:
        """Return the decoded JSON of the body.

        Raises:
            ServiceFailedError: the response to a GET cannot be read.
            AnswerLostError: the response to a POST, which may have been carried out, cannot be read.
        """
        if not self.is_whole:
            raise self.unreadable("an answer that is too long, or in another coding than gzip")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            pass
        # Raised outside of the handler: the context of this error would be JSON's, which holds the whole text.
        raise self.unreadable("an answer that cannot be read as JSON")

    def unreadable(self, reason: str) -> ServiceFailedError | AnswerLostError:
        """Return the error for a response that cannot be read."""
        kind = ServiceFailedError if self.request.method == "GET" else AnswerLostError
        return kind(self.request.message(f"{self.status}, {reason}"))

    @property
    def is_redirect(self) -> bool:
        """Whether the response names another address for the request."""
        return self.status in REDIRECTS and "location" in self.headers

    def target(self, reference: str, what: str) -> str:
        """Return the address that a reference in this response leads to.

        Args:
            reference: an address, absolute or relative to the request's.
            what: what the reference does, in words that end before an address.

        Raises:
            RefusedError: the reference is no address, or leads to another server, which must not get the key.
        """
        try:
            target = urljoin(self.request.url, reference)
            is_same_server = origin(target) == origin(self.request.url)
        except ValueError:
            target = ""
        if not target:
            raise self._refusal(f"{what} an invalid address")
        if self.request.method == "GET" and is_same_server:
            return target
        raise self._refusal(f"{what} {shown(target)}, which is not followed: set the address that it has now")

    def check_status(self) -> None:
        """Raise the error for a status of 300 or more.

        Raises:
            ServiceFailedError: the request was not carried out.
            AnswerLostError: it may have been carried out.
            RefusedError: it was refused.
        """
        if self.status < 300:
            return
        message = self.request.message(f"{self.status} {explanation(self.body)}")
        is_limited = self.status == 403 and ("retry-after" in self.headers or self._is_rate_used_up)
        if self.status in UNDONE or is_limited or (self.status >= 500 and self.request.method == "GET"):
            raise ServiceFailedError(message, wait=self._requested_wait())
        if self.status >= 500:
            raise AnswerLostError(message)
        raise RefusedError(message, status=self.status)

    def _refusal(self, reason: str) -> RefusedError:
        return RefusedError(self.request.message(f"{self.status}, {reason}"), status=self.status)

    @property
    def _is_rate_used_up(self) -> bool:
        return self.headers.get("x-ratelimit-remaining") == "0"

    def _requested_wait(self) -> float:
        """Return the seconds to wait: `Retry-After`, or until GitHub's rate limit is reset.

        https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
        """
        after = self.headers.get("retry-after", "")
        try:
            if after.isdecimal():
                return float(after)
            if after:
                return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
            if self._is_rate_used_up:
                return max(0.0, float(self.headers.get("x-ratelimit-reset", "0")) - time.time())
        except (ValueError, OverflowError, TypeError, IndexError):
            pass
        return 0.0


def shown(url: str) -> str:
    """Return the part of an address that messages show: scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def exchange(
    request: Request,
    authorization: str | None,
    timeout: tuple[float, float],
    *,
    headers: Mapping[str, str] | None = None,
    with_body: bool = True,
    **arguments: Any,
) -> Response:
    """Send a request and return its response, whatever its status; a redirect is not followed.

    Args:
        request: the `Request`.
        authorization: the header `Authorization`, or None.
        timeout: seconds to connect, and to wait for bytes of the response.
        headers: more headers.
        with_body: whether to read the body of a response with a status below 300.
        **arguments: more arguments of `requests.Session.request`.
    """
    with _BoundedSession() as session:
        response = session.request(
            request.method,
            request.url,
            headers={**HEADERS, **(headers or {})},
            auth=_Authorization(authorization),
            timeout=timeout,
            allow_redirects=False,
            # Without a stream, requests reads the whole body.
            stream=True,
            **arguments,
        )
        body, is_whole = b"", False
        with response:
            try:
                if with_body or response.status_code >= 300:
                    body, is_whole = _read(response)
            except Exception:  # pylint: disable=broad-exception-caught  # the status of an error is enough
                if response.status_code < 300:
                    raise
        return Response(request, response.status_code, response.headers, body, is_whole)


def _read(response: requests.Response) -> tuple[bytes, bool]:
    """Return the beginning of a body, and whether it is the whole body."""
    if response.headers.get("content-encoding", "").strip().lower() not in CODINGS:
        return b"", False
    body = bytearray()
    for block in response.iter_content(BLOCK):
        body += block
        if len(body) > BODY_LIMIT:
            return bytes(body[:BODY_LIMIT]), False
    return bytes(body), True


@dataclass(frozen=True)
class _Authorization(AuthBase):
    """The header `Authorization`; an `auth` also keeps requests from reading a password from a .netrc file."""

    value: str | None = field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.value:
            request.headers["Authorization"] = self.value
        return request


class AnswerTooLong(Exception):
    """A response has more bytes than `WIRE_LIMIT`."""


class _BoundedSession(requests.Session):
    """A session that ends a response that is too long or too late."""

    def __init__(self) -> None:
        super().__init__()
        for prefix in ("http://", "https://"):
            self.mount(prefix, _Adapter())

    def resolve_redirects(self, *_: Any, **__: Any) -> Iterator[requests.Response]:
        """Follow no redirect: requests reads the whole body of a redirecting response even if it does not follow."""
        return iter(())


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager


class _Received(io.RawIOBase):
    """The bytes received from a socket."""

    def __init__(self, raw: Any, sock: socket.socket) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        # requests sets a time-out for each of its sockets.
        self._timeout = sock.gettimeout() or 60.0
        self._left = WIRE_LIMIT

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if is_time_up():
            raise TimeoutError("the deadline has passed")
        if not self._left:
            raise AnswerTooLong
        self._sock.settimeout(limit_timeout(self._timeout))
        count: int = self._raw.readinto(memoryview(buffer)[: self._left])
        self._left -= count
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _RawResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Received(self.fp.detach(), sock))

    def begin(self) -> None:
        """Read status and headers."""
        super().begin()
        # urllib3 logs the whole address, which may be a secret, with headers that it cannot read.
        self.msg.defects.clear()
        self.msg.set_payload("")


class _Connection(HTTPConnection):
    response_class = _RawResponse


class _TlsConnection(HTTPSConnection):
    response_class = _RawResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


POOLS = {"http": _Pool, "https": _TlsPool}
