"""The Runtime API of a sandbox, through which its runtime client gets events and posts answers.

See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import queue
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler
from typing import Any
from uuid import uuid4


class Ending(Enum):
    """How an initialization or an invocation ended."""

    READY = "ready"
    INIT_ERROR = "init error"
    RESPONSE = "response"
    ERROR = "error"
    TIMEOUT = "timeout"
    EXIT = "exit"
    OUT_OF_MEMORY = "out of memory"


@dataclass(frozen=True)
class Outcome:
    """The outcome of an initialization or an invocation.

    Attributes:
        ending: How it ended.
        body: The function's answer or error, as JSON; empty if the runtime client posted nothing.
        exit_status: The exit status of the process, in Lambda's words; empty unless the process ended by itself.
    """

    ending: Ending
    body: bytes = b""
    exit_status: str = ""


def new_trace() -> str:
    """Return the trace header of a new chain of requests."""
    return f"Root=1-{int(time.time()):08x}-{uuid4().hex[:24]};Parent={uuid4().hex[:16]};Sampled=0"


@dataclass(frozen=True)
class Invocation:
    """One invocation of a function.

    Attributes:
        request_id: The id of the invocation.
        function_arn: The ARN that was invoked.
        payload: The event, as JSON.
        timeout: The function's timeout in seconds.
        trace: The trace header of the invocation.
    """

    request_id: str
    function_arn: str
    payload: bytes
    timeout: float
    trace: str = field(default_factory=new_trace)


class RuntimeApi(socketserver.TCPServer):
    """A server for one runtime client, which makes one request at a time, in one thread."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.invocations: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self.posted: queue.SimpleQueue[tuple[str, Outcome]] = queue.SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="Runtime API", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Host and port, in the form that the runtime client expects."""
        return f"127.0.0.1:{self._port}"

    @property
    def _port(self) -> int:
        return int(self.server_address[1])

    def outcome(self, request_id: str, expected: Ending, *, seconds: float) -> Outcome | None:
        """Wait some seconds for the outcome of a request, or with the id `init` for that of the initialization."""
        deadline = time.perf_counter() + seconds
        while True:
            try:
                posted_id, outcome = self.posted.get(timeout=max(0.0, deadline - time.perf_counter()))
            except queue.Empty:
                return None
            # A runtime client posts READY after each answer too; only an initialization waits for it.
            if posted_id == request_id or outcome.ending == expected == Ending.READY:
                return outcome

    def close(self) -> None:
        """Stop serving. The runtime client must have ended before."""
        self._closing = True
        self.invocations.put(None)
        # Wakes the server if it waits for a request.
        socket.create_connection(("127.0.0.1", self._port)).close()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore the broken connection of a killed runtime client; `Sandbox` notices the end of its process."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def _serve(self) -> None:
        while not self._closing:
            self.handle_request()


class _Request(BaseHTTPRequestHandler):
    """One request of the runtime client."""

    server: RuntimeApi
    # Send an answer in one segment and at once: with an unbuffered socket and Nagle's algorithm the second segment
    # waits up to 40 ms for an acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:  # pylint: disable=invalid-name  # http.server requires this name
        """Wait for the next invocation and answer with it."""
        self.server.posted.put(("", Outcome(Ending.READY)))
        invocation = self.server.invocations.get()
        if invocation is None:
            self._answer(410, b"", {})
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + invocation.timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": invocation.trace,
        }
        self._answer(200, invocation.payload, headers)

    def do_POST(self) -> None:  # pylint: disable=invalid-name  # http.server requires this name
        """Accept a function's answer or error."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        *_, request_id, kind = self.path.split("/")
        endings = {"response": Ending.RESPONSE, "error": Ending.INIT_ERROR if request_id == "init" else Ending.ERROR}
        self.server.posted.put((request_id, Outcome(endings[kind], body)))
        self._answer(202, b'{"status":"OK"}', {})

    def log_message(self, *_: object) -> None:
        """Log nothing for answered requests."""

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
