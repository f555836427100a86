"""Messages of the FIFO queue, and batches of them on their way to a worker."""

import time
from dataclasses import dataclass, field

from tests.partition_replicate.events import sqs_batch

# Lambda's time-out in the deployment.
TIMEOUT = 900.0


@dataclass(eq=False)
class Message:
    """A message of the FIFO queue.

    Attributes:
        record: the message as Lambda passes it to the function.
        is_invisible: the worker that received it was killed, so it comes back after all requests under way.
    """

    record: dict
    is_invisible: bool = False

    @classmethod
    def of_event(cls, event, name):
        """Return the message of an event of S3."""
        record = sqs_batch(event)["Records"][0]
        return cls({**record, "messageId": name, "receiptHandle": ""})

    @classmethod
    def of_queue(cls, message):
        """Return the message that a worker sent, from the one that moto holds."""
        attributes = {
            name: {"dataType": one["DataType"], "stringValue": one["StringValue"]}
            for name, one in message.message_attributes.items()
        }
        record = {
            "eventSource": "aws:sqs",
            "messageId": message.id,
            "receiptHandle": "",
            "body": message.body,
            "attributes": {
                "ApproximateReceiveCount": "0",
                **({"MessageGroupId": message.group_id} if message.group_id else {}),
            },
            "messageAttributes": attributes,
        }
        return cls(record)

    @property
    def id(self):
        """The id by which an answer names the message."""
        return self.record["messageId"]

    def receive(self):
        """Count one more receive, and return the record."""
        attributes = self.record["attributes"]
        attributes["ApproximateReceiveCount"] = str(int(attributes["ApproximateReceiveCount"]) + 1)
        attributes.setdefault("ApproximateFirstReceiveTimestamp", str(int(time.time() * 1000)))
        return self.record


@dataclass
class Delivery:
    """One batch on its way to a worker.

    Attributes:
        messages: the messages of the batch.
        plan: the faults of its requests, as `network.Line` takes them.
        seconds: the time that the invocation has.
        keeps: messages that are delivered once more even if this delivery succeeds.
    """

    messages: list
    plan: dict = field(default_factory=dict)
    seconds: float = TIMEOUT
    keeps: list = field(default_factory=list)
