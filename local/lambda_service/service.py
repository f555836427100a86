"""The Lambda service: everything that is deployed to the embedded AWS as functions, at work."""

import base64
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from moto.awslambda.models import EventSourceMapping, LambdaFunction, lambda_backends

from local.embedded_aws import EmbeddedAws
from local.lambda_service.asynchronous import AsynchronousInvocations
from local.lambda_service.errors import Refused, Stopped
from local.lambda_service.event_sources import EventSources
from local.lambda_service.functions import Functions
from local.lambda_service.instance import Instance
from local.lambda_service.logs import Logs
from local.lambda_service.runtime import Runtime

# How long a new event source mapping may go unseen, and the sandboxes of a deleted function stay.
LOOK_SECONDS = 0.1

# Lambda waits one minute and two; nobody wants to watch that.
RETRY_DELAYS = (0.2, 0.4)


class LambdaService:
    """Runs the functions of an embedded AWS from their zips; a context manager.

    What there is to run it reads from what was applied, in all accounts and regions, and it follows every change:
    functions, event source mappings, event invoke configurations. It answers the Invoke API, takes asynchronous
    events, and polls queues. Functions run in processes of their own, with their configured environment, memory and
    timeout and with their role's credentials.

    Args:
        aws: The embedded AWS, started.
        python: An interpreter with awslambdaric installed, under which functions run; the running one by default.
        retry_delays: Seconds before the first and the second retry of an asynchronous invocation.
        redelivery_seconds: How long messages of a queue stay invisible once a function was not done with them, unless
            the function changed their visibility itself. With None that is the rest of the visibility time-out, as with
            Lambda, which is six time-outs of the function.

    Raises:
        RuntimeError: When it is entered: awslambdaric is not installed.
    """

    def __init__(
        self,
        aws: EmbeddedAws,
        python: str | None = None,
        *,
        retry_delays: Sequence[float] = RETRY_DELAYS,
        redelivery_seconds: float | None = None,
    ):
        self._aws = aws
        self._runtime = Runtime(python)
        self._retry_delays = retry_delays
        self._redelivery_seconds = redelivery_seconds
        self._functions: Functions | None = None
        self._logs = Logs()
        self._stack = ExitStack()

    def __enter__(self) -> "LambdaService":
        with ExitStack() as stack:
            stack.enter_context(self._runtime)
            start = partial(Instance, self._runtime, endpoint_url=self._aws.endpoint_url, logs=self._logs)
            functions = Functions(start)
            asynchronous = AsynchronousInvocations(
                self._aws, functions, logs=self._logs, retry_delays=self._retry_delays
            )
            stack.callback(asynchronous.join)
            event_sources = EventSources(functions, logs=self._logs, redelivery_seconds=self._redelivery_seconds)
            stack.callback(event_sources.join)
            # Before the joins above: what runs is ended, so that nothing has to be waited for.
            stack.callback(functions.stop)
            stack.callback(event_sources.follow, [])
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
        """What is called with a function's name and each line of its log."""
        return self._logs.on_log

    @on_log.setter
    def on_log(self, on_log: Callable[[str, str], None] | None) -> None:
        self._logs.on_log = on_log

    def logs(self, function_name: str) -> list[str]:
        """List the latest lines of a function's log, oldest first."""
        return self._logs.of(function_name)

    def crash(self, function_name: str) -> int:
        """End the processes of a function that are at work right now; returns how many there were."""
        return self._functions.crash(function_name)

    def _follow_changes(self, functions: Functions, event_sources: EventSources, stack: ExitStack) -> None:
        stopping = threading.Event()

        def follow() -> None:
            while not stopping.wait(LOOK_SECONDS):
                event_sources.follow(_event_source_mappings())
                functions.retire()

        thread = threading.Thread(target=follow, name="Lambda service", daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(stopping.set)

    def _take_invocations(self, functions: Functions, asynchronous: AsynchronousInvocations, stack: ExitStack) -> None:
        def invoke(function: LambdaFunction, payload: bytes, invocation_type: str) -> tuple[int, dict[str, str], bytes]:
            payload = payload or b"{}"
            if not _is_json(payload):
                problem = "Could not parse request body into json."
                return _refusal(Refused(400, "InvalidRequestContentException", problem))
            if invocation_type == "Event":
                return 202, {"x-amzn-RequestId": asynchronous.accept(function, payload)}, b""
            return _invoke(functions, function, payload)

        stack.callback(setattr, self._aws, "lambda_invoker", self._aws.lambda_invoker)
        self._aws.lambda_invoker = invoke


def _invoke(functions: Functions, function: LambdaFunction, payload: bytes) -> tuple[int, dict[str, str], bytes]:
    """Invoke a function synchronously and answer as the Invoke API does."""
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


def _refusal(refused: Refused) -> tuple[int, dict[str, str], bytes]:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": refused.error_type}
    return refused.status, headers, json.dumps({"Type": "User", "message": str(refused)}).encode()


def _is_json(payload: bytes) -> bool:
    try:
        json.loads(payload)
    except ValueError:
        return False
    return True


def _event_source_mappings() -> list[EventSourceMapping]:
    # Lists, because requests add to these dictionaries meanwhile.
    backends = [backend for regions in list(lambda_backends.values()) for backend in list(regions.values())]
    return [mapping for backend in backends for mapping in backend.list_event_source_mappings("", "")]
