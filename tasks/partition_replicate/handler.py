"""Two Lambda functions that mirror a bucket to one in another AWS partition.

`enqueue` takes S3 events from EventBridge and sends each to the FIFO queue, in the group of its key. `replicate` takes
batches of that queue, and invocations by S3 Batch Operations for what was there before. Where the answer to a write was
lost, `replicate` sends the event to the recheck queue; `enqueue` moves it into the FIFO queue when it is due.

Environment: see `settings.Settings`; `enqueue` reads six of them.
"""

import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache, partial

# Before everything else of ours: docs/performance.md says why botocore is imported at a shallow depth.
from tasks.object_clerk.transport import clients

# isort: split

from tasks.object_clerk.bucket_owners import expect_owners, owner_of
from tasks.object_clerk.buffer_pool import BufferPool
from tasks.object_clerk.errors import ObjectClerkServerAuthException
from tasks.object_clerk.parts import MIB
from tasks.object_clerk.s3_requests import client_config
from tasks.object_clerk.streams import StreamLimits
from tasks.object_clerk.versions import in_order
from tasks.partition_replicate import responses
from tasks.partition_replicate.credentials import REFUSALS, Destination, of_role, of_user
from tasks.partition_replicate.intake import Queue, RecheckQueue
from tasks.partition_replicate.outcome import Unfinished
from tasks.partition_replicate.outcome_log import Continued, OutcomeLog
from tasks.partition_replicate.replicator import IGNORED, Replicator
from tasks.partition_replicate.settings import IntakeSettings, Settings
from tasks.partition_replicate.table import Table
from tasks.partition_replicate.versions import Versioning
from tasks.utils.batches import BatchProcessor, DeadLetters, has_messages
from tasks.utils.deadline import Deadline
from tasks.utils.errors import BucketBrigadeError, DeferredError, EventError, SettingsError
from tasks.utils.events import check_source, is_batch_operations, is_queue_event, object_events
from tasks.utils.outcome_log import fate_of
from tasks.utils.retry import RetryPolicy
from tasks.utils.telemetry import Telemetry
from tasks.utils.work_queue import WorkQueue

# Three attempts within some seconds; what lasts longer comes back with the message.
POLICY = RetryPolicy(tries=3, delay=0.2, jitter=(0.0, 0.1))
# Some 25 seconds in all. Without its row, what was written to the destination has to be recognized by another delivery,
# which costs a listing, so a table that throttles gets more patience than S3.
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
class Worker:
    """What one container of `replicate` makes once."""

    settings: Settings
    queue: WorkQueue
    recheck_queue: RecheckQueue
    replicator: Replicator
    destination: Destination
    dead_letters: DeadLetters
    telemetry: Telemetry


@cache
def intake():
    """Returns what `enqueue` needs, made at its first invocation."""
    settings = _settings(IntakeSettings)
    return Intake(
        settings=settings,
        queue=Queue(sqs, settings.objects_queue),
        recheck_queue=WorkQueue(sqs, settings.recheck_queue),
        dead_letters=DeadLetters(sqs, settings.dead_letter_queue, settings.max_receives),
        telemetry=_telemetry(settings),
    )


@cache
def worker():
    """Returns what `replicate` needs, made at its first invocation."""
    settings = _settings(Settings)
    limits = StreamLimits(_buffer_pool(settings.memory))
    # A connection for each part of each object on its way.
    connections = settings.concurrency * limits.workers
    source = clients.s3(direct=settings.direct_requests, config=client_config(max_pool_connections=connections))
    expect_owners(source, settings.bucket_owners)
    return Worker(
        settings=settings,
        queue=WorkQueue(sqs, settings.objects_queue),
        recheck_queue=RecheckQueue(sqs, settings.recheck_queue),
        replicator=Replicator(
            source=in_order(source),
            table=Table(clients.dynamodb(direct=settings.direct_requests), settings.objects_table, TABLE_POLICY),
            bucket=settings.dest_bucket,
            limits=limits,
            policy=POLICY,
            kms_key=settings.dest_kms_key,
            versioning=Versioning(settings.versions),
            deletes=settings.deletes,
            version_deletes=settings.version_deletes,
            annotations=settings.annotations,
        ),
        destination=_destination(settings, connections),
        dead_letters=DeadLetters(sqs, settings.dead_letter_queue, settings.max_receives),
        telemetry=_telemetry(settings),
    )


@cache
def sqs():
    """Returns the container's SQS client, which most containers of `replicate` never need."""
    return clients.client("sqs")


def _settings(kind):
    return kind.read(os.environ)


def _buffer_pool(size):
    try:
        return BufferPool(size)
    except OSError as error:
        raise SettingsError(f"TRANSFER_MEMORY_MB is {size // MIB}: the machine has not so much memory") from error


def _telemetry(settings):
    return Telemetry.set_up("partition_replicate", settings.logging_level)


def _destination(settings, connections):
    def make_client(credentials):
        return _destination_client(settings, credentials, connections)

    # A bucket of another account is refused as wrong credentials are: the answer to a HEAD says no more.
    owner = owner_of(settings.dest_owners, settings.dest_bucket)
    and_owner = f", and that the bucket {settings.dest_bucket} belongs to account {owner}" if owner else ""
    if settings.dest_secret:
        read = partial(of_user, clients.client("secretsmanager"), settings.dest_secret)
        advice = (
            f"the destination refuses the credentials in the secret {settings.dest_secret}: check that they are valid"
            f"{and_owner}"
        )
        return Destination(read, make_client, advice=advice)

    def assume_role():
        # Neither client is kept: by the next time, most of an hour later, its connection is closed.
        there = clients.client("sts", region_name=settings.dest_region)
        with closing(clients.client("sts")) as here, closing(there):
            return of_role(here, there, role_arn=settings.dest_role_arn, audience=settings.dest_token_audience)

    advice = (
        f"the destination refuses new credentials of the role {settings.dest_role_arn}: check what the role's policy "
        f"and the policies of the bucket and its key allow{and_owner}"
    )
    return Destination(assume_role, make_client, advice=advice)


def _destination_client(settings, credentials, connections):
    # Few S3-compatible stores have a host name for each bucket.
    style = {"s3": {"addressing_style": "path"}} if settings.dest_endpoint_url else {}
    client = clients.s3(
        direct=settings.direct_requests,
        region_name=settings.dest_region,
        endpoint_url=settings.dest_endpoint_url or None,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.session_token,
        config=client_config(max_pool_connections=connections, **style),
    )
    expect_owners(client, settings.dest_owners)
    return in_order(client)


def enqueue(event, context):
    """Sends the event of an object to the FIFO queue.

    Args:
        event: an EventBridge event of S3, or a batch of the recheck queue; other envelopes of S3 events are taken as
            well.
        context: Lambda's context; None when called by hand.

    Returns:
        `{"enqueued": N}`; 0 for events that change no object. For a batch of a queue, the answer that Lambda takes:
        `{"batchItemFailures": [{"itemIdentifier": messageId}]}`.

    Raises:
        EventError: it is no event of S3, or of another bucket than the configured one; not for a batch.
        NotSent: SQS did not take it; Lambda tries again, and then hands the event to its on-failure destination; not
            for a batch.
    """
    here = intake()
    with here.telemetry.invocation(context) as count:
        if is_queue_event(event):
            return _enqueue_messages(here, event, Deadline.of_lambda(context), OutcomeLog(here.telemetry.logger, count))
        return {"enqueued": _enqueue(here, event, origin=event)}


def _enqueue_messages(here, event, deadline, outcome_log):
    def handle(message):
        _enqueue(here, message.decode(), origin=message.id)

    result = BatchProcessor(here.recheck_queue, here.dead_letters).process(event, handle, deadline)
    for end in result.ends:
        if isinstance(end.error, DeferredError):
            outcome_log.log_deferred(end.error, message_id=end.message.id)
        elif end.error:
            outcome_log.log_failure(end.error, fate_of(end), message_id=end.message.id)
    return result.answer


def _enqueue(here, event, *, origin):
    found = [check_source(each, here.settings.source_bucket) for each in object_events(event)]
    wanted = [each for each in found if each.kind not in IGNORED]
    here.queue.send(wanted, origin=origin)
    return len(wanted)


def replicate(event, context):
    """Makes the destination equal to the source for every key that the event names.

    Args:
        event: a batch of the FIFO queue, or an invocation by S3 Batch Operations.
        context: Lambda's context; None when called by hand.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": messageId}]}`, or the answer for S3 Batch Operations.

    Raises:
        EventError: it is neither.
        SettingsError: the environment is incomplete or wrong.
    """
    here = worker()
    deadline = Deadline.of_lambda(context)
    with here.telemetry.invocation(context) as count:
        outcome_log = OutcomeLog(here.telemetry.logger, count)
        if is_batch_operations(event):
            return _replicate_tasks(here, event, deadline, outcome_log)
        if not has_messages(event):
            raise EventError("replicate takes batches of its FIFO queue and tasks of S3 Batch Operations, nothing else")
        return _replicate_messages(here, event, deadline, outcome_log)


def _replicate_messages(here, event, deadline, outcome_log):
    # What is written down is written down in the end, by this thread alone.
    results = defaultdict(list)

    def handle(message):
        for found in object_events(message.decode()):
            each = check_source(found, here.settings.source_bucket)
            results[message.id].append(each)
            results[message.id][-1] = _replicate_one(here, each, message, deadline)

    processor = BatchProcessor(here.queue, here.dead_letters, here.settings.concurrency)
    result = processor.process(event, handle, deadline)
    for end in result.ends:
        if isinstance(end.error, DeferredError):
            outcome_log.log_deferred(end.error, message_id=end.message.id)
        else:
            fate = fate_of(end)
            outcome_log.message(end, results[end.message.id], fate)
    return result.answer


def _replicate_one(here, event, message, deadline):
    """Replicates the key of one event of a message; returns its `Outcome` or `Continued`.

    Another look is asked for when the message ends and a server may still hold a request of its work: the answer to a
    write was lost, or the message was received before, perhaps by a worker that was killed. A message that comes back
    asks when it ends.
    """
    unanswered = []
    try:
        outcome = _replicate(here, event, deadline, unanswered)
    except Unfinished as error:
        if not error.carried:
            raise
        # This message has done what it could, and another one goes on.
        here.queue.send_again(message)
        outcome = Continued(event, error)
    except BucketBrigadeError as error:
        if unanswered and not error.transient:
            here.recheck_queue.send(event)
        raise
    if unanswered or message.total_receives > 1:
        here.recheck_queue.send(event)
        return replace(outcome, is_rechecked=True)
    return outcome


def _replicate_tasks(here, event, deadline, outcome_log):
    def handle(found):
        unanswered, asked = [], None
        try:
            asked = check_source(found, here.settings.source_bucket)
            result = _replicate(here, asked, deadline, unanswered)
        except BucketBrigadeError as error:
            result = error
        # A task that is repeated does not say so.
        if unanswered:
            here.recheck_queue.send(asked)
        return result

    found = object_events(event)
    with ThreadPoolExecutor(here.settings.concurrency) as pool:
        results = list(pool.map(lambda each: deadline.closing().limit(lambda: handle(each)), found))
    for each, result in zip(found, results):
        outcome_log.task(each, result)
    return responses.to_batch_operations(event, results)


def _replicate(here, event, deadline, unanswered):
    """Replicates one key, and once more where the destination refused the credentials and there are new ones."""
    client = here.destination.client()
    try:
        return here.replicator.replicate(event, destination=client, deadline=deadline, unanswered=unanswered)
    except ObjectClerkServerAuthException as error:
        place = error.destination or error.source
        if error.code not in REFUSALS or place.bucket != here.replicator.bucket:
            raise
    client = here.destination.renewed(client)
    return here.replicator.replicate(event, destination=client, deadline=deadline, unanswered=unanswered)
