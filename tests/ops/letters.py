"""Dead letters in the queues of the deployment of `conftest.py`."""

import json
from collections import Counter
from itertools import count

from tasks.utils.s3_object import printable
from tests.ops.conftest import RESTORED, SOURCE

REASON, TYPE = "HeadObject s3://{bucket}/{key}: 403 Forbidden (tried 3 times)", "ObjectClerkServerAuthException"


def restored(key, bucket=RESTORED):
    about = {"bucket": {"name": bucket}, "object": {"key": key}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectRestore:Completed", "s3": about}]}


def created(key, bucket=SOURCE):
    detail = {"bucket": {"name": bucket}, "object": {"key": key}}
    return {"detail-type": "Object Created", "source": "aws.s3", "time": None, "detail": detail}


def attributes(**values):
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}


class Letters:
    """Puts dead letters into queues, and says which messages a queue has."""

    def __init__(self, sqs, outputs):
        self.sqs = sqs
        self._outputs = outputs
        self._numbers = count()

    def url(self, task, name):
        return self._outputs[task][f"{name}_url"]

    def archive(self, *keys, reason=REASON, error=TYPE, **more):
        """Send dead letters of `archive_copy` as its function sends them."""
        for key in keys:
            text = reason.format(bucket=RESTORED, key=printable(key))
            given = attributes(Reason=text, ErrorType=error, MessageId="m", **more)
            self.send("archive_copy", "dead_letter_queue", restored(key), MessageAttributes=given)

    def mirror(self, *keys, reason=REASON, group=None):
        """Send dead letters to the FIFO queue, each key in its group."""
        for key in keys:
            given = attributes(Reason=reason.format(bucket=SOURCE, key=key), ErrorType=TYPE, MessageId="m")
            fifo = {"MessageGroupId": group or f"g-{key}", "MessageDeduplicationId": str(next(self._numbers))}
            self.send("partition_replicate", "dead_letter_queue", created(key), MessageAttributes=given, **fifo)

    def send(self, task, name, body, **how):
        text = body if isinstance(body, str) else json.dumps(body)
        self.sqs.send_message(QueueUrl=self.url(task, name), MessageBody=text, **how)

    def bodies(self, task, name):
        """Return how often each body is in a queue; its messages are removed."""
        found = Counter()
        while messages := self._receive(task, name):
            for message in messages:
                found[message["Body"]] += 1
                self.sqs.delete_message(QueueUrl=self.url(task, name), ReceiptHandle=message["ReceiptHandle"])
        return found

    def visible(self, task, name):
        """Return the number of messages that a receive could return."""
        names = ["ApproximateNumberOfMessages"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url(task, name), AttributeNames=names)
        return int(answer["Attributes"][names[0]])

    def _receive(self, task, name):
        how = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
        return self.sqs.receive_message(QueueUrl=self.url(task, name), **how).get("Messages", [])
