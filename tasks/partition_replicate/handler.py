"""Two Lambda functions that mirror a bucket to one in another AWS partition.

`enqueue` takes S3 events from EventBridge and sends each to the FIFO queue, in the group of its key. `replicate` takes
batches of that queue, and invocations by S3 Batch Operations for objects from before the mirror. After a write whose
answer was lost, `replicate` sends the event to the recheck queue, and `enqueue` moves it into the FIFO queue when it is
due.

Environment: see `settings.Settings`; `enqueue` reads seven of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

# Before all other modules of ours: docs/performance.md says why botocore is imported at a shallow depth.
from tasks.object_clerk.transport import clients

# isort: split

from tasks.object_clerk.bucket_owners import expect_owners, owner_of
from tasks.object_clerk.buffer_pool import BufferPool
from tasks.object_clerk.parts import MIB
from tasks.object_clerk.s3_requests import client_config
from tasks.object_clerk.streams import StreamLimits
from tasks.object_clerk.versions import in_order
from tasks.partition_replicate.deliveries import Queues, Worker, replicate_messages, replicate_tasks
from tasks.partition_replicate.outcome_log import OutcomeLog
from tasks.partition_replicate.reconcile.policy import Policy
from tasks.partition_replicate.replicator import IGNORED, Mirror, Pace, Replicator
from tasks.partition_replicate.settings import IntakeSettings, Settings
from tasks.partition_replicate.table import Table
from tasks.partition_replicate.versions import Versioning
from tasks.utils.batches import BatchProcessor, DeadLetters, has_messages
from tasks.utils.deadline import Deadline
from tasks.utils.errors import EventError, SettingsError
from tasks.utils.events import check_source, is_batch_operations, is_queue_event, object_events
from tasks.utils.key_messages import Queue, RecheckQueue
from tasks.utils.mirror_credentials import Credentials, Destination, destination_of
from tasks.utils.retry import RetryPolicy
from tasks.utils.settings import QueueSettings
from tasks.utils.telemetry import Telemetry
from tasks.utils.work_queue import Message, WorkQueue

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

# Three attempts within some seconds; a message whose failure lasts longer comes back.
POLICY = RetryPolicy(tries=3, delay=0.2, jitter=(0.0, 0.1))
# Some 25 seconds in all. A replica without its row has to be recognized by the next delivery, which costs a listing. So
# a table that throttles gets more patience than S3.
TABLE_POLICY = RetryPolicy(tries=8, delay=0.2, jitter=(0.0, 0.2), max_delay=10.0)


@dataclass(frozen=True)
class Intake:
    """What one container of `enqueue` makes once."""

    settings: IntakeSettings
    queue: Queue
    recheck_queue: WorkQueue
    dead_letters: DeadLetters
    telemetry: Telemetry


@dataclass(frozen=True)
class Container(Worker):
    """What one container of `replicate` makes once."""

    telemetry: Telemetry


@cache
def intake() -> Intake:
    """Return what `enqueue` needs, made at its first invocation."""
    settings = IntakeSettings.read(_environment())
    return Intake(
        settings=settings,
        queue=Queue(sqs, settings.objects_queue),
        recheck_queue=WorkQueue(sqs, settings.recheck_queue),
        dead_letters=_dead_letters(settings.queue),
        telemetry=_telemetry(settings),
    )


@cache
def worker() -> Container:
    """Return what `replicate` needs, made at its first invocation."""
    settings = Settings.read(_environment())
    limits = StreamLimits(_buffer_pool(settings.work.memory))
    # A connection for each part of each object on its way.
    connections = settings.work.concurrency * limits.workers
    return Container(
        settings=settings,
        queues=Queues(
            work=WorkQueue(sqs, settings.intake.objects_queue),
            recheck=RecheckQueue(sqs, settings.intake.recheck_queue),
            dead_letters=_dead_letters(settings.intake.queue),
        ),
        replicator=_replicator(settings, limits, connections),
        destination=_destination(settings, connections),
        telemetry=_telemetry(settings.intake),
    )


@cache
def sqs() -> SQSClient:
    """Return the container's SQS client, which most containers of `replicate` never need."""
    client: SQSClient = clients.client("sqs")
    return client


def _environment() -> Mapping[str, str]:
    return os.environ


def _dead_letters(queue: QueueSettings) -> DeadLetters:
    return DeadLetters(sqs, queue.dead_letter_queue, queue.max_receives)


def _telemetry(settings: IntakeSettings) -> Telemetry:
    return Telemetry.set_up("partition_replicate", settings.telemetry)


def _buffer_pool(size: int) -> BufferPool:
    try:
        return BufferPool(size)
    except OSError as error:
        raise SettingsError(f"TRANSFER_MEMORY_MB is {size // MIB}: the machine has not so much memory") from error


def _replicator(settings: Settings, limits: StreamLimits, connections: int) -> Replicator:
    is_direct = settings.work.direct_requests
    source = clients.s3(direct=is_direct, config=client_config(max_pool_connections=connections))
    expect_owners(source, settings.bucket_owners)
    mirrored = settings.mirror
    return Replicator(
        source=in_order(source),
        table=Table(clients.dynamodb(direct=is_direct), settings.work.objects_table, TABLE_POLICY),
        mirror=Mirror(settings.destination.bucket, settings.mirror.kms_key),
        limits=limits,
        pace=Pace(POLICY),
        versioning=Versioning(mirrored.versions),
        policy=Policy(
            deletes=mirrored.deletes, version_deletes=mirrored.version_deletes, annotations=mirrored.annotations
        ),
    )


def _destination(settings: Settings, connections: int) -> Destination:
    place = settings.destination
    return destination_of(
        place,
        owner=owner_of(place.owners(settings.bucket_owners), place.bucket),
        client=clients.client,
        make_s3=partial(_destination_client, settings, connections),
    )


def _destination_client(settings: Settings, connections: int, credentials: Credentials) -> S3Client:
    place = settings.destination
    client = clients.s3(
        direct=settings.work.direct_requests,
        region_name=place.region,
        endpoint_url=place.endpoint_url or None,
        config=client_config(max_pool_connections=connections, **place.client_options),
        **credentials.options,
    )
    expect_owners(client, place.owners(settings.bucket_owners))
    ordered: S3Client = in_order(client)
    return ordered


def enqueue(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Send the event of an object to the FIFO queue.

    Args:
        event: an EventBridge event of S3, or a batch of the recheck queue; other envelopes of S3 events are taken as
            well.
        context: Lambda's context; None for a call by hand.

    Returns:
        `{"enqueued": N}`, 0 for events that change no object. For a batch of a queue, the answer that Lambda takes:
        `{"batchItemFailures": [{"itemIdentifier": messageId}]}`.

    Raises:
        EventError: it is no event of S3, or of another bucket than the configured one; not for a batch.
        NotSent: SQS did not take it. Lambda tries again, and then sends the event to the on-failure destination; not
            for a batch.
    """
    here = intake()
    with here.telemetry.invocation(context) as count:
        if is_queue_event(event):
            return _enqueue_messages(here, event, Deadline.of_lambda(context), OutcomeLog(here.telemetry.logger, count))
        return {"enqueued": _enqueue(here, event, origin=event)}


def _enqueue_messages(
    here: Intake, event: Mapping[str, Any], deadline: Deadline, outcome_log: OutcomeLog
) -> dict[str, Any]:
    def handle(message: Message) -> None:
        _enqueue(here, message.decode(), origin=message.id)

    result = BatchProcessor(here.recheck_queue, here.dead_letters).process(event, handle, deadline)
    for end in result.ends:
        outcome_log.log_unfinished(end)
    answer: dict[str, Any] = result.answer
    return answer


def _enqueue(here: Intake, event: Any, *, origin: Any) -> int:
    found = [check_source(each, here.settings.source_bucket) for each in object_events(event)]
    wanted = [each for each in found if each.kind not in IGNORED]
    here.queue.send(wanted, origin=origin)
    return len(wanted)


def replicate(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Make the destination equal to the source for each key that the event names.

    Args:
        event: a batch of the FIFO queue, or an invocation by S3 Batch Operations.
        context: Lambda's context; None for a call by hand.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": messageId}]}`, or the answer to S3 Batch Operations.

    Raises:
        EventError: it is neither.
        SettingsError: the environment is incomplete or wrong.
    """
    here = worker()
    deadline = Deadline.of_lambda(context)
    with here.telemetry.invocation(context) as count:
        outcome_log = OutcomeLog(here.telemetry.logger, count)
        if is_batch_operations(event):
            return replicate_tasks(here, event, deadline, outcome_log)
        if not has_messages(event):
            raise EventError("replicate takes batches of its FIFO queue and tasks of S3 Batch Operations, nothing else")
        return replicate_messages(here, event, deadline, outcome_log)
