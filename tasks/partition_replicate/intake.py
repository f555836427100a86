"""An event becomes a message of the FIFO queue: one "look at this key", in the group of its key.

SQS takes 1 to 128 ASCII letters, digits and punctuation marks as a group or a deduplication id, and a key has up to
1,024 bytes of any UTF-8: so both ids are digests.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tasks.utils.errors import BucketBrigadeError
from tasks.utils.events import KIND_BY_DETAIL_TYPE, Kind

# What SendMessageBatch takes.
BATCH = 10

# The name by which EventBridge calls what another sender, such as a bucket's own notification, calls otherwise.
DETAIL_TYPES = {
    Kind.CREATED: "Object Created",
    Kind.UNNAMED: "Object Created",
    Kind.REMOVED: "Object Deleted",
    Kind.LIFECYCLE_EXPIRED: "Object Deleted",
    Kind.TAGGED: "Object Tags Added",
    Kind.ANNOTATED: "Object Annotation Created",
    Kind.RECHECK: "Object Recheck",
}


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

    sqs: Callable[[], Any]
    url: str

    def send(self, events, *, origin):
        """Sends a message for each event.

        Args:
            events: a list of `ObjectEvent`, of one invocation.
            origin: what Lambda was handed: a delivery of the very same event is one message within five minutes.

        Raises:
            NotSent: some were not taken; sending all of them again is safe.
        """
        entries = [{"Id": str(number), **entry(event, origin)} for number, event in enumerate(events)]
        for start in range(0, len(entries), BATCH):
            answer = self.sqs().send_message_batch(QueueUrl=self.url, Entries=entries[start : start + BATCH])
            failed = answer.get("Failed", [])
            if failed:
                raise NotSent(f"SQS did not take {len(failed)} of {len(entries)} messages: {failed[0].get('Message')}")


@dataclass(frozen=True)
class RecheckQueue:
    """A standard queue that holds each message back until no server can hold a request about its key any more.

    A FIFO queue cannot delay a single message: SQS Developer Guide, "Amazon SQS message timers". So `enqueue` moves the
    messages of this queue into the FIFO queue when they are due.

    Attributes:
        sqs: returns a boto3 SQS client.
        url: the queue's URL. The queue itself has the delay.
    """

    sqs: Callable[[], Any]
    url: str

    def send(self, event):
        """Asks for another look at the key of an event, after the queue's delay.

        Args:
            event: an `ObjectEvent`.

        Raises:
            ClientError, BotoCoreError: SQS did not take the message.
        """
        # When it happened would count as lag, and its sequencer as news.
        body = to_body(replace(event, kind=Kind.RECHECK, name="", time=None, sequencer=None))
        self.sqs().send_message(QueueUrl=self.url, MessageBody=body)


def entry(event, origin):
    """Returns the message of an event: body, group and deduplication id."""
    body = to_body(event)
    return {
        "MessageBody": body,
        "MessageGroupId": group_of(event.object),
        "MessageDeduplicationId": _digest(json.dumps(origin, sort_keys=True, default=str), body),
    }


def group_of(address):
    """Returns the id of the group that all messages about one key share."""
    return _digest(address.bucket, address.key)


def to_body(event):
    """Returns an event as EventBridge would write it, and no more of it than `replicate` reads."""
    about = {
        "key": event.object.key,
        "size": event.size,
        "etag": event.etag,
        "version-id": event.object.version_id,
        "sequencer": event.sequencer,
    }
    known = {name: value for name, value in about.items() if value is not None}
    detail = {"bucket": {"name": event.object.bucket}, "object": known}
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


def _detail_type_of(event):
    return event.name if event.name in KIND_BY_DETAIL_TYPE else DETAIL_TYPES.get(event.kind, event.name)


def _digest(*texts):
    # A separator that no bucket's name holds, so that two pairs never make one text.
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
