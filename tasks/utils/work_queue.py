"""The queue from which a function takes its messages: when a message that failed comes back, and with which attributes.

SQS counts each receive of a message, and moves a message with too many receives to the dead-letter queue. That is right
for a message that kills its function, and wrong for a message that waits for a destination that is down. So a message
with half of the allowed receives is renewed: `WorkQueue` sends a copy to the queue, and then the message is
acknowledged. The copy has no receives, and its 14 days of retention start again. Its attributes hold the `Past`.

A copy in a FIFO queue goes behind the messages of its group. That is safe for messages that only name a key to look at.

Source of the rules: SQS API Reference, ChangeMessageVisibilityBatch and SendMessageBatch; SQS Developer Guide,
"Amazon SQS visibility timeout" and "FIFO queue delivery logic in Amazon SQS".
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from tasks.utils.events import decode_json

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LOGGER = logging.getLogger("bucket_brigade")

# The largest number of entries in a request of SQS's batch operations.
BATCH = 10

# After a short outage a message waits some seconds; after a long one all messages are done in a quarter of an hour.
FIRST_WAIT = 2.0
LONGEST_WAIT = 15 * 60.0

# The names of the message attributes.
RECEIVES_BEFORE = "ReceivesBefore"
FIRST_RECEIVED = "FirstReceived"
STALLED = "Stalled"


@dataclass(frozen=True)
class Past:
    """The past of a message: what happened before its renewal.

    Attributes:
        receives: how often it was received.
        first_received: the time of the first receive, in seconds since 1970; None if it was not received before.
        stalled: the number of invocations in a row that ended before any part of it was done.
    """

    receives: int = 0
    first_received: float | None = None
    stalled: int = 0

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> Past:
        """Return the past that the `messageAttributes` of an SQS record hold."""
        return cls(
            receives=int(_number(attributes, RECEIVES_BEFORE) or 0),
            first_received=_number(attributes, FIRST_RECEIVED),
            stalled=int(_number(attributes, STALLED) or 0),
        )

    @property
    def attributes(self) -> dict[str, Any]:
        """The past as `MessageAttributes` for SQS."""
        values = {RECEIVES_BEFORE: self.receives, FIRST_RECEIVED: self.first_received, STALLED: self.stalled}
        return {name: {"DataType": "Number", "StringValue": str(value)} for name, value in values.items() if value}


@dataclass(frozen=True)
class Message:
    """An SQS message as Lambda passes it to a function.

    Attributes:
        id: the message id, by which the answer names the message.
        body: the text.
        group: the FIFO group, or None.
        receives: how often it was received, this time included.
        receipt: the receipt handle, by which SQS knows this receive, or "".
        first_received: the time of the first receive, in seconds since 1970, or None.
        past: what happened to it before its renewal.
    """

    id: str
    body: str
    group: str | None = None
    receives: int = 1
    receipt: str = ""
    first_received: float | None = None
    past: Past = Past()

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Message:
        """Return the message of an SQS record."""
        attributes = record.get("attributes") or {}
        past = Past.from_attributes(record.get("messageAttributes") or {})
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

    def decode(self) -> Any:
        """Return the decoded JSON of the body.

        Raises:
            EventError: the body is not JSON.
        """
        return decode_json(self.body)

    @property
    def total_receives(self) -> int:
        """How often it was received, also before its renewal."""
        return self.past.receives + self.receives

    @property
    def age(self) -> float:
        """Seconds since the first receive; 0 if its time is not known."""
        return max(0.0, time.time() - self.first_received) if self.first_received else 0.0


class Renewal(NamedTuple):
    """A message to renew.

    Attributes:
        message: the message.
        past: the past of its copy.
        wait: seconds until the queue hands out the copy. A FIFO queue has no such delay for a single message.
    """

    message: Message
    past: Past
    wait: float


def wait_after(receives: int) -> float:
    """Return the seconds until a message that failed comes back, which double from one receive to the next.

    Half of the time is random, so that messages that failed together do not come back together.
    """
    # 2.0 ** 1024 overflows a float; the longest wait is reached long before that.
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(receives - 1, 64)) * random.uniform(0.5, 1.0)


@dataclass(frozen=True)
class WorkQueue:
    """The queue.

    Attributes:
        sqs: returns a boto3 SQS client.
        url: the queue's URL, or "" if it is not known: then messages come back after the visibility time-out.
    """

    sqs: Callable[[], SQSClient]
    url: str

    def send_again(self, message: Message) -> None:
        """Send a copy of a message whose work made progress, as if the message were new.

        Args:
            message: a message of a FIFO queue.

        Raises:
            ClientError, BotoCoreError: SQS refused the copy.
        """
        self.sqs().send_message(QueueUrl=self.url, **self._copy(Renewal(message, Past(), 0.0)))

    def renew(self, renewals: Sequence[Renewal]) -> set[str]:
        """Send copies of messages.

        Returns:
            The ids of the messages whose copies SQS accepted. Only these may be acknowledged.
        """
        accepted = self._request_in_batches("send_message_batch", [self._copy(renewal) for renewal in renewals])
        return {renewals[index].message.id for index in accepted}

    def return_after(self, waits: Iterable[tuple[Message, float]]) -> None:
        """Make messages visible again after some seconds. If that fails, it happens after the visibility time-out.

        Args:
            waits: pairs of a message and its seconds.
        """
        entries = [
            {"ReceiptHandle": message.receipt, "VisibilityTimeout": round(wait)}
            for message, wait in waits
            if message.receipt
        ]
        self._request_in_batches("change_message_visibility_batch", entries)

    def _copy(self, renewal: Renewal) -> dict[str, Any]:
        message = renewal.message
        # The deduplication id names the receive, so that a copy of the copy is no duplicate.
        fifo = {"MessageGroupId": message.group, "MessageDeduplicationId": f"{message.id}-{message.receives}"}
        return {
            "MessageBody": message.body,
            "MessageAttributes": renewal.past.attributes,
            **(fifo if self.url.endswith(".fifo") else {"DelaySeconds": round(renewal.wait)}),
        }

    def _request_in_batches(self, operation: str, entries: Sequence[Mapping[str, Any]]) -> set[int]:
        """Return the indices of the entries that SQS accepted, and log the first reason if it refused others."""
        accepted: set[int] = set()
        failures: list[str] = []
        for start in range(0, len(entries) if self.url else 0, BATCH):
            batch = [{"Id": str(start + index), **entry} for index, entry in enumerate(entries[start : start + BATCH])]
            try:
                answer = getattr(self.sqs(), operation)(QueueUrl=self.url, Entries=batch)
            except (ClientError, BotoCoreError) as error:
                failures.append(str(error))
                continue
            accepted |= {int(entry["Id"]) for entry in answer.get("Successful", [])}
            failures += [entry.get("Message") or entry["Code"] for entry in answer.get("Failed", [])]
        if failures:
            fields = {"operation": operation, "messages": len(entries) - len(accepted), "reason": failures[0]}
            LOGGER.warning("the work queue did not take a request: messages come back later", extra=fields)
        return accepted


def _number(attributes: Mapping[str, Any], name: str) -> float | None:
    try:
        return float(attributes[name]["stringValue"])
    except (KeyError, TypeError, ValueError):
        return None
