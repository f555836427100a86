"""Sessions of requests whose answers are bounded: by the deadline, and by the bytes that come over the wire.

http.client bounds a line of an answer, and the number of its headers, and neither its interim answers nor its trailers;
the time-out of a socket counts for one wait. So both bounds are held beneath http.client, where bytes are received.
"""

import http.client
import io

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from tasks.utils.deadline import is_time_up, limit_timeout

# Bytes on the wire for one answer, headers and all: twice what may be read of its body.
WIRE_LIMIT = 2 << 20


class AnswerTooLong(Exception):
    """More bytes came than an answer may have."""


class BoundedSession(requests.Session):
    """A session that gives up an answer that is too long or too late, and leaves the body of each to its caller."""

    def __init__(self):
        super().__init__()
        for prefix in ("http://", "https://"):
            self.mount(prefix, _Adapter())

    def resolve_redirects(self, *_, **__):
        """Follows none: requests would read the whole body of an answer that redirects, even if it is not to follow."""
        return iter(())


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args, **options):
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args, **options):
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager


class _Received(io.RawIOBase):
    """What is received from a socket."""

    def __init__(self, raw, sock):
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._timeout = sock.gettimeout()
        self._left = WIRE_LIMIT

    def readable(self):
        return True

    def readinto(self, buffer):
        if is_time_up():
            raise TimeoutError("the deadline has passed")
        if not self._left:
            raise AnswerTooLong
        self._sock.settimeout(limit_timeout(self._timeout))
        count = self._raw.readinto(memoryview(buffer)[: self._left])
        self._left -= count
        return count

    def close(self):
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock, *args, **options):
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Received(self.fp.detach(), sock))

    def begin(self):
        """Reads status and headers."""
        super().begin()
        # urllib3 would log the whole address, which may be a secret, with headers that cannot be read.
        self.msg.defects.clear()
        self.msg.set_payload("")


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


POOLS = {"http": _Pool, "https": _TlsPool}
