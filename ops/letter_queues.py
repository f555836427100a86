"""The queues of a deployment that hold dead letters: those of its work queues, and that of undelivered events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ops.brigade import Brigade
from ops.deployment import AnyTask, Mirror
from ops.errors import OpsError

UNDELIVERED = "undelivered"


@dataclass(frozen=True)
class LetterQueue:
    """A queue of dead letters.

    Attributes:
        task: the name of the task.
        kind: what its messages are about: `events`, `keys`, `rechecks`, `runs` or `undelivered`.
        url: its URL.
        work: the URL of the work queue, or None for undelivered events, which came from no queue.
        function: the function that takes the messages of the work queue, or the undelivered events.
    """

    task: str
    kind: str
    url: str
    work: str | None
    function: str

    @property
    def name(self) -> str:
        """Its name."""
        return self.url.rpartition("/")[2]

    @property
    def is_fifo(self) -> bool:
        """Whether it is a FIFO queue."""
        return self.url.endswith(".fifo")


def tasks_named(brigade: Brigade, name: str | None) -> tuple[AnyTask, ...]:
    """Return the task that an option names, or all tasks of the deployment.

    Raises:
        OpsError: the deployment has no such task.
    """
    tasks = brigade.deployment.all_tasks
    found = tuple(task for task in tasks if name in (None, task.name))
    if not found:
        raise OpsError(f"--task should be one of these: {', '.join(task.name for task in tasks)}; it is {name}")
    return found


def letter_queues(tasks: tuple[AnyTask, ...]) -> list[LetterQueue]:
    """Return the queues of dead letters of some tasks."""
    found = []
    for task in tasks:
        pairs = [
            LetterQueue(task.name, queue.name, queue.dead_letters, queue.url, queue.function) for queue in task.queues
        ]
        found += pairs
        if isinstance(task, Mirror):
            found.append(LetterQueue(task.name, UNDELIVERED, task.undelivered, None, task.enqueue))
    return found


def arn_of(sqs: Any, url: str) -> str:
    """Return the ARN of a queue."""
    found: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return found
