"""What `replicate` does with what it is given: messages of its FIFO queue, and tasks of S3 Batch Operations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from tasks.object_clerk.errors import ObjectClerkServerAuthException
from tasks.partition_replicate import responses
from tasks.partition_replicate.outcome import Outcome, Unfinished
from tasks.partition_replicate.outcome_log import Continued, OutcomeLog
from tasks.partition_replicate.replicator import Replicator
from tasks.partition_replicate.settings import Settings
from tasks.utils.batches import BatchProcessor, DeadLetters
from tasks.utils.deadline import Deadline
from tasks.utils.errors import BucketBrigadeError, DeferredError
from tasks.utils.events import ObjectEvent, Unreadable, check_source, object_events
from tasks.utils.key_messages import RecheckQueue
from tasks.utils.mirror_credentials import REFUSALS, Destination
from tasks.utils.outcome_log import fate_of
from tasks.utils.s3_object import S3Object
from tasks.utils.work_queue import Message, WorkQueue


class Queues(NamedTuple):
    """The queues of `replicate`.

    Attributes:
        work: the FIFO queue.
        recheck: the queue whose messages wait until no server holds a request any more.
        dead_letters: the dead-letter queue.
    """

    work: WorkQueue
    recheck: RecheckQueue
    dead_letters: DeadLetters


@dataclass(frozen=True)
class Worker:
    """What replicates keys.

    Attributes:
        settings: the settings of `replicate`.
        queues: its queues.
        replicator: replicates one key after the other.
        destination: the client for the destination, and its credentials.
    """

    settings: Settings
    queues: Queues
    replicator: Replicator
    destination: Destination


def replicate_messages(
    worker: Worker, event: Mapping[str, Any], deadline: Deadline, outcome_log: OutcomeLog
) -> dict[str, Any]:
    """Replicate the keys of a batch of messages; return the answer that names those which come back."""
    # Log lines are emitted after the batch, by this thread only.
    results: dict[str, list[Outcome | Continued | ObjectEvent]] = defaultdict(list)

    def handle(message: Message) -> None:
        for found in object_events(message.decode()):
            each = check_source(found, worker.settings.intake.source_bucket)
            results[message.id].append(each)
            results[message.id][-1] = _replicate_event(worker, each, message, deadline)

    processor = BatchProcessor(worker.queues.work, worker.queues.dead_letters, worker.settings.work.concurrency)
    result = processor.process(event, handle, deadline)
    for end in result.ends:
        if isinstance(end.error, DeferredError):
            outcome_log.log_deferred(end.error, message_id=end.message.id)
        else:
            outcome_log.message(end, results[end.message.id], fate_of(end))
    answer: dict[str, Any] = result.answer
    return answer


def replicate_tasks(
    worker: Worker, event: Mapping[str, Any], deadline: Deadline, outcome_log: OutcomeLog
) -> dict[str, Any]:
    """Replicate the keys of an invocation by S3 Batch Operations, and return its answer."""

    def handle(found: ObjectEvent | Unreadable) -> Outcome | BucketBrigadeError:
        return deadline.closing().limit(lambda: _replicate_task(worker, found, deadline))

    found = object_events(event)
    with ThreadPoolExecutor(worker.settings.work.concurrency) as pool:
        results = list(pool.map(handle, found))
    for each, result in zip(found, results, strict=True):
        outcome_log.task(each, result)
    return responses.to_batch_operations(event, results)


def _replicate_event(worker: Worker, event: ObjectEvent, message: Message, deadline: Deadline) -> Outcome | Continued:
    """Replicate the key of one event of a message.

    The key is rechecked if a server may still hold a request of this work when the message ends: the answer to a write
    was lost, or the message was received before, perhaps by a worker that was killed. A message that comes back asks
    for its recheck when it ends.
    """
    unanswered: list[str] = []
    outcome: Outcome | Continued
    try:
        outcome = _replicate(worker, event, deadline, unanswered)
    except Unfinished as error:
        if not error.carried:
            raise
        # This message has done what it could, and another one goes on.
        worker.queues.work.send_again(message)
        outcome = Continued(event, error)
    except BucketBrigadeError as error:
        if unanswered and not error.transient:
            worker.queues.recheck.send(event)
        raise
    if unanswered or message.total_receives > 1:
        worker.queues.recheck.send(event)
        return replace(outcome, is_rechecked=True)
    return outcome


def _replicate_task(
    worker: Worker, found: ObjectEvent | Unreadable, deadline: Deadline
) -> Outcome | BucketBrigadeError:
    """Replicate the key of one task, and return its outcome or what failed."""
    unanswered: list[str] = []
    result: Outcome | BucketBrigadeError
    try:
        event = check_source(found, worker.settings.intake.source_bucket)
    except BucketBrigadeError as error:
        return error
    try:
        result = _replicate(worker, event, deadline, unanswered)
    except BucketBrigadeError as error:
        result = error
    # A task does not say whether it is repeated.
    if unanswered:
        worker.queues.recheck.send(event)
    return result


def _replicate(worker: Worker, event: ObjectEvent, deadline: Deadline, unanswered: list[str]) -> Outcome:
    """Replicate one key, and once more if the destination refused the credentials and there are new ones."""
    client = worker.destination.client()
    try:
        return worker.replicator.replicate(event, destination=client, deadline=deadline, unanswered=unanswered)
    except ObjectClerkServerAuthException as error:
        place = error.destination or error.source
        is_ours = isinstance(place, S3Object) and place.bucket == worker.replicator.mirror.bucket
        if error.code not in REFUSALS or not is_ours:
            raise
    client = worker.destination.renewed(client)
    return worker.replicator.replicate(event, destination=client, deadline=deadline, unanswered=unanswered)
