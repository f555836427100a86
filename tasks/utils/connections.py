"""HTTP connections that stay open between requests, each for one request at a time.

They are botocore's own, which check certificates, without its session and urllib3's pool above them: those take as long
for a small request as the connection itself.

A body is sent without asking first whether the server wants it, which would cost a round trip. A server that refuses a
request may answer before it has read the body, and close. The answer is read all the same, over TLS too.
"""

import http.client
import ssl
from collections import defaultdict, deque
from functools import cached_property
from urllib.parse import urlsplit

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)
from urllib3.exceptions import HTTPError

from tasks.utils.deadline import expired, limited
from tasks.utils.errors import DeadlineException

# A body goes out in slices, and a time-out counts for each: a slow link is no silent server.
SLICE = 256 * 1024


class Connections:
    """Connections to any number of servers, shared by threads.

    Args:
        config: a botocore `Config`, whose time-outs count.
        ca_bundle: the path of a file of certificates to trust.
    """

    def __init__(self, config, ca_bundle):
        self._config = config
        self._ca_bundle = ca_bundle
        self._idle = defaultdict(deque)

    def send(self, request):
        """Sends a request and returns the `Answer`, whose body is still to be read.

        Args:
            request: botocore's `AWSPreparedRequest`.

        Raises:
            HTTPClientError: of the kind that botocore raises.
            DeadlineException: time ran out while the body was on its way.
        """
        url = urlsplit(request.url)
        idle = self._idle[url.scheme, url.netloc]
        connection = _still_open(idle) or self._opened(url)
        target = f"{url.path}?{url.query}" if url.query else url.path
        try:
            response = _exchange(connection, request, target, self._config.read_timeout)
        except BaseException as error:
            connection.close()
            if isinstance(error, TimeoutError):
                raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
            if isinstance(error, (OSError, http.client.HTTPException)):
                raise ConnectionClosedError(endpoint_url=request.url, error=error) from error
            if isinstance(error, ValueError):
                # A header that is none.
                raise HTTPClientError(error=error) from error
            raise
        return Answer(response, connection, idle, self._config.read_timeout)

    def close(self):
        """Closes the connections that are not in use."""
        for idle in self._idle.values():
            while connection := _taken(idle):
                connection.close()

    def _opened(self, url):
        if url.scheme == "https":
            connection = AWSHTTPSConnection(url.hostname, url.port, ssl_context=self._tls)
        else:
            connection = AWSHTTPConnection(url.hostname, url.port)
        where = f"{url.scheme}://{url.netloc}"
        connection.timeout = limited(self._config.connect_timeout)
        try:
            connection.connect()
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=where, error=error) from error
        except (HTTPError, OSError) as error:
            raise EndpointConnectionError(endpoint_url=where, error=error) from error
        return connection

    @cached_property
    def _tls(self):
        # One for all: reading the certificates takes longer than a request.
        return ssl.create_default_context(cafile=self._ca_bundle)


class Answer:
    """What came back, as botocore's `AWSResponse` has it.

    Attributes:
        status_code: the status.
        headers: the headers, whose names compare without case.
        raw: the body, to be read and closed: this object itself.
    """

    def __init__(self, response, connection, idle, timeout):
        self.status_code = response.status
        self.headers = response.headers
        self.raw = self
        self._response = response
        self._connection = connection
        self._idle = idle
        self._timeout = timeout

    @property
    def content(self):
        """The whole body; it can be asked for once."""
        try:
            return self.read()
        finally:
            self.close()

    def read(self, amount=None):
        """Returns at most `amount` bytes of the body, by default all that is left."""
        return self._reading(self._response.read, amount)

    def readinto(self, buffer):
        """Fills a buffer with what comes next, as far as there is something; returns the number of bytes."""
        return self._reading(self._response.readinto, buffer)

    def close(self):
        """Gives the connection back for the next request, or closes it where something is left to be read.

        Reading to the end does so too.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._response.isclosed() and not self._response.will_close:
            self._idle.append(connection)
        else:
            connection.close()

    def _reading(self, read, how_much):
        _limit(self._connection, self._timeout)
        try:
            return read(how_much)
        except (http.client.HTTPException, OSError) as error:
            raise ResponseStreamingError(error=error) from error
        finally:
            if self._response.isclosed():
                self.close()


def _exchange(connection, request, target, timeout):
    body, is_sent = request.body, False
    _limit(connection, timeout)
    if isinstance(body, memoryview):
        body = _slices(connection, body, timeout)
    try:
        # Not urllib3's, which would send headers and a short body as two packets, and keep more than is asked for.
        http.client.HTTPConnection.request(connection, request.method, target, body=body, headers=request.headers)
        is_sent = True
    except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
        # A server that refuses a request need not read its body. Then its answer is there already.
        if connection.sock is None:
            raise
    _limit(connection, timeout)
    # Not urllib3's, which would wrap the response once more.
    response = http.client.HTTPConnection.getresponse(connection)
    if not is_sent:
        response.will_close = True
    return response


def _slices(connection, body, timeout):
    for start in range(0, len(body), SLICE):
        if expired():
            raise DeadlineException("time ran out while a body was sent")
        _limit(connection, timeout)
        yield body[start : start + SLICE]


def _limit(connection, timeout):
    """Has the next wait for the server end by the deadline: a silent one does not carry the function over its end."""
    if connection is not None and connection.sock is not None:
        seconds = limited(timeout)
        # Setting it is a system call, during which another thread takes the interpreter's lock.
        if connection.sock.gettimeout() != seconds:
            connection.sock.settimeout(seconds)


def _still_open(idle):
    while connection := _taken(idle):
        if connection.is_connected:
            return connection
        connection.close()
    return None


def _taken(idle):
    # The one that was used last is the likeliest to be open still. Another thread may have been faster.
    try:
        return idle.pop()
    except IndexError:
        return None
