"""A server with scripted answers, over TCP or TLS, without an HTTP library."""

import socket
import ssl
import threading
from contextlib import contextmanager, suppress

import trustme

from tests.support.http_messages import HEAD_END

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbytes"
AUTHORITY = trustme.CA()


class Server:  # pylint: disable=too-many-instance-attributes  # its answers, and a record of the requests
    """Answers each request with the next answer, and repeats the last one.

    Args:
        answers: bytes, or functions that take the connection and the head of the request.
        certificate: of trustme; the server then speaks TLS.
        tls_version: the highest version that it accepts.

    Attributes:
        connections: number of connections so far.
        requests: the heads of all requests.
    """

    def __init__(self, *answers, certificate=None, tls_version=None):
        self.answers = list(answers)
        self.connections = 0
        self.requests = []
        self._open = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(self._tls)
            self._tls.maximum_version = tls_version or ssl.TLSVersion.MAXIMUM_SUPPORTED
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            # Answers leave at once, even if the connection is closed right after them.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            # OpenSSL would use the descriptor of a closed socket, which may belong to another file by then.
            while connection.fileno() >= 0 and (head := self._head(connection)):
                self.requests.append(head)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if callable(answer):
                    answer(connection, head)
                else:
                    connection.sendall(answer)
        except OSError:
            pass
        finally:
            connection.close()

    @staticmethod
    def _head(connection):
        # Read no byte of the body, because an answer may read it. TLS cannot peek, so read byte by byte there.
        is_tls = isinstance(connection, ssl.SSLSocket)
        head = b""
        while HEAD_END not in head:
            size = 1
            if not is_tls:
                seen = connection.recv(65_536, socket.MSG_PEEK)
                end = (head + seen).find(HEAD_END)
                size = len(seen) if end < 0 else end + len(HEAD_END) - len(head)
            block = connection.recv(size)
            if not block:
                return b""
            head += block
        return head

    def close(self):
        self._listener.close()
        for connection in self._open:
            # This wakes the connection's thread, which closes it. If it were closed here, the next file could get its
            # descriptor, and the thread might write a TLS alert into that file.
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


@contextmanager
def served(*answers, **tls):
    """Run a `Server` with these answers until the block ends, and yield it."""
    server = Server(*answers, **tls)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def running(server):
    """Run a server of `http.server` until the block ends, and yield it."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(handler, status, headers, body):
    """Send an answer through a handler of `http.server`."""
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def reset(connection):
    """End a connection with a reset, as a crashed server does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
