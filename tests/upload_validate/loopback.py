"""A server on this machine that gives any answer that a test needs."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.server import running, send


class Server(ThreadingHTTPServer):
    """Answers with the next item of `line`: a status with headers and body, or a function of the handler."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.line, self.received = [], []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):  # pylint: disable=invalid-name  # the library's name
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.received.append((self.command, self.path, dict(self.headers), body))
        following = self.server.line.pop(0) if self.server.line else (200, {}, b"{}")
        if callable(following):
            following(self)
        else:
            send(self, *following)

    do_GET = do_POST

    def log_message(self, format, *args):
        pass


def serving():
    """Serve until the block ends, and yield the `Server`."""
    return running(Server())


def raw(*parts):
    """Answer with these bytes until the client closes the connection."""

    def answer(handler):
        try:
            for part in parts:
                handler.wfile.write(part)
        except OSError:
            pass
        handler.close_connection = True

    return answer
