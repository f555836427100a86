"""Event source mappings: messages of queues are received in batches and handed to functions."""

import json
import threading
import time
from collections.abc import Collection, Iterable
from contextlib import suppress

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import EventSourceMapping, LambdaFunction, lambda_backends
from moto.sqs.exceptions import QueueDoesNotExist, ReceiptHandleIsInvalid, SQSException
from moto.sqs.models import Message, SQSBackend, sqs_backends

from local.lambda_service.errors import Refused, Stopped
from local.lambda_service.functions import Functions
from local.lambda_service.logs import Logs
from local.lambda_service.recursion import count_dropped, extended, goes_too_far
from local.lambda_service.roles import permits
from local.lambda_service.sqs_batches import passes, reported_failures, sqs_record, trace_of
from local.patches.sqs import QUEUES_CHANGED

# It works on moto's queues from inside.
# pylint: disable=protected-access

# How long one receive waits for messages, and so how long a change of a mapping may go unseen.
RECEIVE_SECONDS = 0.2

# How long to wait before another look at a mapping that cannot be polled for now, and before another try of a function
# that is throttled.
PAUSE_SECONDS = 0.1

# Lambda begins with five batches at a time and takes more under load, up to `MaximumConcurrency`; this is one machine.
BATCHES_AT_A_TIME = 5

# SQS gives at most ten messages at a time.
MESSAGES_PER_RECEIVE = 10

NEEDED_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


class _Queue:
    """The queue of a mapping."""

    def __init__(self, arn: str):
        _, _, _, region, account_id, self._name = arn.split(":")
        self._backend: SQSBackend = sqs_backends[account_id][region]
        self.visibility_timeout: int = self._backend.get_queue(self._name).visibility_timeout

    def receive(self, count: int, seconds: float) -> list[Message]:
        """Receive messages, and wait for the first one if need be."""
        count = min(count, MESSAGES_PER_RECEIVE)
        return self._backend.receive_message(self._name, count, seconds, self.visibility_timeout, ["All"])

    def delete(self, message: Message) -> None:
        """Delete a message, unless somebody else did."""
        with suppress(ReceiptHandleIsInvalid):
            self._backend.delete_message(self._name, message.receipt_handle)

    def return_after(self, messages: Iterable[Message], seconds: float) -> None:
        """Make messages visible again in so many seconds, all at the same moment, but where the function did itself."""
        with QUEUES_CHANGED:
            # What was received is a copy, which knows when the message was to be visible again.
            now = {message.id: message.visible_at for message in self._backend.get_queue(self._name)._messages}
            for message in messages:
                if now.get(message.id) == message.visible_at:
                    with suppress(SQSException):
                        self._backend.change_message_visibility(self._name, message.receipt_handle, seconds)


class QueuePoller:  # pylint: disable=too-many-instance-attributes  # what it is told, and its threads
    """Polls the queue of one event source mapping for its function, in threads of its own.

    Args:
        mapping: The mapping; its changes are seen while it is polled for.
        functions: Runs the function.
        logs: Is told, under the function's name, why messages have to wait.
        redelivery_seconds: How long messages that failed stay invisible; None is the rest of their visibility time-out.
    """

    def __init__(
        self, mapping: EventSourceMapping, functions: Functions, *, logs: Logs, redelivery_seconds: float | None
    ):
        self._mapping = mapping
        self._functions = functions
        self._logs = logs
        self._redelivery_seconds = redelivery_seconds
        self._stopping = threading.Event()
        self._batches: set[threading.Thread] = set()
        self._batch_done = threading.Condition()
        self._thread = threading.Thread(target=self._poll, name=f"poller {mapping.uuid}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Receive no more; the batches that are worked on go on."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until no batch is worked on any more."""
        self._thread.join()
        for batch in list(self._batches):
            batch.join()

    def _poll(self) -> None:
        while not self._stopping.is_set():
            with self._batch_done:
                free = self._batch_done.wait_for(lambda: len(self._batches) < self._limit, RECEIVE_SECONDS)
            try:
                if free and not self._poll_once():
                    self._stopping.wait(PAUSE_SECONDS)
            except (UnknownFunctionException, QueueDoesNotExist):
                self._stopping.wait(PAUSE_SECONDS)

    @property
    def _limit(self) -> int:
        return (self._mapping.scaling_config or {}).get("MaximumConcurrency") or BATCHES_AT_A_TIME

    def _poll_once(self) -> bool:
        """Wait a little for messages and begin to work on them; says whether it makes sense to go on at once."""
        mapping = self._mapping
        function = lambda_backends[mapping.account_id][mapping.region].get_function(mapping.function_arn)
        if not mapping.enabled or not self._may_poll(function):
            return False
        queue = _Queue(mapping.event_source_arn)
        messages = self._receive(queue)
        if messages:
            batch = threading.Thread(target=self._work, args=(function, queue, messages), name="batch", daemon=True)
            with self._batch_done:
                self._batches.add(batch)
            batch.start()
        return True

    def _may_poll(self, function: LambdaFunction) -> bool:
        queue_arn = self._mapping.event_source_arn
        missing = [action for action in NEEDED_ACTIONS if not permits(function.role, action, queue_arn)]
        if missing:
            problem = f"The function's role does not permit {', '.join(missing)} on {queue_arn}."
            self._logs.write_once(function.function_name, problem)
        return not missing

    def _receive(self, queue: _Queue) -> list[Message]:
        """Receive a batch: what is there, or what comes within the batching window."""
        size = self._mapping.batch_size
        messages = queue.receive(size, RECEIVE_SECONDS)
        until = time.monotonic() + (self._mapping.max_batch_window or 0)
        while messages and len(messages) < size and not self._stopping.is_set():
            wait = max(0.0, min(RECEIVE_SECONDS, until - time.monotonic()))
            more = queue.receive(size - len(messages), wait)
            messages += more
            if not more and time.monotonic() >= until:
                break
        return messages

    def _work(self, function: LambdaFunction, queue: _Queue, messages: list[Message]) -> None:
        try:
            failed = self._hand_over(function, messages, time.monotonic() + queue.visibility_timeout)
            for message in messages:
                if message.id not in failed:
                    queue.delete(message)
            # What failed becomes visible again by itself, if nobody is in a hurry.
            if self._redelivery_seconds is not None:
                queue.return_after((one for one in messages if one.id in failed), self._redelivery_seconds)
        except (Stopped, QueueDoesNotExist):
            pass
        finally:
            with self._batch_done:
                self._batches.discard(threading.current_thread())
                self._batch_done.notify_all()

    def _hand_over(self, function: LambdaFunction, messages: list[Message], visible_again: float) -> Collection[str]:
        """Invoke the function on a batch; returns the ids of the messages that it is not done with."""
        records = [sqs_record(message, self._mapping) for message in messages]
        records = [record for record in records if passes(record, self._mapping.filter_criteria)]
        ids, traces = [record["messageId"] for record in records], [trace_of(record) for record in records]
        if any(goes_too_far(function, trace) for trace in traces):
            # The messages go back to the queue, until its redrive policy makes dead letters of them.
            count_dropped(function)
            self._logs.write(function.function_name, f"Lambda found a recursive loop and dropped {', '.join(ids)}.")
            return ids
        payload, trace = json.dumps({"Records": records}).encode(), extended(function, traces)
        # Lambda tries again while a function is throttled, until the messages become visible again.
        while records and time.monotonic() < visible_again and not self._stopping.is_set():
            try:
                result = self._functions.invoke(function, payload, trace=trace)
            except Refused as error:
                self._logs.write_once(function.function_name, f"Messages have to wait: {error}")
                self._stopping.wait(PAUSE_SECONDS)
                continue
            if result.failed or "ReportBatchItemFailures" not in (self._mapping.function_response_types or []):
                return ids if result.failed else []
            return reported_failures(result.payload, ids)
        return ids


class EventSources:
    """The pollers of all event source mappings, wherever they are.

    Args:
        functions: Runs the functions.
        logs: Is told what goes wrong.
        redelivery_seconds: As `QueuePoller` has it.
    """

    def __init__(self, functions: Functions, *, logs: Logs, redelivery_seconds: float | None):
        self._functions = functions
        self._logs = logs
        self._redelivery_seconds = redelivery_seconds
        self._pollers: dict[str, QueuePoller] = {}
        self._ending: list[QueuePoller] = []

    def follow(self, mappings: Iterable[EventSourceMapping]) -> None:
        """Poll for these mappings and for no others."""
        wanted = {mapping.uuid: mapping for mapping in mappings if ":sqs:" in mapping.event_source_arn}
        for uuid in self._pollers.keys() - wanted.keys():
            poller = self._pollers.pop(uuid)
            poller.stop()
            self._ending.append(poller)
        for uuid in wanted.keys() - self._pollers.keys():
            self._pollers[uuid] = QueuePoller(
                wanted[uuid], self._functions, logs=self._logs, redelivery_seconds=self._redelivery_seconds
            )

    def join(self) -> None:
        """Wait until no batch is worked on any more of mappings that are not followed any more."""
        for poller in self._ending:
            poller.join()
