"""One execution environment: a process that serves a function, and a watch on its memory, output and end."""

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local.lambda_service.runtime import Runtime
from local.lambda_service.runtime_api import Ending, Invocation, Outcome, RuntimeApi

# Interval of the check of a running function's memory, output and process: short enough to show output as it comes and
# to stop a function that grows too large, long enough to cost no measurable CPU time.
POLL_SECONDS = 0.025


@dataclass(frozen=True)
class Program:
    """The program of a sandbox.

    Attributes:
        code: The folder with the function's code.
        handler: The function's handler, as `package.module.function`.
        environment: The environment variables.
        memory_mb: The memory limit of the process, in MiB.
    """

    code: Path
    handler: str
    environment: Mapping[str, str]
    memory_mb: int = 128


class Sandbox:
    """A process that serves one function, one event at a time; a context manager.

    Args:
        runtime: Starts the process.
        program: The program.
        on_output: A callback that gets each line of output.

    Attributes:
        init_duration_ms: The time from the start of the process to its first request for an event; None before that.
    """

    def __init__(self, runtime: Runtime, program: Program, *, on_output: Callable[[str], None] = lambda line: None):
        self.init_duration_ms: float | None = None
        self._folder = runtime.new_folder()
        self._memory = _Memory(program.memory_mb)
        self._output = _Output(self._folder / "output", on_output)
        self._api = RuntimeApi()
        private = self._folder / "tmp"
        private.mkdir()
        own = {
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            # Hides the AWS configuration of the user who runs this.
            "HOME": str(private),
            "LAMBDA_TASK_ROOT": str(program.code),
            "TMPDIR": str(private),
        }
        self._started = time.perf_counter()
        try:
            with open(self._output.path, "ab") as output:
                environment = {**program.environment, **own}
                self._process = runtime.start(program.handler, cwd=program.code, env=environment, output=output)
        except OSError:
            self._clean_up()
            raise

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def is_alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    @property
    def peak_memory_mb(self) -> int:
        """The highest measured memory of the process, in MiB, rounded up."""
        return self._memory.peak_mb

    def wait_until_ready(self, timeout: float) -> Outcome:
        """Wait until the function's code is loaded and it requests its first event."""
        outcome = self._wait("init", Ending.READY, self._started + timeout)
        if outcome.ending == Ending.READY:
            self.init_duration_ms = (time.perf_counter() - self._started) * 1000
        return outcome

    def invoke(self, invocation: Invocation) -> Outcome:
        """Pass an event to the function and wait for its answer. The sandbox must be ready."""
        deadline = time.perf_counter() + invocation.timeout
        self._api.invocations.put(invocation)
        return self._wait(invocation.request_id, Ending.RESPONSE, deadline)

    def kill(self) -> None:
        """Kill the process and its children; a pending `invoke` returns an error."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Suspend the process and its children; a pending `invoke` runs into its time-out."""
        self._signal(signal.SIGSTOP)

    def stop(self) -> None:
        """Kill the process and remove its files."""
        self.kill()
        self._process.wait()
        self._clean_up()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            # All have ended already; macOS answers "not permitted" for processes that ended but were not waited for.
            pass

    def _wait(self, request_id: str, expected: Ending, deadline: float) -> Outcome:
        """Watch the process until it posts the outcome of a request, ends, or breaks a limit."""
        outcome = None
        while outcome is None:
            seconds = min(POLL_SECONDS, deadline - time.perf_counter())
            ended = not self.is_alive
            outcome = self._api.outcome(request_id, expected, seconds=0 if ended else seconds)
            if outcome is None and ended:
                outcome = Outcome(Ending.EXIT, exit_status=_exit_status(self._process.wait()))
            if outcome is None and time.perf_counter() >= deadline:
                outcome = Outcome(Ending.TIMEOUT)
            self._memory.measure(self._process.pid)
            if self._memory.is_exceeded:
                outcome = Outcome(Ending.OUT_OF_MEMORY)
            self._output.forward()
        if outcome.ending not in (Ending.READY, Ending.RESPONSE, Ending.ERROR):
            self.kill()
            self._process.wait()
        self._output.forward(with_partial_line=True)
        return outcome

    def _clean_up(self) -> None:
        self._api.close()
        self._output.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class _Memory:
    """The peak memory of a process without its children; always 0 on a system without Linux's /proc."""

    def __init__(self, limit_mb: int):
        self._limit_kb = limit_mb * 1024
        self._peak_kb = 0

    @property
    def peak_mb(self) -> int:
        """The highest measurement, in MiB, rounded up."""
        return -(-self._peak_kb // 1024)

    @property
    def is_exceeded(self) -> bool:
        """Whether the peak is above the limit."""
        return self._peak_kb > self._limit_kb

    def measure(self, pid: int) -> None:
        """Read the peak memory of a process."""
        with suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
            # The system's own peak, so that a short excess between two measurements counts. An ended process has none.
            peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
            self._peak_kb = max(self._peak_kb, int(peak[1]) if peak else 0)


class _Output:
    """The output of a sandbox, read line by line from a file.

    A file holds all output from before an answer or a crash at that moment, and needs no reader thread.
    """

    def __init__(self, path: Path, on_line: Callable[[str], None]):
        self.path = path
        self._on_line = on_line
        self._file = open(path, "w+b")  # pylint: disable=consider-using-with  # `close` closes it
        self._partial_line = b""

    def forward(self, *, with_partial_line: bool = False) -> None:
        """Pass the new lines to the callback, optionally with a last line that has no line end yet."""
        *lines, self._partial_line = (self._partial_line + self._file.read()).split(b"\n")
        if with_partial_line and self._partial_line:
            lines.append(self._partial_line)
            self._partial_line = b""
        for line in lines:
            # The runtime client separates the lines of one message, such as a traceback, by carriage returns.
            self._on_line(line.decode("utf-8", "replace").replace("\r", "\n"))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _exit_status(code: int) -> str:
    if code < 0:
        return f"signal: {signal.strsignal(-code) or -code}".lower()
    return f"exit status {code}" if code else ""
