"""A batch of SQS messages, each answered for itself.

Lambda takes `{"batchItemFailures": [{"itemIdentifier": messageId}]}`: what is named comes back, the rest is done.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting

Groups of a FIFO queue run side by side and each in order; without FIFO every message is a group of its own. What can
never succeed is put into the dead-letter queue at once, with its reason, so that it neither spends five receives nor
blocks its group.
"""

import logging
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tasks.utils.deadline import Deadline
from tasks.utils.events import decode_json
from tasks.utils.errors import BucketBrigadeError, DeadlineException, DeferredError
from tasks.utils.s3_object import printable

LOGGER = logging.getLogger("bucket_brigade")

# An attribute's value counts towards the message's 256 KiB; a reason needs far less.
REASON_LIMIT = 2_000


@dataclass(frozen=True)
class Message:
    """One SQS message as Lambda hands it over.

    Attributes:
        id: what the answer names it by.
        body: its text.
        group: the FIFO group, or None.
        receives: how often it has been received, this time included.
    """

    id: str
    body: str
    group: str | None = None
    receives: int = 1

    @classmethod
    def of(cls, record):
        """Returns the message of one SQS record."""
        attributes = record.get("attributes") or {}
        return cls(
            id=record["messageId"],
            body=record.get("body") or "",
            group=attributes.get("MessageGroupId"),
            receives=int(attributes.get("ApproximateReceiveCount") or 1),
        )

    def decoded(self):
        """Returns the body's JSON.

        Raises:
            EventError: it is none.
        """
        return decode_json(self.body)


@dataclass(frozen=True)
class DeadLetters:
    """The queue for what can never succeed.

    Attributes:
        sqs: returns a boto3 SQS client; most containers never need one, and a cold start should not pay for it.
        url: the queue's URL, or "" where there is none.
        max_receives: after how many receives the queue itself would move a message there, reason unknown; the last
            of them is used to move it with its reason.
    """

    sqs: Callable[[], Any]
    url: str
    max_receives: int | None = None

    def is_due(self, message, error):
        """Returns whether the message is to go there now: another try cannot help, or this was the last one."""
        for_good = isinstance(error, BucketBrigadeError) and not error.transient
        return for_good or (self.max_receives is not None and message.receives >= self.max_receives)

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


def work_through(event, handle, *, dead_letters, workers, deadline=Deadline()):
    """Hands each message of a batch to `handle`, groups side by side and each in order.

    Args:
        event: the batch from Lambda.
        handle: takes a `Message`; it returns when the message is done and raises when it is not.
        dead_letters: a `DeadLetters`.
        workers: groups worked on at once.
        deadline: a message that would begin after it is handed back untouched.

    Returns:
        A `BatchResult`, its messages in the batch's order.
    """
    messages = [Message.of(record) for record in event["Records"]]
    groups = defaultdict(list)
    for message in messages:
        groups[("message", message.id) if message.group is None else ("group", message.group)].append(message)
    with ThreadPoolExecutor(max(1, min(workers, len(groups)))) as pool:
        ends = pool.map(lambda group: _work_through_group(group, handle, dead_letters, deadline), groups.values())
        by_id = {end.message.id: end for group in ends for end in group}
    return BatchResult([by_id[message.id] for message in messages])


def _work_through_group(group, handle, dead_letters, deadline):
    ends = []
    blocked = None
    for message in group:
        if deadline.passed():
            blocked = blocked or DeadlineException("no time was left to begin with this message")
        end = End(message, State.FAILED, blocked) if blocked else _work_on(message, handle, dead_letters)
        if end.state is State.FAILED:
            # What follows a failure must not overtake it: it comes back together with what failed.
            blocked = blocked or DeferredError(f"message {message.id} of the same group failed and comes first")
        ends.append(end)
    return ends


def _work_on(message, handle, dead_letters):
    try:
        handle(message)
    except Exception as error:  # pylint: disable=broad-exception-caught  # a bug in one message must not cost the rest
        if dead_letters.is_due(message, error) and dead_letters.take(message, error):
            return End(message, State.DEAD_LETTERED, error)
        return End(message, State.FAILED, error)
    return End(message, State.DONE)


def _attribute(text):
    # SQS takes only what XML 1.0 can hold, so control characters are shown as escapes.
    return {"DataType": "String", "StringValue": printable(text)[:REASON_LIMIT] or "-"}
