"""Event source mappings: functions get the messages of queues in batches."""

import json
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import EventSourceMapping, LambdaFunction, lambda_backends
from moto.sqs.exceptions import QueueDoesNotExist, ReceiptHandleIsInvalid, SQSException
from moto.sqs.models import Message, SQSBackend, sqs_backends

from local.lambda_service.errors import Refused, Stopped
from local.lambda_service.functions import Functions
from local.lambda_service.instance import Result
from local.lambda_service.logs import Logs
from local.lambda_service.recursion import count_dropped, is_recursive_loop, next_trace
from local.lambda_service.roles import permits
from local.lambda_service.sqs_batches import matches_filter, reported_failures, sqs_record, trace_of
from local.patches.sqs import QUEUES_CHANGED

# The long poll of one receive, and so the longest delay until a change of a mapping takes effect.
RECEIVE_SECONDS = 0.2

# Wait before the next check of a mapping that cannot be polled, and before the next try of a throttled function.
PAUSE_SECONDS = 0.1

# Lambda starts with five concurrent batches and adds more under load, up to `MaximumConcurrency`; this is one machine.
DEFAULT_CONCURRENCY = 5

# SQS returns at most ten messages at a time.
MESSAGES_PER_RECEIVE = 10

NEEDED_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


class _Queue:
    """The queue of a mapping."""

    def __init__(self, arn: str):
        _, _, _, region, account_id, self._name = arn.split(":")
        self._backend: SQSBackend = sqs_backends[account_id][region]

    @property
    def visibility_timeout(self) -> int:
        """The visibility time-out of the queue, in seconds."""
        # Moto sets the attributes of a queue by their names, so its types do not have them.
        return int(vars(self._backend.get_queue(self._name))["visibility_timeout"])

    def receive(self, count: int, seconds: float) -> list[Message]:
        """Receive messages; wait up to some seconds for the first one."""
        # The patched method also takes parts of a second.
        receive_message: Callable[..., list[Message]] = self._backend.receive_message
        count = min(count, MESSAGES_PER_RECEIVE)
        return receive_message(self._name, count, seconds, self.visibility_timeout, ["All"])

    def delete(self, message: Message) -> None:
        """Delete a message unless it is deleted already."""
        with suppress(ReceiptHandleIsInvalid):
            self._backend.delete_message(self._name, message.receipt_handle or "")

    def return_after(self, messages: Iterable[Message], seconds: float) -> None:
        """Make messages visible in some seconds, all at once, except those whose visibility the function has set."""
        # The patched method also takes parts of a second.
        change_visibility: Callable[..., None] = self._backend.change_message_visibility
        with QUEUES_CHANGED:
            queue = self._backend.get_queue(self._name)
            stored: list[Message] = queue._messages  # pylint: disable=protected-access  # moto has no public list
            # A received message is a copy, with the visibility time from the receive.
            visible_at = {message.id: message.visible_at for message in stored}
            for message in messages:
                if visible_at.get(message.id) == message.visible_at:
                    with suppress(SQSException):
                        change_visibility(self._name, message.receipt_handle, seconds)


@dataclass(frozen=True)
class Consumer:
    """The settings and services that all pollers share.

    Attributes:
        functions: Runs the functions.
        logs: Gets a line, under the function's name, when messages are delayed.
        redelivery_seconds: How long failed messages stay invisible; None means the rest of their visibility time-out.
    """

    functions: Functions
    logs: Logs
    redelivery_seconds: float | None


class _Batches:
    """The threads of the running batches of one mapping."""

    def __init__(self) -> None:
        self._threads: set[threading.Thread] = set()
        self._changed = threading.Condition()

    def wait_for_capacity(self, limit: Callable[[], int], seconds: float) -> bool:
        """Wait until fewer batches than the limit are running; return False after some seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._threads) < limit(), seconds)

    def start(self, work: Callable[[], None]) -> None:
        """Run a batch in its own thread."""

        def run() -> None:
            try:
                work()
            finally:
                with self._changed:
                    self._threads.discard(threading.current_thread())
                    self._changed.notify_all()

        thread = threading.Thread(target=run, name="batch", daemon=True)
        with self._changed:
            self._threads.add(thread)
        thread.start()

    def join(self) -> None:
        """Wait until all batches have ended."""
        for thread in list(self._threads):
            thread.join()


class QueuePoller:
    """A poller of the queue of one event source mapping, with its own threads.

    Args:
        mapping: The mapping. Its changes take effect with the next receive.
        consumer: The settings and services that all pollers share.
    """

    def __init__(self, mapping: EventSourceMapping, consumer: Consumer):
        self._mapping = mapping
        self._consumer = consumer
        self._stopping = threading.Event()
        self._batches = _Batches()
        self._thread = threading.Thread(target=self._poll, name=f"poller {mapping.uuid}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop receiving; running batches continue."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until all batches have ended."""
        self._thread.join()
        self._batches.join()

    def _poll(self) -> None:
        while not self._stopping.is_set():
            has_capacity = self._batches.wait_for_capacity(self._limit, RECEIVE_SECONDS)
            try:
                if has_capacity and not self._poll_once():
                    self._stopping.wait(PAUSE_SECONDS)
            except (UnknownFunctionException, QueueDoesNotExist):
                self._stopping.wait(PAUSE_SECONDS)

    def _limit(self) -> int:
        return (self._mapping.scaling_config or {}).get("MaximumConcurrency") or DEFAULT_CONCURRENCY

    def _poll_once(self) -> bool:
        """Receive messages and start a batch of them; return False if the mapping cannot be polled now."""
        mapping = self._mapping
        function = lambda_backends[mapping.account_id][mapping.region].get_function(mapping.function_arn)
        if not mapping.enabled or not self._may_poll(function):
            return False
        queue = _Queue(mapping.event_source_arn)
        messages = self._receive(queue)
        if messages:
            self._batches.start(lambda: self._process(function, queue, messages))
        return True

    def _may_poll(self, function: LambdaFunction) -> bool:
        queue_arn = self._mapping.event_source_arn
        missing = [action for action in NEEDED_ACTIONS if not permits(function.role, action, queue_arn)]
        if missing:
            problem = f"The function's role does not permit {', '.join(missing)} on {queue_arn}."
            self._consumer.logs.write_once(function.function_name, problem)
        return not missing

    def _receive(self, queue: _Queue) -> list[Message]:
        """Receive a batch: the available messages, and those that arrive within the batching window."""
        size = self._mapping.batch_size
        messages = queue.receive(size, RECEIVE_SECONDS)
        deadline = time.monotonic() + (self._mapping.max_batch_window or 0)
        while messages and len(messages) < size and not self._stopping.is_set():
            wait = max(0.0, min(RECEIVE_SECONDS, deadline - time.monotonic()))
            more = queue.receive(size - len(messages), wait)
            messages += more
            if not more and time.monotonic() >= deadline:
                break
        return messages

    def _process(self, function: LambdaFunction, queue: _Queue, messages: list[Message]) -> None:
        """Invoke the function on a batch, delete the done messages, and return the failed ones to the queue."""
        with suppress(QueueDoesNotExist):
            try:
                failed = self._invoke(function, messages, time.monotonic() + queue.visibility_timeout)
            except Stopped:
                failed = [message.id for message in messages]
            for message in messages:
                if message.id not in failed:
                    queue.delete(message)
            # Without `redelivery_seconds` the failed messages become visible at the end of their time-out.
            if self._consumer.redelivery_seconds is not None:
                failures = (message for message in messages if message.id in failed)
                queue.return_after(failures, self._consumer.redelivery_seconds)

    def _invoke(self, function: LambdaFunction, messages: list[Message], visible_at: float) -> Collection[str]:
        """Invoke the function on a batch, and return the ids of the failed messages."""
        records = [sqs_record(message, self._mapping) for message in messages]
        records = [record for record in records if matches_filter(record, self._mapping.filter_criteria)]
        ids, traces = [record["messageId"] for record in records], [trace_of(record) for record in records]
        if any(is_recursive_loop(function, trace) for trace in traces):
            # The messages go back to the queue, until its redrive policy makes dead letters of them.
            count_dropped(function)
            problem = f"Lambda found a recursive loop and dropped {', '.join(ids)}."
            self._consumer.logs.write(function.function_name, problem)
            return ids
        payload, trace = json.dumps({"Records": records}).encode(), next_trace(function, traces)
        result = self._invoke_when_possible(function, payload, trace, visible_at) if records else None
        if result is None or result.failed:
            return ids
        if "ReportBatchItemFailures" not in (self._mapping.function_response_types or []):
            return []
        return reported_failures(result.payload, ids)

    def _invoke_when_possible(
        self, function: LambdaFunction, payload: bytes, trace: str, visible_at: float
    ) -> Result | None:
        """Invoke a function; retry while it is throttled, as Lambda does, until the messages become visible."""
        while time.monotonic() < visible_at and not self._stopping.is_set():
            try:
                return self._consumer.functions.invoke(function, payload, trace=trace)
            except Refused as error:
                self._consumer.logs.write_once(function.function_name, f"Messages are delayed: {error}")
                self._stopping.wait(PAUSE_SECONDS)
        return None


class EventSources:
    """The pollers of all event source mappings.

    Args:
        consumer: The settings and services that all pollers share.
    """

    def __init__(self, consumer: Consumer):
        self._consumer = consumer
        self._pollers: dict[str, QueuePoller] = {}
        self._ending: list[QueuePoller] = []

    def update(self, mappings: Iterable[EventSourceMapping]) -> None:
        """Start pollers of new mappings, and stop pollers of mappings that are not in the list."""
        wanted = {mapping.uuid: mapping for mapping in mappings if ":sqs:" in mapping.event_source_arn}
        for uuid in self._pollers.keys() - wanted.keys():
            poller = self._pollers.pop(uuid)
            poller.stop()
            self._ending.append(poller)
        for uuid in wanted.keys() - self._pollers.keys():
            self._pollers[uuid] = QueuePoller(wanted[uuid], self._consumer)

    def join(self) -> None:
        """Wait until the batches of all stopped pollers have ended."""
        for poller in self._ending:
            poller.join()
