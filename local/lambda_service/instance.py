"""A sandbox of a function, with the credentials of its role and Lambda's log lines."""

import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from moto.awslambda.models import LambdaFunction

from local.lambda_service.configuration import fingerprint, sandbox_environment
from local.lambda_service.logs import Logs, LogStream
from local.lambda_service.roles import assume
from local.lambda_service.runtime import Runtime
from local.lambda_service.runtime_api import Ending, Invocation, Outcome
from local.lambda_service.sandbox import Program, Sandbox

# Lambda allows ten seconds for an initialization, and repeats a longer one as part of the first invocation.
INIT_SECONDS = 10

# Lambda returns the last 4 KB of an invocation's log.
LOG_TAIL_BYTES = 4096


@dataclass(frozen=True)
class Result:
    """The result of an invocation.

    Attributes:
        request_id: The id of the invocation.
        version: The version of the function.
        payload: The function's answer or error, as JSON.
        failed: Whether the payload is an error.
        log_tail: The end of the invocation's log.
        milliseconds: The duration of the invocation, without the initialization.
    """

    request_id: str
    version: str
    payload: bytes
    failed: bool
    log_tail: bytes
    milliseconds: float


class Instance:
    """One sandbox of a function.

    Args:
        runtime: Starts the sandbox.
        function: The function.
        endpoint_url: The URL of AWS for the function.
        logs: Gets the log lines.

    Attributes:
        fingerprint: The fingerprint of the function at the start.
        reusable: Whether it can take another event.
    """

    def __init__(self, runtime: Runtime, function: LambdaFunction, *, endpoint_url: str, logs: Logs):
        credentials = assume(function.role, session=function.function_name, region=function.region)
        code = runtime.unpack(function.code_bytes)
        self.fingerprint = fingerprint(function)
        self.reusable = True
        self._function = function
        self._cold = True
        self._log = LogStream(logs, function)
        self._log.write(f"INIT_START Runtime Version: {runtime.version}")
        environment = sandbox_environment(
            function, log_stream=self._log.name, endpoint_url=endpoint_url, credentials=credentials
        )
        program = Program(code, str(function.handler), environment, function.memory_size)
        self._sandbox = Sandbox(runtime, program, on_output=self._log.write)

    @property
    def function_name(self) -> str:
        """The name of its function."""
        return str(self._function.function_name)

    @property
    def is_alive(self) -> bool:
        """Whether its process is running."""
        return self._sandbox.is_alive

    def invoke(self, payload: bytes, *, request_id: str, trace: str) -> Result:
        """Run the function on an event and wait for its answer."""
        cold, self._cold = self._cold, False
        outcome = self._initialize() if cold else Outcome(Ending.READY)
        started = time.perf_counter()
        self._log.write(f"START RequestId: {request_id} Version: {self._function.version}")
        if outcome.ending == Ending.READY:
            invocation = Invocation(request_id, self._function.function_arn, payload, self._function.timeout, trace)
            outcome = self._sandbox.invoke(invocation)
        self.reusable = outcome.ending in (Ending.RESPONSE, Ending.ERROR)
        error = _error(outcome, request_id=request_id, timeout=self._function.timeout)
        if error and not outcome.body:
            self._log.write(error["errorMessage"])
        self._log.write(f"END RequestId: {request_id}")
        milliseconds = (time.perf_counter() - started) * 1000
        self._log.write(self._report(request_id, milliseconds, cold=cold, error=error))
        return Result(
            request_id=request_id,
            version=str(self._function.version),
            payload=outcome.body or json.dumps(error).encode(),
            failed=error is not None,
            log_tail="\n".join([*self._log.take_recent(), ""]).encode()[-LOG_TAIL_BYTES:],
            milliseconds=milliseconds,
        )

    def kill(self) -> None:
        """Kill its process; a running invocation ends with an error."""
        self._sandbox.kill()

    def freeze(self) -> None:
        """Suspend its process; a running invocation ends with its time-out."""
        self._sandbox.freeze()

    def stop(self) -> None:
        """Kill its process and remove its files."""
        self._sandbox.stop()

    def _initialize(self) -> Outcome:
        return self._sandbox.wait_until_ready(max(INIT_SECONDS, self._function.timeout))

    def _report(self, request_id: str, milliseconds: float, *, cold: bool, error: dict[str, str] | None) -> str:
        initialization = self._sandbox.init_duration_ms if cold else None
        parts = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {milliseconds:.2f} ms",
            f"Billed Duration: {math.ceil(milliseconds + (initialization or 0))} ms",
            f"Memory Size: {self._function.memory_size} MB",
            f"Max Memory Used: {self._sandbox.peak_memory_mb} MB",
        ]
        if initialization is not None:
            parts.append(f"Init Duration: {initialization:.2f} ms")
        if error:
            timed_out = error["errorType"] == "Sandbox.Timedout"
            parts += ["Status: timeout"] if timed_out else ["Status: error", f"Error Type: {error['errorType']}"]
        return "\t".join(parts)


def _error(outcome: Outcome, *, request_id: str, timeout: int) -> dict[str, str] | None:
    """Return the error of an outcome: the function's own, or Lambda's for a function that posted none."""
    if outcome.ending == Ending.RESPONSE:
        return None
    if outcome.body:
        return {"errorType": json.loads(outcome.body)["errorType"]}
    if outcome.ending == Ending.TIMEOUT:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        message = f"{now}Z {request_id} Task timed out after {timeout:.2f} seconds"
        return {"errorType": "Sandbox.Timedout", "errorMessage": message}
    if outcome.ending == Ending.OUT_OF_MEMORY:
        error_type, reason = "Runtime.OutOfMemory", " with error: signal: killed"
    else:
        error_type = "Runtime.ExitError"
        reason = f" with error: {outcome.exit_status}" if outcome.exit_status else " without providing a reason"
    return {"errorType": error_type, "errorMessage": f"RequestId: {request_id} Error: Runtime exited{reason}"}
