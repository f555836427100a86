"""Dead-letter queue redrive: tasks that move the messages of a dead-letter queue to another queue.

Sources: Amazon SQS API Reference, StartMessageMoveTask, ListMessageMoveTasks and CancelMessageMoveTask; Amazon SQS
Developer Guide, "Learn how to configure a dead-letter queue redrive".
"""

# pylint: disable=protected-access  # a patch replaces internals of moto

import base64
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult
from moto.sqs.exceptions import InvalidParameterValue, SQSException
from moto.sqs.models import Message, Queue, sqs_backends
from moto.sqs.responses import SQSResponse

from local.patches.hooks import HOOKS
from local.patches.patching import patch
from local.patches.sqs import QUEUES_CHANGED, next_sequence_number

# The maximum of `MaxNumberOfMessagesPerSecond`, and of `MaxResults`.
MAX_RATE = 500
MAX_RESULTS = 10


@dataclass(frozen=True)
class Move:
    """The request of a task.

    Attributes:
        source: The dead-letter queue.
        destination: The queue that gets the messages; None means the original queue of each message.
        rate: Messages per second; None means no limit.
    """

    source: Queue
    destination: Queue | None
    rate: int | None


@dataclass(eq=False)
class MoveTask:
    """A task that moves messages until its queue is empty.

    Attributes:
        move: The request.
        to_move: The number of messages at the start.
        started: The time of the start, in milliseconds since 1970.
    """

    move: Move
    to_move: int
    started: int = field(default_factory=lambda: int(time.time() * 1000))
    status: str = "RUNNING"
    moved: int = 0
    failure: str | None = None
    handle: str = field(default_factory=lambda: base64.b64encode(str(uuid.uuid4()).encode()).decode())

    @property
    def is_active(self) -> bool:
        """Whether no other task of the queue can start."""
        return self.status in ("RUNNING", "CANCELLING")

    def run(self) -> None:
        """Move messages at the task's rate; schedule the next run if messages are left."""
        with QUEUES_CHANGED:
            while self.status == "RUNNING":
                self._move_next()
                if self.move.rate and self.status == "RUNNING":
                    HOOKS.clock.call_later(1 / self.move.rate, self.run)
                    break
            if self.status == "CANCELLING":
                self.status = "CANCELLED"
            QUEUES_CHANGED.notify_all()

    def _move_next(self) -> None:
        """Move the oldest message that is not in flight, or end the task."""
        message = next(iter(self.move.source.messages), None)
        if message is None:
            self.status = "COMPLETED"
            return
        destination = self.move.destination or _origin(message)
        if destination is None or destination is self.move.source:
            self.status, self.failure = "FAILED", "CouldNotDetermineMessageSource"
            return
        self.move.source._messages.remove(message)
        destination._messages.append(_copy(message, destination))
        self.moved += 1

    def result(self) -> dict[str, Any]:
        """Return the entry of a list; it has a handle only while the task is running."""
        entry = {
            "TaskHandle": self.handle if self.status == "RUNNING" else None,
            "Status": self.status,
            "SourceArn": self.move.source.queue_arn,
            "DestinationArn": self.move.destination.queue_arn if self.move.destination else None,
            "MaxNumberOfMessagesPerSecond": self.move.rate,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "FailureReason": self.failure,
            "StartedTimestamp": self.started,
        }
        return {name: value for name, value in entry.items() if value is not None}


@patch(SQSResponse, "start_message_move_task")
def start_move(_original: Any, response: Any) -> ActionResult:
    """StartMessageMoveTask redrives the dead-letter queue of another queue; moto does not implement it."""
    source = _queue(response, "SourceArn")
    destination = _queue(response, "DestinationArn") if response._get_param("DestinationArn") else None
    rate = response._get_param("MaxNumberOfMessagesPerSecond")
    if not _is_dead_letter_queue(source):
        raise InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
    if destination is source:
        raise InvalidParameterValue("Source queue arn and destination queue arn cannot be the same.")
    if destination and destination.fifo_queue != source.fifo_queue:
        raise InvalidParameterValue("Source queue and destination queue must be of the same type.")
    if rate is not None and not 1 <= rate <= MAX_RATE:
        raise InvalidParameterValue(f"MaxNumberOfMessagesPerSecond must be between 1 and {MAX_RATE}.")
    with QUEUES_CHANGED:
        tasks = _tasks(source)
        if any(task.is_active for task in tasks):
            raise SQSException(
                "AWS.SimpleQueueService.UnsupportedOperation",
                "There is already a task running. Only one active task is allowed for a source queue at a given time.",
            )
        task = MoveTask(Move(source, destination, rate), to_move=len(source.messages))
        tasks.insert(0, task)
    HOOKS.clock.call_later(0, task.run)
    return ActionResult({"TaskHandle": task.handle})


@patch(SQSResponse, "list_message_move_tasks")
def list_moves(_original: Any, response: Any) -> ActionResult:
    """ListMessageMoveTasks returns the latest tasks of a queue, by default one; moto does not implement it."""
    source, count = _queue(response, "SourceArn"), response._get_param("MaxResults", 1)
    if not 1 <= count <= MAX_RESULTS:
        raise InvalidParameterValue(f"Value {count} for parameter MaxResults is invalid.")
    return ActionResult({"Results": [task.result() for task in _tasks(source)[:count]]})


@patch(SQSResponse, "cancel_message_move_task")
def cancel_move(_original: Any, response: Any) -> ActionResult:
    """CancelMessageMoveTask stops a running task and leaves moved messages moved; moto does not implement it."""
    handle = response._get_param("TaskHandle")
    with QUEUES_CHANGED:
        queues = response.sqs_backend.queues.values()
        task = next((task for queue in queues for task in _tasks(queue) if task.handle == handle), None)
        if task is None:
            raise SQSException("ResourceNotFoundException", "Task does not exist.")
        if task.status != "RUNNING":
            raise SQSException("AWS.SimpleQueueService.UnsupportedOperation", "Only active tasks can be cancelled.")
        task.status = "CANCELLING"
        HOOKS.clock.call_later(0, task.run)
        return ActionResult({"ApproximateNumberOfMessagesMoved": task.moved})


@patch(SQSResponse, "_determine_resource")
def resolve_queue_of_move(original: Any, response: Any) -> str:
    """A policy grants redrive on the source queue; moto expects a queue URL, which these requests do not have."""
    return str(response._get_param("SourceArn") or original(response))


def _queue(response: Any, parameter: str) -> Queue:
    arn = response._get_param(parameter)
    queues: Iterable[Queue] = response.sqs_backend.queues.values()
    queue = next((queue for queue in queues if queue.queue_arn == arn), None)
    if queue is None:
        problem = f"The resource that you specified for the {parameter} parameter doesn't exist."
        raise SQSException("ResourceNotFoundException", problem)
    return queue


def _is_dead_letter_queue(queue: Queue) -> bool:
    # A copy, because requests may add queues during the loop. Sources of a dead-letter queue share region and account.
    others = list(sqs_backends[queue.account_id][queue.region].queues.values())
    return any((other.redrive_policy or {}).get("deadLetterTargetArn") == queue.queue_arn for other in others)


def _tasks(queue: Queue) -> list[MoveTask]:
    """Return the tasks of a queue, the latest first."""
    tasks: list[MoveTask] = vars(queue).setdefault("_move_tasks", [])
    return tasks


def _origin(message: Message) -> Queue | None:
    """Return the queue that a message was first sent to; None if it no longer exists."""
    _, _, _, region, account_id, name = vars(message)["_sent_to"].split(":")
    return sqs_backends[account_id][region].queues.get(name)


def _copy(message: Message, destination: Queue) -> Message:
    """Return a new message with the content, group and deduplication id of a moved one."""
    new = Message(str(uuid.uuid4()), message.body, message.system_attributes)
    new.message_attributes = message.message_attributes
    new.sender_id = message.sender_id
    new.group_id, new.deduplication_id = message.group_id, message.deduplication_id
    new.sequence_number = next_sequence_number() if destination.fifo_queue else None
    vars(new)["_sent_to"] = destination.queue_arn
    new.mark_sent()
    return new
