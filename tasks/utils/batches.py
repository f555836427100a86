"""A batch of SQS messages, each answered for itself.

Lambda takes `{"batchItemFailures": [{"itemIdentifier": messageId}]}`: what is named comes back, the rest is done.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting

Groups of a FIFO queue run side by side and each in order; without FIFO every message is a group of its own.

- What can never succeed is put into the dead-letter queue at once, with its reason, so that it does not block its
  group.
- What fails for a while comes back: after seconds at first, after a quarter of an hour at most, and for four days. Then
  it is a dead letter with its reason, so that nothing waits for ever unseen.
- What never gets on within one invocation is a dead letter with its reason after a few of them.
- What follows a failure in its group, or was not begun with because time ran out, comes back at once. The failed
  message, which is invisible until it comes back, blocks the group meanwhile.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tasks.utils.deadline import Deadline
from tasks.utils.errors import BucketBrigadeError, DeferredError, StalledError, UnfinishedError
from tasks.utils.events import decode_json
from tasks.utils.s3_object import printable
from tasks.utils.work_queue import LONGEST_WAIT, Past, WorkQueue, wait_after

LOGGER = logging.getLogger("bucket_brigade")

# An attribute's value counts towards the message's 256 KiB; a reason needs far less.
REASON_LIMIT = 2_000

# What is down on a Friday evening, before a long weekend, is put right by then. Alarms tell of it much sooner.
PATIENCE_SECONDS = 4 * 24 * 60 * 60

# So many receives take an hour and more. A message with fewer was not tried for four days, its queue was paused.
PATIENCE_RECEIVES = 20

# Invocations in a row that end before anything of a message is done. One may be bad luck, such as a link that was slow
# for minutes; each costs an invocation of full length.
STALLS = 5

NO_QUEUE = WorkQueue(None, "")


@dataclass(frozen=True)
class Message:
    """One SQS message as Lambda hands it over.

    Attributes:
        id: what the answer names it by.
        body: its text.
        group: the FIFO group, or None.
        receives: how often it has been received, this time included.
        receipt: by which SQS knows this receive, or "".
        first_received: when it was received first, in seconds since 1970, or None.
        past: what happened to it before it was renewed.
    """

    id: str
    body: str
    group: str | None = None
    receives: int = 1
    receipt: str = ""
    first_received: float | None = None
    past: Past = Past()

    @classmethod
    def of(cls, record):
        """Returns the message of one SQS record."""
        attributes = record.get("attributes") or {}
        past = Past.of(record.get("messageAttributes") or {})
        # SQS counts in milliseconds.
        first_received = float(attributes.get("ApproximateFirstReceiveTimestamp") or 0) / 1000 or None
        return cls(
            id=record["messageId"],
            body=record.get("body") or "",
            group=attributes.get("MessageGroupId"),
            receives=int(attributes.get("ApproximateReceiveCount") or 1),
            receipt=record.get("receiptHandle") or "",
            first_received=past.first_received or first_received,
            past=past,
        )

    def decoded(self):
        """Returns the body's JSON.

        Raises:
            EventError: it is none.
        """
        return decode_json(self.body)

    @property
    def receives_in_all(self):
        """How often it has been received, before it was renewed too."""
        return self.past.receives + self.receives

    @property
    def age(self):
        """Seconds since it was received first; 0 where that is not known."""
        return max(0.0, time.time() - self.first_received) if self.first_received else 0.0


@dataclass(frozen=True)
class DeadLetters:
    """The queue for what can never succeed, or did not for too long.

    Attributes:
        sqs: returns a boto3 SQS client; most containers never need one, and a cold start should not pay for it.
        url: the queue's URL, or "" where there is none.
        max_receives: after how many receives the queue itself would move a message there, reason unknown.
    """

    sqs: Callable[[], Any]
    url: str
    max_receives: int | None = None

    def is_due(self, message, error, *, renewable=False):
        """Returns whether the message is to go there now: another try cannot help, or there were enough of them.

        Args:
            message: a `Message`.
            error: what failed.
            renewable: a copy can take its place, so that the number of receives does not count. Otherwise the last one
                is used to move it with its reason.
        """
        for_good = isinstance(error, BucketBrigadeError) and not error.transient
        too_long = message.receives_in_all >= PATIENCE_RECEIVES and message.age >= PATIENCE_SECONDS
        last = not renewable and self.max_receives is not None and message.receives >= self.max_receives
        return for_good or too_long or last

    def is_worn(self, message):
        """Returns whether a message was received half as often as the queue allows: the rest is for kills."""
        return self.max_receives is not None and 2 * message.receives >= self.max_receives

    def take(self, message, error):
        """Puts a message there, with the reason in its attributes; returns whether that worked."""
        if not self.url:
            return False
        fifo = {}
        if message.group is not None:
            fifo = {"MessageGroupId": message.group, "MessageDeduplicationId": message.id}
        attributes = {
            "Reason": _attribute(str(error)),
            "ErrorType": _attribute(type(error).__name__),
            "MessageId": _attribute(message.id),
        }
        try:
            self.sqs().send_message(
                QueueUrl=self.url, MessageBody=message.body or "{}", MessageAttributes=attributes, **fifo
            )
        except (ClientError, BotoCoreError) as failure:
            about = {"reason": str(failure), "message_id": message.id}
            LOGGER.warning("the dead-letter queue refused a message", extra=about)
            return False
        return True


class State(Enum):
    """How one message ended."""

    DONE = "done"
    DEAD_LETTERED = "dead-lettered"
    FAILED = "failed"
    RENEWED = "renewed"


@dataclass(frozen=True)
class End:
    """The end of one message.

    Attributes:
        message: the `Message`.
        state: see `State`.
        error: what failed; None for a message that is done.
    """

    message: Message
    state: State
    error: Exception | None = None


@dataclass(frozen=True)
class BatchResult:
    """How a batch ended: an `End` for each message, in the batch's order."""

    ends: list

    @property
    def answer(self):
        """The answer that Lambda takes from a function with `ReportBatchItemFailures`."""
        failed = [end.message.id for end in self.ends if end.state is State.FAILED]
        return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}


def has_messages(event):
    """Returns whether an event is a batch of SQS messages, also one made by hand that leaves out its source."""
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and all(isinstance(one, dict) and "messageId" in one for one in records)


# The batch, what is done with a message, and what bounds it.
def work_through(  # pylint: disable=too-many-arguments
    event, handle, *, dead_letters, workers, queue=NO_QUEUE, deadline=Deadline()
):
    """Hands each message of a batch to `handle`, groups side by side and each in order.

    Args:
        event: the batch from Lambda.
        handle: takes a `Message`; it returns when the message is done and raises when it is not.
        dead_letters: a `DeadLetters`.
        workers: groups worked on at once.
        queue: the `WorkQueue` that the batch came from.
        deadline: a message that would begin after it is handed back untouched.

    Returns:
        A `BatchResult`, its messages in the batch's order.
    """
    messages = [Message.of(record) for record in event["Records"]]
    groups = defaultdict(list)
    for message in messages:
        groups[("message", message.id) if message.group is None else ("group", message.group)].append(message)
    work = _Work(handle, dead_letters, queue, deadline)
    with ThreadPoolExecutor(max(1, min(workers, len(groups)))) as pool:
        done = list(pool.map(work.do, groups.values()))
    ends = deadline.closing().limiting(lambda: work.hand_back(done))
    return BatchResult([ends[message.id] for message in messages])


@dataclass(frozen=True)
class _Work:
    """The work on one batch."""

    handle: Callable[[Message], Any]
    dead_letters: DeadLetters
    queue: WorkQueue
    deadline: Deadline

    def do(self, group):
        """Works on the messages of a group up to the first failure; returns their ends."""
        ends, blocked = [], None
        for message in group:
            if self.deadline.passed():
                blocked = blocked or DeferredError("no time was left to begin with this message")
            end = End(message, State.FAILED, blocked) if blocked else self._do_in_time(message)
            if end.state is State.FAILED:
                # What follows a failure must not overtake it: it comes back together with what failed.
                blocked = blocked or DeferredError(f"message {message.id} of the same group failed and comes first")
            ends.append(end)
        return ends

    def _do_in_time(self, message):
        # What is no part of the work proper, such as a table's row or a dead letter, may come after its deadline.
        return self.deadline.closing().limiting(lambda: self._do_one(message))

    def _do_one(self, message):
        is_early = self.deadline.is_early()
        try:
            self.handle(message)
        # A bug in one message must not cost the rest.
        except Exception as raised:  # pylint: disable=broad-exception-caught
            error = self._judged(message, raised, is_early)
            is_due = self.dead_letters.is_due(message, error, renewable=bool(self.queue.url))
            if is_due and self.dead_letters.take(message, error):
                return End(message, State.DEAD_LETTERED, error)
            return End(message, State.FAILED, error)
        return End(message, State.DONE)

    def _judged(self, message, error, is_early):
        # How often that was can be known only where a copy carries the number.
        if not isinstance(error, UnfinishedError) or not self.queue.url:
            return error
        if not is_early or not error.stalled:
            return DeferredError(f"others took the time of this invocation: {error}")
        if message.past.stalled + 1 < STALLS:
            return error
        return StalledError(f"no part could be carried within one invocation {STALLS} times in a row: {error}")

    def hand_back(self, groups):
        """Renews the failed messages that were received often, and says of the others when they come back.

        Args:
            groups: the ends of the messages of each group, in order.

        Returns:
            The end of each message by its id.
        """
        copies, waits = [], {}
        for ends in groups:
            renewing = False
            for end in ends:
                if end.state is State.FAILED:
                    message, waits[end.message.id] = end.message, _wait_after(end)
                    stalled = isinstance(end.error, UnfinishedError)
                    # A copy comes behind its group: what follows is renewed as well, so that the order stays.
                    renewing = renewing or stalled or self.dead_letters.is_worn(message)
                    if renewing:
                        past = Past(message.receives_in_all, message.first_received, message.past.stalled + stalled)
                        copies.append((message, past, waits[message.id]))
        renewed = self.queue.renew(copies)
        # What could not be renewed has few receives left.
        waits |= {message.id: LONGEST_WAIT for message, _, wait in copies if wait}
        ends = {end.message.id: end for group in groups for end in group}
        self.queue.return_after([(ends[id_].message, wait) for id_, wait in waits.items() if id_ not in renewed])
        return ends | {id_: replace(ends[id_], state=State.RENEWED) for id_ in renewed}


def _wait_after(end):
    if isinstance(end.error, DeferredError):
        return 0.0
    return wait_after(end.message.receives_in_all)


def _attribute(text):
    # SQS takes only what XML 1.0 can hold, so control characters are shown as escapes.
    return {"DataType": "String", "StringValue": printable(text)[:REASON_LIMIT] or "-"}
