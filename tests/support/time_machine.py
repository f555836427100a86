"""A queue that Lambda polls, in simulated time."""

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from moto.sqs.models import sqs_backends

from tests.support.dying_client import Killed

HOUR, DAY = 3600.0, 24 * 3600.0

# As in Terraform: six time-outs of 15 minutes.
VISIBILITY_SECONDS = 90 * 60
MAX_RECEIVES = 10


class Clock:
    """The simulated time of SQS and of the tasks, whose waits end at once."""

    def __init__(self):
        # A Friday at noon.
        self.now = 1_795_176_000.0

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def patch(self, monkeypatch):
        """Replace the clocks of SQS and of the tasks until the test ends."""
        monkeypatch.setattr("moto.sqs.models.unix_time", self.time)
        monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda: self.now * 1000)
        monkeypatch.setattr("tasks.utils.work_queue.time", SimpleNamespace(time=self.time))
        monkeypatch.setattr("tasks.object_clerk.pacer.time", SimpleNamespace(monotonic=self.time, sleep=self.sleep))
        monkeypatch.setattr("tasks.utils.retry.sleep", self.sleep)


@dataclass
class PolledQueue:
    """A work queue with its dead-letter queue, and the poller that passes its messages to a function.

    Attributes:
        sqs: a client.
        clock: a `Clock`.
        url: the queue's URL.
        dead_url: the URL of the dead-letter queue.
        handle: the function: takes a batch and returns its answer, or raises `Killed`.
        invocations: the number of invocations so far.
    """

    sqs: Any
    clock: Clock
    url: str
    dead_url: str
    handle: Any = None
    invocations: int = 0

    @classmethod
    def create(cls, sqs, clock, name, *, fifo=False, **how):
        more = {"FifoQueue": "true"} if fifo else {}
        suffix = ".fifo" if fifo else ""
        dead = sqs.create_queue(QueueName=f"{name}-dead{suffix}", Attributes=more)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVES})
        timeout = {"VisibilityTimeout": str(VISIBILITY_SECONDS), "RedrivePolicy": redrive}
        url = sqs.create_queue(QueueName=f"{name}{suffix}", Attributes={**more, **timeout})["QueueUrl"]
        return cls(sqs, clock, url, dead, **how)

    def run(self, seconds):
        """Poll for so many seconds or until the queue is empty, and return the seconds that it took."""
        began = self.clock.now
        while self.clock.now <= began + seconds:
            if not self._poll_once():
                coming = self._next_moment()
                if coming is None:
                    break
                # SQS counts a message as visible from the next millisecond.
                self.clock.now = max(self.clock.now, coming) + 0.01
        return self.clock.now - began

    def dead_letters(self):
        found = self.sqs.receive_message(
            QueueUrl=self.dead_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
        )
        return found.get("Messages", [])

    def _poll_once(self):
        received = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
        )
        messages = received.get("Messages", [])
        if not messages:
            return False
        self.invocations += 1
        try:
            answer = self.handle({"Records": [record_of(message) for message in messages]})
        except Killed:
            return True
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for message in messages:
            if message["MessageId"] not in failed:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        self.clock.sleep(0.1)
        return True

    def _next_moment(self):
        account, name = self.url.rsplit("/", 2)[1:]
        queue = sqs_backends[account][self.sqs.meta.region_name].get_queue(name)
        moments = [max(message.visible_at, message.delayed_until) / 1000 for message in vars(queue)["_messages"]]
        later = [moment for moment in moments if moment > self.clock.now]
        return min(later, default=self.clock.now if moments else None)


def record_of(message):
    """Return the record that Lambda makes of a message of ReceiveMessage."""
    attributes = message.get("MessageAttributes", {})
    return {
        "eventSource": "aws:sqs",
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {"dataType": value["DataType"], "stringValue": value["StringValue"]}
            for name, value in attributes.items()
        },
    }
