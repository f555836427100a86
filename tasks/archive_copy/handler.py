"""Lambda function that copies restored objects to the archive bucket that their extension names.

It takes S3 events (`ObjectRestore:Completed`, and `ObjectCreated:*` if a bucket is set up to send them), directly or
through SQS, SNS and EventBridge, and invocations by S3 Batch Operations.

Environment: see `settings.Settings`; `bucket_map` is required, and Terraform sets `SOURCE_BUCKET`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

# The first import of ours: docs/performance.md says why botocore is imported at a shallow depth.
from tasks.object_clerk.transport import clients

# isort: split

from tasks.archive_copy import responses
from tasks.archive_copy.archiver import Archiver, Outcome, first_failure
from tasks.archive_copy.outcome_log import OutcomeLog
from tasks.archive_copy.responses import CopyRequestError
from tasks.archive_copy.settings import Settings
from tasks.object_clerk.bucket_owners import expect_owners
from tasks.object_clerk.part_copies import CopyLimits
from tasks.object_clerk.s3_requests import client_config
from tasks.object_clerk.versions import in_order
from tasks.utils.batch_operations import to_batch_operations
from tasks.utils.batches import BatchProcessor, DeadLetters
from tasks.utils.deadline import Deadline, Durations
from tasks.utils.events import ObjectEvent, Unreadable, is_batch_operations, is_queue_event, object_events
from tasks.utils.retry import RetryPolicy
from tasks.utils.telemetry import Telemetry
from tasks.utils.work_queue import Message, WorkQueue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["CopyRequestError", "handler"]


@dataclass(frozen=True)
class Container:
    """The objects that one container creates once and each of its invocations uses."""

    settings: Settings
    archiver: Archiver
    batches: BatchProcessor
    telemetry: Telemetry


# Lambda ends each invocation after 15 minutes, so an upload that is older belongs to no running invocation.
QUIET_SECONDS = 16 * 60


@cache
def container() -> Container:
    """Return the container's clients and settings, created by the first invocation."""
    settings = Settings.read(os.environ, clients.parameter)
    copying, queue = settings.copying, settings.queue
    limits = CopyLimits(quiet_seconds=QUIET_SECONDS)
    # Each object may be copied in parts, in parallel, with a connection for each part.
    connections = copying.concurrency * limits.workers
    # Jitter of half the first wait keeps functions that failed together from coming back together.
    policy = RetryPolicy(
        tries=copying.retries,
        delay=copying.retry_sleep_secs,
        jitter=(0.0, copying.retry_sleep_secs / 2),
        max_delay=120.0,
    )
    s3 = in_order(clients.s3(direct=copying.direct_requests, config=client_config(max_pool_connections=connections)))
    expect_owners(s3, settings.bucket_owners)
    dead_letters = DeadLetters(sqs, queue.dead_letter_queue, queue.max_receives)
    return Container(
        settings=settings,
        archiver=Archiver(s3, settings, policy, limits),
        batches=BatchProcessor(WorkQueue(sqs, queue.url), dead_letters, copying.concurrency),
        telemetry=Telemetry.set_up("archive_copy", settings.telemetry),
    )


@cache
def sqs() -> SQSClient:
    """Return the container's SQS client, created after the first failure of a message."""
    return clients.client("sqs")


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Copy each object that the event names.

    Args:
        event: any of the envelopes named above.
        context: Lambda's context; None if a person calls it.

    Returns:
        For SQS `{"batchItemFailures": [...]}`; for S3 Batch Operations its own answer; for any other event
        `{"files": [{"success", "source_bucket", "source_key", "target_bucket", "err_msg"}]}`, in record order.

    Raises:
        CopyRequestError: a file of a direct event was not copied; the text holds the same dict.
        SettingsError: the environment is incomplete or wrong.
    """
    deadline = Deadline.of_lambda(context)
    here = deadline.limit(container)
    with here.telemetry.invocation(context) as count:
        outcome_log = OutcomeLog(here.telemetry.logger, count)
        if is_queue_event(event):
            return _archive_batch(here, event, deadline, outcome_log)
        outcomes = _archive_all(here, object_events(event), deadline)
        outcome_log.log_outcomes(outcomes)
    if is_batch_operations(event):
        return to_batch_operations(event, responses.results(outcomes))
    return responses.to_direct_event(outcomes)


def _archive_all(here: Container, events: Iterable[ObjectEvent | Unreadable], deadline: Deadline) -> list[Outcome]:
    archive = partial(here.archiver.archive, deadline=deadline, durations=Durations())
    with ThreadPoolExecutor(here.settings.copying.concurrency) as pool:
        return list(pool.map(archive, events))


def _archive_batch(
    here: Container, event: Mapping[str, Any], deadline: Deadline, outcome_log: OutcomeLog
) -> dict[str, Any]:
    outcomes: dict[str, list[Outcome]] = {}
    durations = Durations()

    def archive(message: Message) -> None:
        # S3 puts one record into a message. Records of another sender's message are copied one after the other.
        events = object_events(message.decode())
        outcomes[message.id] = [here.archiver.archive(each, deadline=deadline, durations=durations) for each in events]
        error = first_failure(outcomes[message.id])
        if error:
            raise error

    result = here.batches.process(event, archive, deadline)
    for end in result.ends:
        outcome_log.log_message(end, outcomes.get(end.message.id, []))
    return result.answer
