"""Lambda function that copies restored objects to the archive bucket that their extension names.

Takes S3 events (`ObjectRestore:Completed`, and `ObjectCreated:*` where somebody wires them), directly or through SQS,
SNS and EventBridge, and invocations by S3 Batch Operations.

Environment: see `settings.Settings`; `bucket_map` is required, and Terraform sets `SOURCE_BUCKET`.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial

# Before everything else of ours: docs/performance.md says why botocore is imported at a shallow depth.
from tasks.object_clerk.transport import clients

# isort: split

from tasks.archive_copy import responses
from tasks.archive_copy.archiver import Archiver, first_failure
from tasks.archive_copy.outcome_log import OutcomeLog
from tasks.archive_copy.responses import CopyRequestError
from tasks.archive_copy.settings import Settings
from tasks.object_clerk.bucket_owners import expect_owners
from tasks.object_clerk.copies import CopyLimits
from tasks.object_clerk.s3_requests import client_config
from tasks.object_clerk.versions import in_order
from tasks.utils.batch_operations import to_batch_operations
from tasks.utils.batches import BatchProcessor, DeadLetters
from tasks.utils.deadline import Deadline, Durations
from tasks.utils.errors import DeferredError
from tasks.utils.events import is_batch_operations, is_queue_event, object_events
from tasks.utils.outcome_log import fate_of
from tasks.utils.retry import RetryPolicy
from tasks.utils.telemetry import Telemetry
from tasks.utils.work_queue import WorkQueue

__all__ = ["CopyRequestError", "handler"]


@dataclass(frozen=True)
class Container:
    """What one container makes once and every invocation in it uses."""

    settings: Settings
    archiver: Archiver
    batches: BatchProcessor
    telemetry: Telemetry


# Lambda ends every invocation after 15 minutes, so whatever began an upload before that is dead.
QUIET_SECONDS = 16 * 60


@cache
def container():
    """Returns the container's clients and settings, made at the first invocation."""
    settings = Settings.read(os.environ, clients.parameter)
    limits = CopyLimits(quiet_seconds=QUIET_SECONDS)
    # Every object may be copied in parts, side by side; a connection each.
    connections = settings.copy_concurrency * limits.workers
    # Jitter of half the first wait keeps functions that failed together from coming back together.
    policy = RetryPolicy(
        tries=settings.copy_retries,
        delay=settings.copy_retry_sleep_secs,
        jitter=(0.0, settings.copy_retry_sleep_secs / 2),
        max_delay=120.0,
    )
    s3 = in_order(clients.s3(direct=settings.direct_requests, config=client_config(max_pool_connections=connections)))
    expect_owners(s3, settings.bucket_owners)
    return Container(
        settings=settings,
        archiver=Archiver(s3, settings, policy, limits),
        batches=BatchProcessor(
            WorkQueue(sqs, settings.work_queue),
            DeadLetters(sqs, settings.dead_letter_queue, settings.max_receives),
            settings.copy_concurrency,
        ),
        telemetry=Telemetry.set_up("archive_copy", settings.logging_level),
    )


@cache
def sqs():
    """Returns the container's SQS client, made when the first message has failed."""
    return clients.client("sqs")


def handler(event, context):
    """Copies every object that the event names.

    Args:
        event: any of the envelopes named above.
        context: Lambda's context; None when called by hand.

    Returns:
        For SQS `{"batchItemFailures": [...]}`; for S3 Batch Operations its own answer; for everything else
        `{"files": [{"success", "source_bucket", "source_key", "target_bucket", "err_msg"}]}`, in record order.

    Raises:
        CopyRequestError: some file of a direct event was not copied; the text holds the same dict.
        SettingsError: the environment is incomplete or wrong.
    """
    deadline = Deadline.of_lambda(context)
    here = deadline.limit(container)
    with here.telemetry.invocation(context) as count:
        outcome_log = OutcomeLog(here.telemetry.logger, count)
        if is_queue_event(event):
            return _archive_batch(here, event, deadline, outcome_log)
        outcomes = _archive_all(here, object_events(event), deadline)
        outcome_log.outcomes(outcomes)
    if is_batch_operations(event):
        return to_batch_operations(event, responses.results(outcomes))
    return responses.to_direct_event(outcomes)


def _archive_all(here, events, deadline):
    archive = partial(here.archiver.archive, deadline=deadline, durations=Durations())
    with ThreadPoolExecutor(here.settings.copy_concurrency) as pool:
        return list(pool.map(archive, events))


def _archive_batch(here, event, deadline, outcome_log):
    outcomes, durations = {}, Durations()

    def archive(message):
        # S3 puts one record into a message; another sender may put more, and they go one after the other.
        found = object_events(message.decode())
        copies = [here.archiver.archive(each, deadline=deadline, durations=durations) for each in found]
        outcomes[message.id] = copies
        error = first_failure(outcomes[message.id])
        if error:
            raise error

    result = here.batches.process(event, archive, deadline)
    for end in result.ends:
        _write_down(end, outcomes.get(end.message.id, []), outcome_log)
    return result.answer


def _write_down(end, outcomes, outcome_log):
    fate = fate_of(end)
    outcome_log.outcomes(outcomes, fate=fate)
    if isinstance(end.error, DeferredError):
        outcome_log.log_deferred(end.error, message_id=end.message.id)
    elif end.error and not any(outcome.error for outcome in outcomes):
        outcome_log.log_failure(end.error, fate, message_id=end.message.id)
