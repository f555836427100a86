"""Containers of a Lambda function: real processes that a test can kill, and that start within milliseconds.

One process, the fork server, imports everything once. Each container is a fork of it with its own environment. It
reads jobs from a socket, one after the other, and answers each. SIGKILL ends it at any moment, as Lambda does.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parent.parent.parent
# The longest job or answer, in bytes. A socket of this kind keeps messages whole.
LONGEST = 1 << 17


@dataclass
class Container:
    """One process.

    Attributes:
        pid: its process id.
        channel: the socket that carries jobs and answers.
    """

    pid: int
    channel: socket.socket

    def send(self, job):
        """Send a job: any JSON value."""
        self.channel.send(json.dumps(job).encode())

    def answer(self):
        """Return the answer to the job, or None if the process is dead."""
        try:
            received = self.channel.recv(LONGEST)
        except ConnectionError:
            return None
        return json.loads(received) if received else None

    def kill(self):
        """End the process without warning, unless it has ended already."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def close(self):
        self.kill()
        self.channel.close()


def answers_of(containers, seconds):
    """Wait for the answers of several containers, and return one for each: None for a container that died.

    Raises:
        TimeoutError: no answer came for so many seconds.
    """
    answers, waiting = {}, {container.channel: number for number, container in enumerate(containers)}
    while waiting:
        readable = select.select(list(waiting), [], [], seconds)[0]
        if not readable:
            raise TimeoutError(f"a container gave no answer for {seconds} s")
        for channel in readable:
            number = waiting.pop(channel)
            answers[number] = containers[number].answer()
    return [answers[number] for number in range(len(containers))]


class ForkServer:
    """Starts containers.

    Args:
        module: a module that calls `serve` when it is run as a program.
        log: the file for the output of the containers.
    """

    def __init__(self, module, log):
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", module, str(theirs.fileno())]
            self._process = subprocess.Popen(  # pylint: disable=consider-using-with  # `close` ends it
                command, cwd=ROOT, pass_fds=[theirs.fileno()], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def start(self, environment):
        """Return a new container with some environment variables."""
        channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._channel, [json.dumps(environment).encode()], [theirs.fileno()])
        received = self._channel.recv(LONGEST)
        if not received:
            raise RuntimeError("the fork server ended; its log says why")
        return Container(int(received), channel)

    def close(self):
        """End the server; it waits for its containers, so close those before."""
        self._channel.close()
        self._process.wait()


def context_of(seconds):
    """Return Lambda's context of an invocation with so many seconds left."""
    end = time.monotonic() + seconds
    return SimpleNamespace(
        function_name="function",
        memory_limit_in_mb="512",
        invoked_function_arn="function",
        aws_request_id="request",
        get_remaining_time_in_millis=lambda: int((end - time.monotonic()) * 1000),
    )


def serve(handle):
    """Fork a container for each request on the socket that the command line names, until the socket is closed.

    Args:
        handle: takes a job and returns its answer, in the container.
    """
    requests = socket.socket(fileno=int(sys.argv[1]))
    while True:
        environment, descriptors, _, _ = socket.recv_fds(requests, LONGEST, 1)
        if not environment:
            break
        _bury(os.WNOHANG)
        pid = os.fork()
        if not pid:
            requests.close()
            os.environ.update(json.loads(environment))
            with socket.socket(fileno=descriptors[0]) as channel:
                _work(channel, handle)
            os._exit(0)
        os.close(descriptors[0])
        requests.send(str(pid).encode())
    _bury(0)


def _bury(options):
    """Wait for dead containers, whose processor time counts as the server's from then on."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, options)[0]:
            pass


def _work(channel, handle):
    while job := channel.recv(LONGEST):
        try:
            answer = handle(json.loads(job))
        except Exception:  # pylint: disable=broad-exception-caught  # the test, in the other process, fails with it
            answer = {"error": traceback.format_exc()}
        channel.send(json.dumps(answer).encode())
