"""Lambda function that logs the size of each object that is created in a bucket.

It takes batches of SQS messages, each with an S3 event.

Environment: see `settings.Settings`; `SOURCE_BUCKET` is required.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

# The first import of ours: docs/performance.md says why botocore is imported at a shallow depth.
from tasks.object_clerk.transport import clients

# isort: split

from tasks.object_clerk.bucket_owners import expect_owners
from tasks.object_clerk.s3_requests import S3Requests, client_config
from tasks.task_name.object_size import ObjectSize, measure
from tasks.task_name.outcome_log import OutcomeLog
from tasks.task_name.settings import Settings
from tasks.utils.batches import BatchProcessor, DeadLetters
from tasks.utils.deadline import Deadline
from tasks.utils.errors import EventError
from tasks.utils.events import ObjectEvent, is_queue_event, object_events
from tasks.utils.retry import RetryPolicy
from tasks.utils.telemetry import Telemetry
from tasks.utils.work_queue import Message, WorkQueue

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

# The queue repeats a message after these tries.
POLICY = RetryPolicy(tries=3, delay=0.2, jitter=(0.0, 0.2))


@dataclass(frozen=True)
class Container:
    """The objects that one container creates once and each of its invocations uses."""

    settings: Settings
    s3: S3Client
    batches: BatchProcessor
    telemetry: Telemetry


@cache
def container() -> Container:
    """Return the container's clients and settings, created by the first invocation."""
    settings = Settings.read(os.environ)
    queue = settings.queue
    s3 = clients.s3(direct=False, config=client_config())
    expect_owners(s3, settings.bucket_owners)
    return Container(
        settings=settings,
        s3=s3,
        batches=BatchProcessor(
            WorkQueue(sqs, queue.url), DeadLetters(sqs, queue.dead_letter_queue, queue.max_receives)
        ),
        telemetry=Telemetry.set_up("task_name", settings.telemetry),
    )


@cache
def sqs() -> SQSClient:
    """Return the container's SQS client, created after the first failure of a message."""
    return clients.client("sqs")


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Log the size of each object that the messages of a batch name.

    Args:
        event: a batch of SQS messages.
        context: Lambda's context; None if a person calls it.

    Returns:
        `{"batchItemFailures": [...]}`: the messages that come back.

    Raises:
        EventError: the event is no batch of SQS messages.
        SettingsError: the environment is incomplete or wrong.
    """
    deadline = Deadline.of_lambda(context)
    here = deadline.limit(container)
    if not is_queue_event(event):
        raise EventError("task_name takes batches of SQS messages, and this event is none: send it to the queue")
    with here.telemetry.invocation(context) as count:
        return _measure_batch(here, event, deadline, OutcomeLog(here.telemetry.logger, count))


def _measure_batch(
    here: Container, event: Mapping[str, Any], deadline: Deadline, outcome_log: OutcomeLog
) -> dict[str, Any]:
    requests = S3Requests(here.s3, POLICY, deadline)
    events: dict[str, list[ObjectEvent]] = {}
    sizes: dict[str, list[ObjectSize]] = {}

    def handle(message: Message) -> None:
        found = object_events(message.decode())
        measured = [measure(requests, each, source_bucket=here.settings.source_bucket) for each in found]
        events[message.id] = [each for each in found if isinstance(each, ObjectEvent)]
        sizes[message.id] = [size for size in measured if size]

    result = here.batches.process(event, handle, deadline)
    for end in result.ends:
        outcome_log.log_message(end, events.get(end.message.id, []), sizes.get(end.message.id, []))
    return result.answer
