"""One execution environment: a process that serves a function, watched from outside."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.lambda_service.runtime import Runtime
from local.lambda_service.runtime_api import Ending, Invocation, Outcome, RuntimeApi

# How often a running function's memory, output and life are looked at: often enough to show output as it comes and to
# stop a function that grows too large, too seldom to be felt.
LOOK_SECONDS = 0.025


@dataclass(frozen=True)
class Program:
    """What a sandbox runs.

    Attributes:
        code: The folder with the function's code.
        handler: The function's handler, as `package.module.function`.
        environment: The environment variables.
        memory_mb: How much memory the process may take, in MiB.
    """

    code: Path
    handler: str
    environment: Mapping[str, str]
    memory_mb: int = 128


class Sandbox:
    """A process that serves one function, one event at a time; a context manager.

    Args:
        runtime: Where to start it.
        program: What to run.
        on_output: Is given each line that the function writes, as soon as it is seen.

    Attributes:
        init_duration_ms: From the start of the process until it asked for its first event; None until it has.
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
            # Hides the AWS configuration of whoever runs this.
            "HOME": str(private),
            "LAMBDA_TASK_ROOT": str(program.code),
            "TMPDIR": str(private),
        }
        self._started = time.perf_counter()
        try:
            with open(self._output.path, "ab") as output:
                self._process = runtime.start(
                    program.handler,
                    cwd=program.code,
                    env={**program.environment, **own},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
        except OSError:
            self._clean_up()
            raise

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    @property
    def peak_memory_mb(self) -> int:
        """The most memory that the process was seen to take, in MiB, rounded up."""
        return self._memory.peak_mb

    def wait_until_ready(self, timeout: float) -> Outcome:
        """Wait until the function's code is loaded and it asks for its first event."""
        outcome = self._wait("init", Ending.READY, self._started + timeout)
        if outcome.ending == Ending.READY:
            self.init_duration_ms = (time.perf_counter() - self._started) * 1000
        return outcome

    def invoke(self, invocation: Invocation) -> Outcome:
        """Hand an event to the function and wait for its answer; the sandbox must be ready."""
        deadline = time.perf_counter() + invocation.timeout
        self._api.invocations.put(invocation)
        return self._wait(invocation.request_id, Ending.RESPONSE, deadline)

    def kill(self) -> None:
        """End the process and its children; whoever waits for an answer is told that it ended."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            # All have ended already; macOS says "not permitted" of those that nobody has waited for yet.
            pass

    def stop(self) -> None:
        """End the process and take away all that it left."""
        self.kill()
        self._process.wait()
        self._clean_up()

    def _wait(self, request_id: str, hoped_for: Ending, deadline: float) -> Outcome:
        """Watch the process until it has posted what became of a request, or cannot any more."""
        outcome = None
        while outcome is None:
            seconds = min(LOOK_SECONDS, deadline - time.perf_counter())
            ended = not self.alive
            outcome = self._api.outcome(request_id, hoped_for, seconds=0 if ended else seconds)
            if outcome is None and ended:
                outcome = Outcome(Ending.EXIT, exit_status=_exit_status(self._process.wait()))
            if outcome is None and time.perf_counter() >= deadline:
                outcome = Outcome(Ending.TIMEOUT)
            if self._memory.is_exceeded_by(self._process.pid):
                outcome = Outcome(Ending.OUT_OF_MEMORY)
            self._output.show()
        if outcome.ending not in (Ending.READY, Ending.RESPONSE, Ending.ERROR):
            self.kill()
            self._process.wait()
        self._output.show(to_the_end=True)
        return outcome

    def _clean_up(self) -> None:
        self._api.close()
        self._output.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class _Memory:
    """The memory of a process; of its children nothing is known, and nothing at all where there is no Linux /proc."""

    def __init__(self, limit_mb: int):
        self._limit_kb = limit_mb * 1024
        self._peak_kb = 0

    @property
    def peak_mb(self) -> int:
        """The most memory that was seen, in MiB, rounded up."""
        return -(-self._peak_kb // 1024)

    def is_exceeded_by(self, pid: int) -> bool:
        """Look at a process; says whether it ever took more than it may."""
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return False
        # The peak, so that a short excess between two looks is seen as well. There is none once the process has ended.
        peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
        self._peak_kb = max(self._peak_kb, int(peak[1]) if peak else 0)
        return self._peak_kb > self._limit_kb


class _Output:
    """What a sandbox writes, taken from a file line by line.

    A file, because then what was written before an answer, or before a crash, is there to be read at that moment,
    without a thread that reads along.
    """

    def __init__(self, path: Path, on_line: Callable[[str], None]):
        self.path = path
        self._on_line = on_line
        self._file = open(path, "w+b")  # pylint: disable=consider-using-with
        self._rest = b""

    def show(self, *, to_the_end: bool = False) -> None:
        """Pass on the lines that are new; a last one without its end too, if told so."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        if to_the_end and self._rest:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            # The runtime client separates the lines of one message, such as a traceback's, by carriage returns.
            self._on_line(line.decode("utf-8", "replace").replace("\r", "\n"))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _exit_status(code: int) -> str:
    if code < 0:
        return f"signal: {signal.strsignal(-code) or -code}".lower()
    return f"exit status {code}" if code else ""
