"""SQS's own redrive: a task of SQS that moves all messages of a dead-letter queue.

Source: Amazon SQS API Reference, StartMessageMoveTask, ListMessageMoveTasks and CancelMessageMoveTask.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ops.errors import OpsError
from ops.interrupts import one_step
from ops.letter_queues import LetterQueue, arn_of
from tasks.utils.s3_object import printable

# A task that moves a few messages takes some seconds.
POLL_SECONDS = 1.0
ACTIVE = ("RUNNING", "CANCELLING")


def move_all(sqs: Any, queue: LetterQueue, rate: int | None, moved: Callable[[int], None]) -> int:
    """Move all messages to the work queue, and wait for the end; Ctrl-C cancels the task.

    The request names the destination, because SQS does not know it for messages that the function sent.

    Args:
        sqs: a boto3 SQS client.
        queue: the queue of dead letters.
        rate: messages a second, or None for SQS's own rate.
        moved: is called with the number of messages so far.

    Returns:
        The number of moved messages.

    Raises:
        OpsError: SQS ended the task with a failure.
    """
    source, limit = arn_of(sqs, queue.url), {"MaxNumberOfMessagesPerSecond": rate} if rate else {}
    destination = arn_of(sqs, queue.work or "")
    handle = ""
    try:
        with one_step():
            handle = sqs.start_message_move_task(SourceArn=source, DestinationArn=destination, **limit)["TaskHandle"]
        task = _followed(sqs, source, moved)
    except KeyboardInterrupt:
        sqs.cancel_message_move_task(TaskHandle=handle)
        raise
    if task["Status"] != "COMPLETED":
        why = printable(task.get("FailureReason") or task["Status"])
        raise OpsError(f"SQS ended the move of {queue.name} with {why}: start it again")
    return int(task.get("ApproximateNumberOfMessagesMoved", 0))


def _followed(sqs: Any, source: str, moved: Callable[[int], None]) -> dict[str, Any]:
    """Return the latest task of a queue when it has ended."""
    while True:
        task: dict[str, Any] = sqs.list_message_move_tasks(SourceArn=source)["Results"][0]
        moved(task.get("ApproximateNumberOfMessagesMoved", 0))
        if task["Status"] not in ACTIVE:
            return task
        time.sleep(POLL_SECONDS)
