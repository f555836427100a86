"""HTTP connections that stay open between requests, each for one request at a time.

botocore opens them and checks certificates. Requests are written and answers read here: botocore's session, urllib3's
pool and http.client, which reads headers as those of an e-mail, take several times as long for a small request.

A body is sent without asking first whether the server wants it, which would cost a round trip. A server that refuses a
request may answer before it has read the body, and close. The answer is read all the same, over TLS too.

A server may send anything, as slowly as it likes. So each read ends by the deadline, and what is no object is cut off
at a limit: interim answers, headers, and bodies of XML or JSON.
"""

import http.client
import io
import ssl
from collections import defaultdict, deque
from functools import cached_property, lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

from botocore.auth import _host_from_url
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

from tasks.object_clerk.errors import DeadlineException
from tasks.utils.deadline import expired, limited

# A body goes out in slices, and a time-out counts for each: a slow link is no silent server.
SLICE = 256 * 1024

# S3 answers with 8 KB of an object's own headers at most, and some of its own.
HEADERS_LIMIT = 64 * 1024

# Bytes of a body that is no object. An error, or the answer to a write, has less than 1 KiB, a DynamoDB item 400 KB.
CONTENT_LIMIT = 1024 * 1024
PIECE = 16 * 1024

# "100 Continue" is sent once, if at all.
INTERIM_ANSWERS = 8

# Reads of one answer after the deadline, 0.05 s each at most: what has arrived already is still read, for a second.
LATE_READS = 20

# Seconds that a wait for the server may last beyond the deadline, so that not every read sets a time-out of its own.
SLACK = 0.1


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
                # A header that is none.
                raise HTTPClientError(error=error) from error
            raise
        return Answer(response, connection, idle)

    def close(self):
        """Closes the connections that are not in use."""
        for idle in self._idle.values():
            while connection := _taken(idle):
                connection.close()

    def _opened(self, origin):
        url = urlsplit(origin)
        if url.scheme == "https":
            connection = AWSHTTPSConnection(url.hostname, url.port, ssl_context=self._tls)
        else:
            connection = AWSHTTPConnection(url.hostname, url.port)
        connection.timeout = limited(self._config.connect_timeout)
        try:
            connection.connect()
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=origin, error=error) from error
        except (HTTPError, OSError) as error:
            raise EndpointConnectionError(endpoint_url=origin, error=error) from error
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

    def __init__(self, response, connection, idle):
        self.status_code = response.status
        self.headers = response.headers
        self.raw = self
        self._response = response
        self._connection = connection
        self._idle = idle
        self._content = None

    @property
    def content(self):
        """The body of an answer that is no object, at most `CONTENT_LIMIT` bytes of it.

        The connection is free again, or closed where the body is longer.
        """
        if self._content is None:
            try:
                self._content = self._read_content()
            finally:
                self.close()
        return self._content

    def _read_content(self):
        content, piece = bytearray(), memoryview(bytearray(PIECE))
        while size := self.readinto(piece[: CONTENT_LIMIT - len(content)]):
            content += piece[:size]
        missing = self._response.length
        if missing and len(content) < CONTENT_LIMIT:
            raise ResponseStreamingError(error=http.client.IncompleteRead(bytes(content), missing))
        return bytes(content)

    def read(self, amount=None):
        """Returns the next bytes of the body: `amount` of them, fewer at its end; by default all that is left."""
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
            self._response.close()
            connection.close()

    def _reading(self, read, how_much):
        try:
            return read(how_much)
        except (http.client.HTTPException, OSError) as error:
            # What follows on the connection is the rest of this answer.
            self._response.will_close = True
            raise ResponseStreamingError(error=error) from error
        finally:
            if self._response.isclosed():
                self.close()


class _Bytes(io.RawIOBase):
    """What a server sends: each wait for some of it ends by the deadline."""

    def __init__(self, sock, timeout):
        super().__init__()
        self._sock = sock
        self._timeout = timeout
        self._late_reads = 0

    def makefile(self, _mode):
        """Returns itself with a buffer, as http.client asks a socket for it."""
        return io.BufferedReader(self)

    def readable(self):
        """Returns that there is something to read."""
        return True

    def readinto(self, buffer):
        """Fills a buffer with what has arrived; returns the number of bytes, 0 at the end."""
        self._late_reads += expired()
        if self._late_reads > LATE_READS:
            raise TimeoutError("time ran out while an answer was read")
        _limit(self._sock, self._timeout)
        return self._sock.recv_into(buffer)


class _Response(http.client.HTTPResponse):  # pylint: disable=too-many-instance-attributes  # http.client's
    """An answer whose headers are read as HTTP has them, not as an e-mail does."""

    def begin(self):
        """Reads the status and the headers; http.client's own method reads the body by what is set here."""
        for _ in range(INTERIM_ANSWERS):
            version, status, self.reason = self._read_status()
            headers = _read_headers(self.fp)
            if status != HTTPStatus.CONTINUE:
                break
        else:
            raise http.client.HTTPException(f"{INTERIM_ANSWERS} interim answers came, and no other")
        self.status = status
        self.version = 10 if version == "HTTP/1.0" else 11
        self.headers = self.msg = headers
        self.chunked, self.chunk_left = headers.get("transfer-encoding", "").lower() == "chunked", None
        length = headers.get("content-length", "")
        self.length = int(length) if length.isdecimal() and not self.chunked else None
        if self._method == "HEAD" or status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            self.length = 0
        # The end of the connection is the end of a body whose length is not known.
        self.will_close = self._check_close() or (self.length is None and not self.chunked)

    def _read_next_chunk_size(self):
        size = super()._read_next_chunk_size()
        if size < 0:
            # http.client takes -1 for "all that comes".
            raise ValueError("the size of a chunk is negative")
        return size


def _read_headers(stream):
    headers, left = http.client.HTTPMessage(), HEADERS_LIMIT
    while line := stream.readline(left + 1).decode("latin-1"):
        left -= len(line)
        if left < 0:
            raise http.client.HTTPException(f"the headers of an answer are longer than {HEADERS_LIMIT} bytes")
        if line in ("\r\n", "\n"):
            return headers
        name, colon, value = line.partition(":")
        if not colon:
            raise http.client.HTTPException("an answer has a header without a name")
        headers.set_raw(name, value.strip())
    raise http.client.HTTPException("the connection ended within the headers of an answer")


def _exchange(connection, head, request, timeout):
    body, is_sent = memoryview(request.body or b""), False
    try:
        # Headers and a short body leave together, in one packet where they fit.
        for start in range(0, max(1, len(body)), SLICE):
            if body and expired():
                raise DeadlineException("time ran out while a body was sent")
            _limit(connection.sock, timeout)
            connection.sock.sendall(head + body[start : start + SLICE])
            head = b""
        is_sent = True
    except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
        # A server that refuses a request need not read its body. Then its answer is there already.
        pass
    response = _Response(_Bytes(connection.sock, timeout), method=request.method)
    try:
        response.begin()
    except BaseException:
        response.close()
        raise
    if not is_sent:
        response.will_close = True
    return response


def _head(request, origin, target):
    """Returns the request line and the headers as bytes; a ValueError says that a header is none."""
    headers = (("Host", host(origin)), *request.headers.items(), ("Accept-Encoding", "identity"))
    lines = [f"{request.method} {target} HTTP/1.1".encode("ascii")]
    # A value that is not ASCII is bytes already.
    lines += [
        b"%b: %b" % (name.encode("ascii"), value if isinstance(value, bytes) else value.encode("latin-1"))
        for name, value in headers
    ]
    head = b"\r\n".join((*lines, b"", b""))
    # One line break for each line. One that a value brings along would begin a header of its own.
    if not head.count(b"\r") == head.count(b"\n") == len(lines) + 1:
        raise ValueError("Invalid header value: it holds a line break")
    return head


def split(url):
    """Returns a URL in two parts: scheme, host and port; path and query."""
    end = url.index("/", len("https://"))
    return url[:end], url[end:]


@lru_cache
def host(origin):
    """Returns the header `Host` for `scheme://host:port`, as botocore's signer writes it."""
    return _host_from_url(origin)


def _limit(sock, timeout):
    """Has the next wait for the server end by the deadline: a silent one does not carry the function over its end."""
    seconds = limited(timeout)
    # Setting it is a system call, during which another thread takes the interpreter's lock.
    if not seconds <= sock.gettimeout() <= seconds + SLACK:
        sock.settimeout(seconds)


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
