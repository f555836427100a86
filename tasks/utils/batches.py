"""Processes a batch of SQS messages and answers for each message.

Lambda takes `{"batchItemFailures": [{"itemIdentifier": messageId}]}`: the messages named there come back, the others
are done.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting

The groups of a FIFO queue are processed in parallel, the messages of a group in order. Without FIFO each message is a
group of its own.

- A message that can never succeed goes to the dead-letter queue at once, with its reason, so that it does not block its
  group.
- A message that may succeed later comes back: after seconds at first, after at most a quarter of an hour later, for
  four days. After that it is a dead letter with its reason, so that no message waits for ever unseen.
- A message whose work makes no progress within an invocation is a dead letter with its reason after a few of them.
- A message that follows a failure in its group, or whose work did not begin in time, comes back at once. The message
  that failed is invisible until it comes back, and blocks its group until then.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from tasks.utils.deadline import Deadline
from tasks.utils.errors import BucketBrigadeError, DeferredError, StalledError, UnfinishedError, reason_of
from tasks.utils.s3_object import printable
from tasks.utils.work_queue import LONGEST_WAIT, Message, Past, Renewal, WorkQueue, wait_after

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

LOGGER = logging.getLogger("bucket_brigade")

# An attribute's value counts towards the message's 256 KiB; a reason needs far less.
REASON_LIMIT = 2_000

# An outage that begins on the Friday evening before a long weekend is over by then. Alarms report it much sooner.
PATIENCE_SECONDS = 4 * 24 * 60 * 60

# These receives take more than an hour. A message with fewer was not tried for four days: its queue was paused.
PATIENCE_RECEIVES = 20

# Invocations in a row without progress on a message. A link that is slow for some minutes may cause one of them; each
# costs an invocation of full length.
STALLS = 5


@dataclass(frozen=True)
class DeadLetters:
    """The queue for messages that can never succeed, or that failed for too long.

    Attributes:
        sqs: returns a boto3 SQS client. Most containers never need it, and a cold start should not pay for it.
        url: the queue's URL, or "" if there is none.
        max_receives: the number of receives after which the work queue itself would move a message there, without a
            reason.
    """

    sqs: Callable[[], SQSClient]
    url: str
    max_receives: int | None = None

    def is_due(self, message: Message, error: Exception, *, renewable: bool = False) -> bool:
        """Return whether a message is to go there now: another try cannot help, or there were enough of them.

        Args:
            message: the message.
            error: why it failed.
            renewable: a copy can replace the message, so the number of receives does not count. If not, its last
                receive moves it with its reason.
        """
        for_good = isinstance(error, BucketBrigadeError) and not error.transient
        too_long = message.total_receives >= PATIENCE_RECEIVES and message.age >= PATIENCE_SECONDS
        last = not renewable and self.max_receives is not None and message.receives >= self.max_receives
        return for_good or too_long or last

    def needs_renewal(self, message: Message) -> bool:
        """Return whether a message has half of the allowed receives. The other half is for kills of its function."""
        return self.max_receives is not None and 2 * message.receives >= self.max_receives

    def send(self, message: Message, error: Exception) -> bool:
        """Send a message there, with the reason in its attributes, and return whether SQS accepted it."""
        if not self.url:
            return False
        fifo: dict[str, Any] = {}
        if message.group is not None:
            fifo = {"MessageGroupId": message.group, "MessageDeduplicationId": message.id}
        attributes = {
            "Reason": _attribute(reason_of(error)),
            "ErrorType": _attribute(type(error).__name__),
            "MessageId": _attribute(message.id),
        }
        try:
            self.sqs().send_message(
                QueueUrl=self.url, MessageBody=message.body or "{}", MessageAttributes=attributes, **fifo
            )
        except (ClientError, BotoCoreError) as failure:
            fields = {"reason": str(failure), "message_id": message.id}
            LOGGER.warning("the dead-letter queue refused a message", extra=fields)
            return False
        return True


class State(Enum):
    """How the work on a message ended."""

    DONE = "done"
    DEAD_LETTERED = "dead-lettered"
    FAILED = "failed"
    RENEWED = "renewed"


@dataclass(frozen=True)
class End:
    """The end of the work on a message.

    Attributes:
        message: the message.
        state: see `State`.
        error: why it failed; None if it is done.
    """

    message: Message
    state: State
    error: Exception | None = None


@dataclass(frozen=True)
class BatchResult:
    """How the work on a batch ended: an `End` for each message, in the batch's order."""

    ends: list[End]

    @property
    def answer(self) -> dict[str, list[dict[str, str]]]:
        """The answer that Lambda takes from a function with `ReportBatchItemFailures`."""
        failed = [end.message.id for end in self.ends if end.state is State.FAILED]
        return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}


def has_messages(event: Any) -> bool:
    """Return whether an event is a batch of SQS messages, even if it does not name SQS as its source."""
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and all(isinstance(each, dict) and "messageId" in each for each in records)


@dataclass(frozen=True)
class BatchProcessor:
    """Processes batches of messages.

    Attributes:
        queue: the queue of the batches.
        dead_letters: its dead-letter queue.
        workers: the number of groups that are processed at once.
    """

    queue: WorkQueue
    dead_letters: DeadLetters
    workers: int = 1

    def process(
        self, event: Mapping[str, Any], handle: Callable[[Message], object], deadline: Deadline = Deadline()
    ) -> BatchResult:
        """Pass each message of a batch to `handle`, groups in parallel and the messages of a group in order.

        Args:
            event: the batch from Lambda.
            handle: returns when a message is done, and raises when it is not.
            deadline: no work on a message begins after it.
        """
        messages = [Message.from_record(record) for record in event["Records"]]
        groups = defaultdict(list)
        for message in messages:
            groups[("message", message.id) if message.group is None else ("group", message.group)].append(message)
        batch = _Batch(self, handle, deadline)
        with ThreadPoolExecutor(max(1, min(self.workers, len(groups)))) as pool:
            ends_of_groups = list(pool.map(batch.process_group, groups.values()))
        ends = deadline.closing().limit(lambda: self._return_failed(ends_of_groups))
        return BatchResult([ends[message.id] for message in messages])

    def _return_failed(self, ends_of_groups: Iterable[Sequence[End]]) -> dict[str, End]:
        """Renew the failed messages that were received often, and set the time at which the others come back.

        Returns:
            The end of each message by its id.
        """
        failed = [[end for end in ends if end.state is State.FAILED] for ends in ends_of_groups]
        waits = {end.message.id: _wait_after(end) for ends in failed for end in ends}
        renewals = [renewal for ends in failed for renewal in self._renewals_of(ends, waits)]
        renewed = self.queue.renew(renewals)
        # A message that could not be renewed has few receives left.
        waits |= {message.id: LONGEST_WAIT for message, _, wait in renewals if wait}
        ends_by_id = {end.message.id: end for ends in ends_of_groups for end in ends}
        self.queue.return_after([(ends_by_id[id_].message, wait) for id_, wait in waits.items() if id_ not in renewed])
        return ends_by_id | {id_: replace(ends_by_id[id_], state=State.RENEWED) for id_ in renewed}

    def _renewals_of(self, failed: Sequence[End], waits: Mapping[str, float]) -> list[Renewal]:
        """Return the renewals of a group: from its first message that needs one on, so that the order stays.

        A copy goes behind its group.
        """
        first = next((index for index, end in enumerate(failed) if self._needs_renewal(end)), len(failed))
        return [Renewal(end.message, _past_of_copy(end), waits[end.message.id]) for end in failed[first:]]

    def _needs_renewal(self, end: End) -> bool:
        return isinstance(end.error, UnfinishedError) or self.dead_letters.needs_renewal(end.message)


@dataclass(frozen=True)
class _Batch:
    """The work on a batch."""

    processor: BatchProcessor
    handle: Callable[[Message], object]
    deadline: Deadline

    def process_group(self, messages: Iterable[Message]) -> list[End]:
        """Process the messages of a group up to the first failure, and return their ends."""
        ends: list[End] = []
        blocked: DeferredError | None = None
        for message in messages:
            if self.deadline.has_passed():
                blocked = blocked or DeferredError("no time was left to begin with this message")
            end = End(message, State.FAILED, blocked) if blocked else self._process_in_time(message)
            if end.state is State.FAILED:
                # A message must not overtake a failed one of its group: both come back together.
                blocked = blocked or DeferredError(f"message {message.id} of the same group failed and comes first")
            ends.append(end)
        return ends

    def _process_in_time(self, message: Message) -> End:
        # Steps that close the work, such as a row in a table or a dead letter, may run after its deadline.
        return self.deadline.closing().limit(lambda: self._process(message))

    def _process(self, message: Message) -> End:
        is_early = self.deadline.is_early()
        try:
            self.handle(message)
        except Exception as raised:  # pylint: disable=broad-exception-caught  # a bug fails its own message only
            error = self._classify(message, raised, is_early)
            dead_letters, renewable = self.processor.dead_letters, bool(self.processor.queue.url)
            if dead_letters.is_due(message, error, renewable=renewable) and dead_letters.send(message, error):
                return End(message, State.DEAD_LETTERED, error)
            return End(message, State.FAILED, error)
        return End(message, State.DONE)

    def _classify(self, message: Message, error: Exception, is_early: bool) -> Exception:
        """Return the error that decides how a message ends: for unfinished work, whether it made no progress again."""
        # Only the attributes of a copy can hold the number of invocations without progress.
        if not isinstance(error, UnfinishedError) or not self.processor.queue.url:
            return error
        if not is_early or not error.stalled:
            return DeferredError(f"others took the time of this invocation: {error}")
        if message.past.stalled + 1 < STALLS:
            return error
        return StalledError(f"no part could be carried within one invocation {STALLS} times in a row: {error}")


def _wait_after(end: End) -> float:
    if isinstance(end.error, DeferredError):
        return 0.0
    return wait_after(end.message.total_receives)


def _past_of_copy(end: End) -> Past:
    message, stalled = end.message, isinstance(end.error, UnfinishedError)
    return Past(message.total_receives, message.first_received, message.past.stalled + stalled)


def _attribute(text: str) -> MessageAttributeValueTypeDef:
    # SQS accepts only the characters of XML 1.0, so control characters appear as escapes.
    return {"DataType": "String", "StringValue": printable(text)[:REASON_LIMIT] or "-"}
