"""The messages of the FIFO queue and of the recheck queue: one "observe this key" for each event.

A group id and a deduplication id of SQS are 1 to 128 ASCII letters, digits and punctuation marks. A key has up to 1,024
bytes of any UTF-8. So both ids are digests.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict

from tasks.utils.errors import BucketBrigadeError
from tasks.utils.events import KIND_BY_DETAIL_TYPE, Kind, ObjectEvent
from tasks.utils.s3_object import S3Object

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

# What SendMessageBatch takes.
BATCH = 10

# EventBridge's name for each kind of event that another sender, such as a bucket's own notification, names differently.
DETAIL_TYPES = {
    Kind.CREATED: "Object Created",
    Kind.UNNAMED: "Object Created",
    Kind.REMOVED: "Object Deleted",
    Kind.LIFECYCLE_EXPIRED: "Object Deleted",
    Kind.TAGGED: "Object Tags Added",
    Kind.ANNOTATED: "Object Annotation Created",
    Kind.RECHECK: "Object Recheck",
}


class Entry(TypedDict):
    """What SQS takes as a message of a FIFO queue, but for its number in a batch."""

    MessageBody: str
    MessageGroupId: str
    MessageDeduplicationId: str


class NotSent(BucketBrigadeError):
    """SQS did not take a message."""

    transient = True


@dataclass(frozen=True)
class Queue:
    """The FIFO queue.

    Attributes:
        sqs: returns a boto3 SQS client.
        url: the queue's URL.
    """

    sqs: Callable[[], SQSClient]
    url: str

    def send(self, events: Iterable[ObjectEvent], *, origin: Any) -> None:
        """Send a message for each event.

        Args:
            events: the events of one invocation.
            origin: what Lambda was invoked with: within five minutes, a second delivery of it adds no message.

        Raises:
            NotSent: SQS did not take some of them; it is safe to send all of them again.
        """
        entries = [_numbered(number, entry(event, origin)) for number, event in enumerate(events)]
        for start in range(0, len(entries), BATCH):
            answer = self.sqs().send_message_batch(QueueUrl=self.url, Entries=entries[start : start + BATCH])
            failed = answer.get("Failed", [])
            if failed:
                raise NotSent(f"SQS did not take {len(failed)} of {len(entries)} messages: {failed[0].get('Message')}")


@dataclass(frozen=True)
class RecheckQueue:
    """The standard queue whose messages wait until no server can hold a request about their keys any more.

    A FIFO queue cannot delay a single message: SQS Developer Guide, "Amazon SQS message timers". So `enqueue` moves the
    messages of this queue into the FIFO queue when they are due.

    Attributes:
        sqs: returns a boto3 SQS client.
        url: the queue's URL. The queue itself has the delay.
    """

    sqs: Callable[[], SQSClient]
    url: str

    def send(self, event: ObjectEvent) -> None:
        """Ask for a recheck of the key of an event, after the queue's delay.

        Raises:
            ClientError, BotoCoreError: SQS did not take the message.
        """
        # The time of the event would count as lag, and its sequencer as a newer event.
        body = to_body(replace(event, kind=Kind.RECHECK, name="", time=None, sequencer=None))
        self.sqs().send_message(QueueUrl=self.url, MessageBody=body)


def entry(event: ObjectEvent, origin: Any) -> Entry:
    """Return the message of an event: body, group and deduplication id."""
    body = to_body(event)
    return {
        "MessageBody": body,
        "MessageGroupId": group_of(event.object),
        "MessageDeduplicationId": _digest(json.dumps(origin, sort_keys=True, default=str), body),
    }


def group_of(address: S3Object) -> str:
    """Return the id of the group that all messages about one key share."""
    return _digest(address.bucket, address.key)


def to_body(event: ObjectEvent) -> str:
    """Return an event as EventBridge would write it, and no more of it than `replicate` reads."""
    about = {
        "key": event.object.key,
        "size": event.size,
        "etag": event.etag,
        "version-id": event.object.version_id,
        "sequencer": event.sequencer,
    }
    known = {name: value for name, value in about.items() if value is not None}
    detail: dict[str, Any] = {"bucket": {"name": event.object.bucket}, "object": known}
    if event.kind is Kind.LIFECYCLE_EXPIRED:
        detail["reason"] = "Lifecycle Expiration"
    # JSON in ASCII: SQS refuses most control characters, and a key may hold them.
    return json.dumps(
        {
            "detail-type": _detail_type_of(event),
            "source": "aws.s3",
            "time": event.time.isoformat() if event.time else None,
            "detail": detail,
        }
    )


def _numbered(number: int, message: Entry) -> SendMessageBatchRequestEntryTypeDef:
    return {
        "Id": str(number),
        "MessageBody": message["MessageBody"],
        "MessageGroupId": message["MessageGroupId"],
        "MessageDeduplicationId": message["MessageDeduplicationId"],
    }


def _detail_type_of(event: ObjectEvent) -> str:
    return event.name if event.name in KIND_BY_DETAIL_TYPE else DETAIL_TYPES.get(event.kind, event.name)


def _digest(*texts: str) -> str:
    # No bucket's name holds the separator, so two pairs never make one text.
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
