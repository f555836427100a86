"""Workers of upload_validate as separate processes, which can be stopped and killed between any two bytes.

`python -m tests.upload_validate.worker_processes` imports the task once and then forks a worker for each line that it
reads: JSON with the environment, the event and the port for the answer. A worker sends its process id, and at its end
the answer and the log of the handler.
"""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LONGEST_SLEEP = 0.01


@dataclass
class Worker:
    """One invocation.

    Attributes:
        pid: its process.
        answers: the connection for the answer.
        said: the answer and the log, after `wait`; None if it was killed before.
    """

    pid: int
    answers: Any
    said: dict | None = None

    def wait(self):
        """Wait until it has answered or is killed."""
        line = self.answers.readline()
        self.answers.close()
        self.said = json.loads(line) if line else None

    def signal(self, number):
        os.kill(self.pid, number)


class WorkerPool:
    """Starts workers as forks of one process."""

    def __init__(self, environment):
        self._environment = environment
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._process = subprocess.Popen(  # pylint: disable=consider-using-with  # it ends with this object
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], **environment},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()
        self._listener.close()

    def start(self, event, **environment):
        """Start a worker on one event."""
        port = self._listener.getsockname()[1]
        order = {"event": event, "environment": environment, "port": port}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        connection, _ = self._listener.accept()
        with connection:
            answers = connection.makefile("r")
        return Worker(int(answers.readline()), answers)


class Context:  # pylint: disable=too-few-public-methods  # the used part of Lambda's context
    aws_request_id = "request"

    def get_remaining_time_in_millis(self):
        return 60_000


def main():
    sleep = time.sleep
    # The tests do not need the waits.
    time.sleep = lambda seconds: sleep(min(seconds, LONGEST_SLEEP))
    # Imported after that, because some modules import the name `sleep`.
    from tasks.upload_validate import handler, idempotency  # pylint: disable=import-outside-toplevel  # see above
    from tasks.utils.retry import RetryPolicy  # pylint: disable=import-outside-toplevel  # see above

    idempotency.PATIENCE = RetryPolicy(tries=2)
    # This opens no connection, and each fork has the clients.
    for service in ("s3", "dynamodb"):
        handler.client(service)
    handler.ses_client(1, 1)
    # No process waits for the end of a fork.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if not os.fork():
            work(handler.handler, json.loads(line))
            os._exit(0)


def work(handler, order):
    os.environ |= order["environment"]
    with socket.create_connection(("127.0.0.1", order["port"])) as connection:
        connection.sendall(f"{os.getpid()}\n".encode())
        sys.stdout = io.StringIO()
        try:
            answer = handler(order["event"], Context())
        except Exception as error:  # pylint: disable=broad-exception-caught  # Lambda takes every error
            answer = {"error": repr(error)}
        said = json.dumps({"answer": answer, "log": sys.stdout.getvalue()})
        connection.sendall(f"{said}\n".encode())


if __name__ == "__main__":
    main()
