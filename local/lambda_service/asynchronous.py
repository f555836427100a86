"""Asynchronous invocations: events wait their turn, failed ones are tried again, and how they ended is told."""

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

# How many events are worked on at a time. Lambda would take a thousand; this is one machine.
WORKERS = 8

# Lambda tries a throttled event again after a second, then ever later; on one machine it is sooner another's turn.
REFUSED_SECONDS = 0.2

# What Lambda does unless a function's event invoke configuration says otherwise.
DEFAULT_RETRIES = 2
DEFAULT_AGE_SECONDS = 6 * 3600


class AsynchronousInvocations:
    """The events that functions were invoked with asynchronously.

    Args:
        aws: Where records and dead letters are sent.
        functions: Runs the functions.
        logs: Is told what goes wrong.
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
        """Take an event to invoke a function with; returns its request id at once."""
        event = Event(function, payload)
        self._events.put(event, delay=0)
        return event.request_id

    def stop(self) -> None:
        """Forget what waits; what runs is left to `Functions.stop`, and `join` waits for it."""
        self._events.stop()

    def join(self) -> None:
        """Wait until no event is worked on any more."""
        for worker in self._workers:
            worker.join()

    def _work(self) -> None:
        while event := self._events.take():
            try:
                self._attempt(event)
            except Refused as error:
                self._logs.write_once(event.function.function_name, f"Event {event.request_id} has to wait: {error}")
                self._events.put(event, delay=REFUSED_SECONDS)
            except Stopped:
                pass

    def _attempt(self, event: Event) -> None:
        config = _config(event.function)
        if time.monotonic() - event.accepted > config.get("MaximumEventAgeInSeconds", DEFAULT_AGE_SECONDS):
            self._tell(event, "EventAgeExceeded")
            return
        event.result = self._functions.invoke(event.function, event.payload, request_id=event.request_id)
        event.invocations += 1
        if not event.result.failed:
            self._tell(event, "Success")
        elif event.invocations > config.get("MaximumRetryAttempts", DEFAULT_RETRIES):
            self._tell(event, "RetriesExhausted")
        else:
            self._events.put(event, delay=self._retry_delays[event.invocations - 1])

    def _tell(self, event: Event, condition: str) -> None:
        """Tell whoever wants to know how an event ended."""
        function = event.function
        succeeded = condition == "Success"
        destinations = _config(function).get("DestinationConfig", {})
        if destination := destinations.get("OnSuccess" if succeeded else "OnFailure", {}).get("Destination"):
            with self._telling_of_failure(event, destination):
                send_record(self._aws, destination, event.record(condition), function=function)
        dead_letters = (getattr(function, "dead_letter_config", None) or {}).get("TargetArn")
        if dead_letters and not succeeded:
            with self._telling_of_failure(event, dead_letters):
                attributes = event.dead_letter_attributes()
                send_message(self._aws, dead_letters, event.payload.decode(), attributes, function=function)

    @contextmanager
    def _telling_of_failure(self, event: Event, arn: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, Refused) as error:
            self._logs.write(event.function.function_name, f"Event {event.request_id} was not told to {arn}: {error}")


def _config(function: LambdaFunction) -> dict[str, Any]:
    """Give a function's event invoke configuration; the latest is in force."""
    return function.event_invoke_config[-1].config if function.event_invoke_config else {}
