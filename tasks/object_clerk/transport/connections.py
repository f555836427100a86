"""HTTP connections that stay open between requests, each for one request at a time.

botocore opens them and checks certificates. Requests are written here, because botocore's session and urllib3's pool
take several times as long for a small request.

A body is sent without asking first whether the server wants it, which would cost a round trip. A server that refuses a
request may answer before it has read the body, and close the connection. The answer is read all the same, over TLS too.
"""

from __future__ import annotations

import http.client
import ssl
import weakref
from collections import defaultdict, deque
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.auth import _host_from_url  # type: ignore[attr-defined]  # the stubs leave it out
from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.exceptions import HTTPError

from tasks.object_clerk.errors import DeadlineException
from tasks.object_clerk.transport.responses import Answer, limit_wait, read_response
from tasks.utils.deadline import is_time_up, limit_timeout

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

    from tasks.object_clerk.transport.responses import _Response

# A body is sent in slices, each with its own time-out, so that a slow link does not pass for a silent server.
SLICE = 256 * 1024


class Connections:
    """Connections to any number of servers, shared by threads.

    Args:
        config: a botocore `Config` with the time-outs.
        ca_bundle: the path of a file of certificates to trust, or True for the system's.
    """

    def __init__(self, config: Any, ca_bundle: Any) -> None:
        self._config = config
        self._ca_bundle = ca_bundle
        self._idle: defaultdict[str, deque[Any]] = defaultdict(deque)
        # A client that is no longer used leaves no open connection behind.
        weakref.finalize(self, _close_all, self._idle)

    def send(self, request: AWSPreparedRequest) -> Answer:
        """Send a request and return its answer, whose body is still to be read.

        Raises:
            HTTPClientError: of the kind that botocore raises.
            DeadlineException: time ran out while the body was sent.
        """
        origin, target = split(request.url)
        idle = self._idle[origin]
        connection = _still_open(idle) or self._opened(origin)
        try:
            response = _exchange(connection, _head(request, origin, target), request, self._config.read_timeout)
        except BaseException as error:
            connection.close()
            if isinstance(error, TimeoutError):
                raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
            if isinstance(error, (OSError, http.client.HTTPException)):
                raise ConnectionClosedError(endpoint_url=request.url, error=error) from error
            if isinstance(error, ValueError):
                # A header is invalid.
                raise HTTPClientError(error=error) from error
            raise
        return Answer(response, connection, idle)

    def close(self) -> None:
        """Close the connections that are not in use."""
        _close_all(self._idle)

    def _opened(self, origin: str) -> Any:
        url = urlsplit(origin)
        if url.scheme == "https":
            connection: Any = AWSHTTPSConnection(url.hostname, url.port, ssl_context=self._tls)
        else:
            connection = AWSHTTPConnection(url.hostname, url.port)
        connection.timeout = limit_timeout(self._config.connect_timeout)
        try:
            connection.connect()
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=origin, error=error) from error
        except (HTTPError, OSError) as error:
            raise EndpointConnectionError(endpoint_url=origin, error=error) from error
        return connection

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # One for all connections: reading the certificates takes longer than a request.
        return ssl.create_default_context(cafile=self._ca_bundle)


def _exchange(connection: Any, head: bytes, request: AWSPreparedRequest, timeout: float) -> _Response:
    is_sent = _is_sent(connection.sock, head, request, timeout)
    response = read_response(connection.sock, method=request.method, timeout=timeout)
    if not is_sent:
        response.will_close = True
    return response


def _is_sent(sock: Any, head: bytes, request: Any, timeout: float) -> bool:
    """Send a request; return False if the server closed the connection before it had read all of it."""
    body = memoryview(request.body or b"")
    try:
        # Headers and a short body leave together, in one packet if they fit.
        for start in range(0, max(1, len(body)), SLICE):
            if body and is_time_up():
                raise DeadlineException("time ran out while a body was sent")
            limit_wait(sock, timeout)
            sock.sendall(head + body[start : start + SLICE])
            head = b""
    except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
        # A server that refuses a request need not read its body. Then its answer has arrived already.
        return False
    return True


def _head(request: AWSPreparedRequest, origin: str, target: str) -> bytes:
    """Return the request line and the headers.

    Raises:
        ValueError: a header is invalid.
    """
    headers = (("Host", host(origin)), *request.headers.items(), ("Accept-Encoding", "identity"))
    lines = [f"{request.method} {target} HTTP/1.1".encode("ascii")]
    # A value that is not ASCII is bytes already.
    lines += [
        b"%b: %b" % (name.encode("ascii"), value if isinstance(value, bytes) else value.encode("latin-1"))
        for name, value in headers
    ]
    head = b"\r\n".join((*lines, b"", b""))
    # One line break for each line. A line break within a value would begin another header.
    if not head.count(b"\r") == head.count(b"\n") == len(lines) + 1:
        raise ValueError("Invalid header value: it holds a line break")
    return head


def split(url: str) -> tuple[str, str]:
    """Return a URL in two parts: scheme, host and port; path and query."""
    end = url.index("/", len("https://"))
    return url[:end], url[end:]


@lru_cache
def host(origin: str) -> str:
    """Return the header `Host` for `scheme://host:port`, as botocore's signer writes it."""
    name: str = _host_from_url(origin)
    return name


def _still_open(idle: deque[Any]) -> Any:
    while connection := _taken(idle):
        if connection.is_connected:
            return connection
        connection.close()
    return None


def _close_all(idle_by_origin: dict[str, deque[Any]]) -> None:
    for idle in idle_by_origin.values():
        while connection := _taken(idle):
            connection.close()


def _taken(idle: deque[Any]) -> Any:
    # The connection that was used last is the likeliest to be open still. Another thread may have taken it.
    try:
        return idle.pop()
    except IndexError:
        return None
