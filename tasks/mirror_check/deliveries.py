"""What the function does with the messages of its queue.

The queue is FIFO with one group, so no two parts of a run are checked at the same time. Each message sends the next
one, whose id has the number of the part. A message that comes twice sends the same next message, which SQS takes once
within five minutes; a part takes less. So a run that was doubled becomes one again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.mirror_check.evidence import Depth, Evidence
from tasks.mirror_check.listings import Side
from tasks.mirror_check.outcome_log import OutcomeLog
from tasks.mirror_check.reconcile import Part
from tasks.mirror_check.records import Records
from tasks.mirror_check.runs import Run
from tasks.mirror_check.settings import Settings
from tasks.object_clerk.errors import ObjectClerkServerAuthException
from tasks.object_clerk.s3_requests import S3Requests
from tasks.utils.batches import BatchProcessor, DeadLetters
from tasks.utils.deadline import Deadline
from tasks.utils.mirror_credentials import REFUSALS, Destination
from tasks.utils.retry import RetryPolicy
from tasks.utils.work_queue import Message, WorkQueue

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

# Some 15 seconds; a message whose failure lasts longer comes back.
RETRIES = RetryPolicy(tries=6, delay=0.5, jitter=(0.0, 0.5), max_delay=8.0)

# All messages are of one group.
GROUP = "runs"


@dataclass(frozen=True)
class Worker:
    """What checks parts of runs.

    Attributes:
        settings: the settings.
        source: an S3 client of `keep_xml` that may read the source.
        destination: the same for the destination, and its credentials.
        records: the mirror's table.
        sqs: returns an SQS client.
        pool: sends requests about several keys side by side.
    """

    settings: Settings
    source: S3Client
    destination: Destination
    records: Records
    sqs: Callable[[], SQSClient]
    pool: ThreadPoolExecutor


def check_messages(
    worker: Worker, event: Mapping[str, Any], deadline: Deadline, outcome_log: OutcomeLog
) -> dict[str, Any]:
    """Check the parts that a batch of messages names; return the answer that names those which come back."""
    checked: dict[str, tuple[Part, Run]] = {}

    def handle(message: Message) -> None:
        run = Run.of(message.decode(), prefixes=worker.settings.run.prefixes)
        part, after = _check(worker, run, deadline)
        if not after.is_over:
            _send(worker, after)
        checked[message.id] = part, after

    queue = worker.settings.queue
    dead_letters = DeadLetters(worker.sqs, queue.dead_letter_queue, queue.max_receives)
    result = BatchProcessor(WorkQueue(worker.sqs, queue.url), dead_letters).process(event, handle, deadline)
    for end in result.ends:
        outcome_log.log_unfinished(end)
        if not end.error:
            part, after = checked[end.message.id]
            for difference in part.differences:
                outcome_log.difference(*difference)
            outcome_log.part(after)
    answer: dict[str, Any] = result.answer
    return answer


def _check(worker: Worker, run: Run, deadline: Deadline) -> tuple[Part, Run]:
    """Check a part, and once more if the destination refused the credentials and there are new ones."""
    client = worker.destination.client()
    part = _part(worker, run, client, deadline)
    try:
        return part, part.check()
    except ObjectClerkServerAuthException as error:
        if error.code not in REFUSALS or not str(error.source).startswith(f"s3://{worker.settings.destination.bucket}"):
            raise
    part = _part(worker, run, worker.destination.renewed(client), deadline)
    return part, part.check()


def _part(worker: Worker, run: Run, destination: Any, deadline: Deadline) -> Part:
    settings = worker.settings
    source = Side(S3Requests(worker.source, RETRIES, deadline), settings.mirror.source_bucket)
    there = Side(S3Requests(destination, RETRIES, deadline), settings.destination.bucket)
    evidence = Evidence(source, there, worker.records, Depth(), worker.pool)
    return Part(settings, run, evidence, worker.sqs, deadline)


def _send(worker: Worker, run: Run) -> None:
    worker.sqs().send_message(
        QueueUrl=worker.settings.queue.url,
        MessageBody=run.body,
        MessageGroupId=GROUP,
        MessageDeduplicationId=run.id,
    )
