"""The Lambda service: it runs all functions that are deployed to the embedded AWS."""

import base64
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from moto.awslambda.models import EventSourceMapping, LambdaFunction, lambda_backends

from local.embedded_aws import EmbeddedAws
from local.lambda_service.asynchronous import AsynchronousInvocations
from local.lambda_service.errors import Refused, Stopped
from local.lambda_service.event_sources import Consumer, EventSources
from local.lambda_service.functions import Functions
from local.lambda_service.instance import Instance
from local.lambda_service.logs import Logs
from local.lambda_service.runtime import Runtime

# Interval of the check for new event source mappings and deleted functions.
POLL_SECONDS = 0.1

# Lambda waits one minute and two, too long for the demo and for tests.
RETRY_DELAYS = (0.2, 0.4)

Answer = tuple[int, dict[str, str], bytes]


class LambdaService:  # pylint: disable=too-many-instance-attributes  # its settings and its parts
    """A context manager that runs the functions of an embedded AWS from their zips.

    It serves the functions, event source mappings and event invoke configurations of all accounts and regions, and
    follows their changes. It answers the Invoke API, takes asynchronous events, and polls queues. Each function runs in
    its own processes, with its configured environment, memory and timeout and with the credentials of its role.

    Args:
        aws: The embedded AWS, started.
        python: The interpreter that runs the functions, with awslambdaric installed; the running one by default.
        retry_delays: Seconds before the first and the second retry of an asynchronous invocation.
        redelivery_seconds: How long failed messages of a queue stay invisible, unless the function changed their
            visibility. None means the rest of the visibility time-out, as with Lambda.
        endpoint_url: The URL of AWS for the functions, such as that of a network with faults; by default its own.

    Raises:
        RuntimeError: On entry, if awslambdaric is not installed.
    """

    def __init__(
        self,
        aws: EmbeddedAws,
        python: str | None = None,
        *,
        retry_delays: Sequence[float] = RETRY_DELAYS,
        redelivery_seconds: float | None = None,
        endpoint_url: str | None = None,
    ):
        self._aws = aws
        self._endpoint_url = endpoint_url or aws.endpoint_url
        self._runtime = Runtime(python)
        self._retry_delays = retry_delays
        self._redelivery_seconds = redelivery_seconds
        self._functions: Functions | None = None
        self._logs = Logs()
        self._stack = ExitStack()

    def __enter__(self) -> "LambdaService":
        with ExitStack() as stack:
            stack.enter_context(self._runtime)
            start = partial(Instance, self._runtime, endpoint_url=self._endpoint_url, logs=self._logs)
            functions = Functions(start)
            asynchronous = AsynchronousInvocations(
                self._aws, functions, logs=self._logs, retry_delays=self._retry_delays
            )
            stack.callback(asynchronous.join)
            event_sources = EventSources(Consumer(functions, self._logs, self._redelivery_seconds))
            stack.callback(event_sources.join)
            # This runs before the joins above and ends all running functions, so that the joins return soon.
            stack.callback(functions.stop)
            stack.callback(event_sources.update, [])
            stack.callback(asynchronous.stop)
            self._follow_changes(functions, event_sources, stack)
            self._take_invocations(functions, asynchronous, stack)
            self._functions = functions
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def on_log(self) -> Callable[[str, str], None] | None:
        """The callback for log lines; it gets the function's name and the line."""
        return self._logs.on_log

    @on_log.setter
    def on_log(self, on_log: Callable[[str, str], None] | None) -> None:
        self._logs.on_log = on_log

    def logs(self, function_name: str) -> list[str]:
        """Return the latest lines of a function's log, oldest first."""
        return self._logs.of(function_name)

    def crash(self, function_name: str) -> int:
        """Kill the busy processes of a function, and return their number."""
        return self._functions.crash(function_name) if self._functions else 0

    def freeze(self, function_name: str) -> int:
        """Suspend the busy processes of a function until they time out, and return their number."""
        return self._functions.freeze(function_name) if self._functions else 0

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Kill all functions, and start none until the block ends: messages and asynchronous events wait."""
        assert self._functions, "the service is not started"
        with self._functions.outage():
            yield

    def _follow_changes(self, functions: Functions, event_sources: EventSources, stack: ExitStack) -> None:
        stopping = threading.Event()

        def follow() -> None:
            while not stopping.wait(POLL_SECONDS):
                event_sources.update(_event_source_mappings())
                functions.retire()

        thread = threading.Thread(target=follow, name="Lambda service", daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(stopping.set)

    def _take_invocations(self, functions: Functions, asynchronous: AsynchronousInvocations, stack: ExitStack) -> None:
        def invoke(function: LambdaFunction, payload: bytes, invocation_type: str) -> Answer:
            payload = payload or b"{}"
            if not _is_json(payload):
                problem = "Could not parse request body into json."
                return _refusal(Refused(400, "InvalidRequestContentException", problem))
            if invocation_type == "Event":
                return 202, {"x-amzn-RequestId": asynchronous.accept(function, payload)}, b""
            return _invoke(functions, function, payload)

        stack.callback(setattr, self._aws, "lambda_invoker", self._aws.lambda_invoker)
        self._aws.lambda_invoker = invoke


def _invoke(functions: Functions, function: LambdaFunction, payload: bytes) -> Answer:
    """Invoke a function synchronously, and return the answer of the Invoke API."""
    try:
        result = functions.invoke(function, payload)
    except Refused as refused:
        return _refusal(refused)
    except Stopped:
        return _refusal(Refused(503, "ServiceException", "The Lambda service was stopped."))
    headers = {
        "Content-Type": "application/json",
        "x-amzn-RequestId": result.request_id,
        "X-Amz-Executed-Version": result.version,
        "X-Amz-Log-Result": base64.b64encode(result.log_tail).decode(),
    }
    if result.failed:
        headers["X-Amz-Function-Error"] = "Unhandled"
    return 200, headers, result.payload


def _refusal(refused: Refused) -> Answer:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": refused.error_type}
    return refused.status, headers, json.dumps({"Type": "User", "message": str(refused)}).encode()


def _is_json(payload: bytes) -> bool:
    try:
        json.loads(payload)
    except ValueError:
        return False
    return True


def _event_source_mappings() -> list[EventSourceMapping]:
    # Copies, because requests may add to these dictionaries during the loop.
    backends = [backend for regions in list(lambda_backends.values()) for backend in list(regions.values())]
    return [mapping for backend in backends for mapping in backend.list_event_source_mappings("", "")]
