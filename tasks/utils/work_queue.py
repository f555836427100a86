"""The queue that a function takes its work from: when a message that failed comes back, and as what.

SQS counts every receive of a message and moves it to the dead-letter queue when there were too many. That is right for
a message that kills its function, and wrong for one that waits for a destination that is down. So a message that was
received half as often as allowed is renewed: a copy of it goes into the queue, and then the message is acknowledged.
The copy has no receives yet, and its 14 days of retention begin again. Its attributes say what happened to it before.

A copy goes behind whatever waits in its FIFO group. That is safe for messages that say "look at this key".

Source of the rules: SQS API Reference, ChangeMessageVisibilityBatch and SendMessageBatch; SQS Developer Guide,
"Amazon SQS visibility timeout" and "FIFO queue delivery logic in Amazon SQS".
"""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

LOGGER = logging.getLogger("bucket_brigade")

# What one request of SQS's batch operations takes.
BATCH = 10

# A short trouble costs seconds; after a long one everything is done within a quarter of an hour.
FIRST_WAIT = 2.0
LONGEST_WAIT = 15 * 60.0

# The names of the message attributes.
RECEIVES_BEFORE = "ReceivesBefore"
FIRST_RECEIVED = "FirstReceived"
STALLED = "Stalled"


@dataclass(frozen=True)
class Past:
    """What happened to a message before it was renewed.

    Attributes:
        receives: how often it had been received.
        first_received: when it was received first, in seconds since 1970; None where that was not before.
        stalled: how often in a row an invocation ended before anything of it was done.
    """

    receives: int = 0
    first_received: float | None = None
    stalled: int = 0

    @classmethod
    def of(cls, attributes):
        """Returns what the `messageAttributes` of an SQS record say."""
        return cls(
            receives=int(_number(attributes, RECEIVES_BEFORE) or 0),
            first_received=_number(attributes, FIRST_RECEIVED),
            stalled=int(_number(attributes, STALLED) or 0),
        )

    @property
    def attributes(self):
        """The same as `MessageAttributes` for SQS."""
        values = {RECEIVES_BEFORE: self.receives, FIRST_RECEIVED: self.first_received, STALLED: self.stalled}
        return {name: {"DataType": "Number", "StringValue": str(value)} for name, value in values.items() if value}


def wait_after(receives):
    """Returns the seconds until a message that failed comes back, which double from one receive to the next.

    Half of them are left to chance, so that messages which failed together do not come back together.
    """
    # 2.0 ** 1024 overflows a float; long before that the longest wait is reached.
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(receives - 1, 64)) * random.uniform(0.5, 1.0)


@dataclass(frozen=True)
class WorkQueue:
    """The queue.

    Attributes:
        sqs: returns a boto3 SQS client.
        url: the queue's URL, or "" where it is not known: then messages come back after its visibility time-out.
    """

    sqs: Callable[[], Any]
    url: str

    def send_again(self, message):
        """Sends a copy of a message that got on, as if it were new.

        Args:
            message: a `batches.Message` of a FIFO queue.

        Raises:
            ClientError, BotoCoreError: SQS did not take it.
        """
        self.sqs().send_message(QueueUrl=self.url, **self._copy(message, Past(), 0.0))

    def renew(self, copies):
        """Sends copies of messages.

        Args:
            copies: a list of a `batches.Message`, its `Past` and the seconds until it is handed out. A FIFO queue knows
                no such delay for a single message.

        Returns:
            The ids of the messages whose copies were taken: only these may be acknowledged.
        """
        entries = [self._copy(message, past, wait) for message, past, wait in copies]
        taken = self._in_batches("send_message_batch", entries)
        return {copies[number][0].id for number in taken}

    def return_after(self, waits):
        """Makes messages visible again after some seconds; where that fails, it is after the visibility time-out.

        Args:
            waits: a list of pairs: a `batches.Message` and seconds.
        """
        entries = [
            {"ReceiptHandle": message.receipt, "VisibilityTimeout": round(wait)}
            for message, wait in waits
            if message.receipt
        ]
        self._in_batches("change_message_visibility_batch", entries)

    def _copy(self, message, past, wait):
        # The id names the receive, so that a copy of the copy is no duplicate.
        fifo = {"MessageGroupId": message.group, "MessageDeduplicationId": f"{message.id}-{message.receives}"}
        return {
            "MessageBody": message.body,
            "MessageAttributes": past.attributes,
            **(fifo if self.url.endswith(".fifo") else {"DelaySeconds": round(wait)}),
        }

    def _in_batches(self, operation, entries):
        """Returns the places of the entries that SQS took in the list; says once why it did not take the others."""
        taken, failures = set(), []
        for start in range(0, len(entries) if self.url else 0, BATCH):
            numbered = [{"Id": str(start + at), **entry} for at, entry in enumerate(entries[start : start + BATCH])]
            try:
                answer = getattr(self.sqs(), operation)(QueueUrl=self.url, Entries=numbered)
            except (ClientError, BotoCoreError) as error:
                failures.append(str(error))
                continue
            taken |= {int(one["Id"]) for one in answer.get("Successful", [])}
            failures += [one.get("Message") or one["Code"] for one in answer.get("Failed", [])]
        if failures:
            about = {"operation": operation, "messages": len(entries) - len(taken), "reason": failures[0]}
            LOGGER.warning("the work queue did not take a request: messages come back later", extra=about)
        return taken


def _number(attributes, name):
    try:
        return float(attributes[name]["stringValue"])
    except (KeyError, TypeError, ValueError):
        return None
