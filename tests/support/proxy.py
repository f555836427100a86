"""An HTTP proxy before a server, which disturbs the requests that a test chooses."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.support.http_messages import HEAD_END


@dataclass
class Fault:  # pylint: disable=too-many-instance-attributes  # one for each kind of fault
    """A fault for the next requests whose request line begins with `method` and contains `about`.

    Attributes:
        times: number of requests that have the fault.
        after: number of matching requests before them that have none.
        up: changes the body of the request.
        down: changes the head and the body of the answer.
        cut: bytes of the answer's body before the connection ends.
        reset: the connection ends with a reset.
        lost: the server does its work, and the answer is dropped.
        refusal: status and code of an answer in the server's place.
        silent: the connection stays open without an answer.
    """

    method: str = ""
    about: str = ""
    times: int = 1
    after: int = 0
    up: Callable[[bytes], bytes] | None = None
    down: Callable[[bytes, bytes], tuple[bytes, bytes]] | None = None
    cut: int | None = None
    reset: bool = False
    lost: bool = False
    refusal: tuple[int, str] | None = None
    silent: bool = False

    def hits(self, request_line):
        if self.times <= 0 or not request_line.startswith(self.method) or self.about not in request_line:
            return False
        if self.after:
            self.after -= 1
            return False
        self.times -= 1
        return True


def flipped(body, bit=None):
    """Return the bytes with one bit changed, by default in the middle."""
    bit = len(body) * 4 if bit is None else bit
    changed = bytearray(body)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@dataclass
class Proxy:  # pylint: disable=too-many-instance-attributes  # the server, the faults and the threads
    """Listens on a port of its own and forwards every request to `host` and `port`, one connection each.

    Attributes:
        requests: the request lines, in order of arrival.
    """

    host: str
    port: int
    requests: list = field(default_factory=list)

    def __post_init__(self):
        self._faults = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._threads = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.listens_on = self._listener.getsockname()[1]

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self._closed.set()
        # `close` alone would not end `accept`.
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.listens_on), timeout=1).close()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def add(self, *faults):
        with self._lock:
            self._faults.extend(faults)

    def clear(self):
        with self._lock:
            self._faults.clear()

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while not self._closed.is_set():
            connection, _ = self._listener.accept()
            self._start(self._serve, connection)

    def _serve(self, client):
        # One request for each connection: the answer has the header `Connection: close`.
        with client, suppress(OSError):
            client.settimeout(30)
            head, body = _receive(client)
            if not head:
                return
            fault = self._fault_for(head.split(b"\r\n", 1)[0].decode())
            if fault.silent:
                self._closed.wait()
                return
            if _asks_to_continue(head):
                client.sendall(b"HTTP/1.1 100 Continue" + HEAD_END)
            body += _receive_exactly(client, _length(head) - len(body))
            if fault.refusal:
                client.sendall(_refusal(head, *fault.refusal))
                return
            answer_head, answer_body = self._forward(head, fault.up(body) if fault.up else body)
            if fault.down:
                answer_head, answer_body = fault.down(answer_head, answer_body)
            if fault.lost:
                answer_head = answer_body = b""
            client.sendall(answer_head + answer_body[: fault.cut])
            if fault.reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _fault_for(self, request_line):
        with self._lock:
            self.requests.append(request_line)
            return next((fault for fault in self._faults if fault.hits(request_line)), Fault())

    def _forward(self, head, body):
        lines = [line for line in head[: -len(HEAD_END)].split(b"\r\n") if not _is_about_connection(line)]
        with socket.create_connection((self.host, self.port), timeout=30) as server:
            server.sendall(b"\r\n".join([*lines, b"Connection: close"]) + HEAD_END + body)
            answer = b"".join(iter(lambda: server.recv(1 << 20), b""))
        head, _, body = answer.partition(HEAD_END)
        lines = [line for line in head.split(b"\r\n") if not _is_about_connection(line)]
        return b"\r\n".join([*lines, b"Connection: close"]) + HEAD_END, body


def _refusal(head, status, code):
    body = b"" if head.startswith(b"HEAD") else f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def _is_about_connection(line):
    return line.lower().startswith((b"connection:", b"expect:"))


def _asks_to_continue(head):
    return b"\r\nexpect: 100-continue" in head.lower()


def _length(head):
    lines = head.lower().split(b"\r\n")
    return next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), 0)


def _receive(connection):
    received = b""
    while HEAD_END not in received:
        block = connection.recv(1 << 16)
        if not block:
            return b"", b""
        received += block
    head, _, body = received.partition(HEAD_END)
    return head + HEAD_END, body


def _receive_exactly(connection, size):
    blocks = []
    while size > 0:
        block = connection.recv(min(size, 1 << 20))
        if not block:
            raise ConnectionError("the client went away")
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)
