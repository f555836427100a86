"""Asynchronous invocations: a queue of events, retries after failures, and records of their outcome."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError
from moto.awslambda.models import LambdaFunction

from local.embedded_aws import EmbeddedAws
from local.lambda_service.delay_queue import DelayQueue
from local.lambda_service.destinations import Event, send_message, send_record
from local.lambda_service.errors import Refused, Stopped
from local.lambda_service.functions import Functions
from local.lambda_service.logs import Logs

# Events that run at the same time. Lambda runs up to a thousand; this is one machine.
WORKERS = 8

# Lambda retries a throttled event after one second and then backs off; here it is shorter for the demo and tests.
THROTTLED_SECONDS = 0.2

# Lambda's defaults for the event invoke configuration of a function.
DEFAULT_RETRIES = 2
DEFAULT_AGE_SECONDS = 6 * 3600


class AsynchronousInvocations:
    """The events of asynchronous invocations.

    Args:
        aws: Gets records and dead letters.
        functions: Runs the functions.
        logs: Gets a line for each problem.
        retry_delays: Seconds before the first and the second retry. Lambda waits one minute and two.
    """

    def __init__(self, aws: EmbeddedAws, functions: Functions, *, logs: Logs, retry_delays: Sequence[float]):
        self._aws = aws
        self._functions = functions
        self._logs = logs
        self._retry_delays = retry_delays
        self._events: DelayQueue[Event] = DelayQueue()
        self._workers = [threading.Thread(target=self._work, name="asynchronous", daemon=True) for _ in range(WORKERS)]
        for worker in self._workers:
            worker.start()

    def accept(self, function: LambdaFunction, payload: bytes) -> str:
        """Queue an event for a function, and return its request id at once."""
        event = Event(function, payload)
        self._events.put(event, delay=0)
        return event.request_id

    def stop(self) -> None:
        """Drop the waiting events. `Functions.stop` ends the running ones, and `join` waits for them."""
        self._events.stop()

    def join(self) -> None:
        """Wait until all running events have ended."""
        for worker in self._workers:
            worker.join()

    def _work(self) -> None:
        while event := self._events.take():
            try:
                self._attempt(event)
            except Refused as error:
                self._logs.write_once(event.function.function_name, f"Event {event.request_id} is delayed: {error}")
                self._events.put(event, delay=THROTTLED_SECONDS)
            except Stopped:
                # Lambda keeps its queue of events over an outage. At the end of the service the queue releases no more.
                self._events.put(event, delay=THROTTLED_SECONDS)

    def _attempt(self, event: Event) -> None:
        config = _config(event.function)
        if time.monotonic() - event.accepted > config.get("MaximumEventAgeInSeconds", DEFAULT_AGE_SECONDS):
            self._report(event, "EventAgeExceeded")
            return
        event.result = self._functions.invoke(event.function, event.payload, request_id=event.request_id)
        event.invocations += 1
        if not event.result.failed:
            self._report(event, "Success")
        elif event.invocations > config.get("MaximumRetryAttempts", DEFAULT_RETRIES):
            self._report(event, "RetriesExhausted")
        else:
            self._events.put(event, delay=self._retry_delays[event.invocations - 1])

    def _report(self, event: Event, condition: str) -> None:
        """Send the outcome of an event to the function's destinations and its dead-letter queue."""
        function = event.function
        succeeded = condition == "Success"
        destinations = _config(function).get("DestinationConfig", {})
        if destination := destinations.get("OnSuccess" if succeeded else "OnFailure", {}).get("Destination"):
            with self._logging_failure(event, destination):
                send_record(self._aws, destination, event.record(condition), function=function)
        dead_letters = (getattr(function, "dead_letter_config", None) or {}).get("TargetArn")
        if dead_letters and not succeeded:
            with self._logging_failure(event, dead_letters):
                attributes = event.dead_letter_attributes()
                send_message(self._aws, dead_letters, event.payload.decode(), attributes, function=function)

    @contextmanager
    def _logging_failure(self, event: Event, arn: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, Refused) as error:
            problem = f"Event {event.request_id}: its outcome was not sent to {arn}: {error}"
            self._logs.write(event.function.function_name, problem)


def _config(function: LambdaFunction) -> dict[str, Any]:
    """Return a function's latest event invoke configuration, which applies."""
    return dict(function.event_invoke_config[-1].config) if function.event_invoke_config else {}
