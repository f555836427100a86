"""The deployed function and its queues in moto, with the sides of `Sides`."""

import json
import logging
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from tasks.mirror_check import check as check_module
from tasks.mirror_check import handler
from tests.mirror_check.conftest import DESTINATION, SOURCE, TABLE
from tests.support.time_machine import PolledQueue

RUN = '{"run": "2026-06-01T12:00:00Z"}'
DAY = 24 * 3600


@dataclass
class Runs:
    """The function, and what it did.

    Attributes:
        polled: its queue, whose poller calls it.
        objects: the URL of the mirror's FIFO queue.
        letters: the URL of the mirror's dead-letter queue.
        compared: each key that was compared in the listings, as often as it was.
    """

    polled: PolledQueue
    objects: str
    letters: str
    compared: list
    capsys: Any

    @property
    def sqs(self):
        return self.polled.sqs

    def start(self, body=RUN):
        """Send the message of the schedule."""
        self.sqs.send_message(
            QueueUrl=self.polled.url,
            MessageBody=body,
            MessageGroupId="runs",
            MessageDeduplicationId=sha256(body.encode()).hexdigest(),
        )

    def run(self, body=RUN):
        """Start a run and wait for its end; return its log lines."""
        self.start(body)
        self.polled.run(DAY)
        return self.lines()

    def lines(self):
        return [json.loads(line) for line in self.capsys.readouterr().out.splitlines() if line.startswith("{")]

    def repairs(self):
        """Return the key and the type of each message in the mirror's queue."""
        bodies = [json.loads(message["Body"]) for message in self.received()]
        return {body["detail"]["object"]["key"]: body["detail-type"] for body in bodies}

    def received(self):
        options = {"MaxNumberOfMessages": 10, "VisibilityTimeout": 0}
        return self.sqs.receive_message(QueueUrl=self.objects, **options).get("Messages", [])


def deploy(aws, clock, monkeypatch, capsys, **settings):
    """Create the queues, set the environment, and return what runs the function."""
    sqs = aws.client("sqs")
    polled = PolledQueue.create(sqs, clock, "check", fifo=True, handle=lambda event: handler.check(event, None))
    fifo = {"FifoQueue": "true"}
    urls = [sqs.create_queue(QueueName=name, Attributes=fifo)["QueueUrl"] for name in ("objects.fifo", "letters.fifo")]
    aws.client("secretsmanager").create_secret(
        Name="secret", SecretString='{"accesskey": "testing", "secretaccesskey": "testing"}'
    )
    environment = {
        "SOURCE_BUCKET": SOURCE,
        "DEST_BUCKET": DESTINATION,
        "DEST_BUCKET_REGION": aws.region_name,
        "DEST_SECRET": "secret",
        "OBJECTS_TABLE": TABLE,
        "OBJECTS_QUEUE": urls[0],
        "OBJECTS_DEAD_LETTER_QUEUES": json.dumps([urls[1]]),
        "WORK_QUEUE": polled.url,
        "DEAD_LETTER_QUEUE": polled.dead_url,
        "MAX_RECEIVES": "10",
        "LAG_SECONDS": "0",
    }
    for name, value in (environment | settings).items():
        monkeypatch.setenv(name, value)
    forget_container()
    compared = _recorded(monkeypatch)
    return Runs(polled, urls[0], urls[1], compared, capsys)


def forget_container():
    handler.worker.cache_clear()
    handler.sqs.cache_clear()
    logger = logging.getLogger("mirror_check")
    logger.handlers.clear()
    logger.init, logger.powertools_handler = False, None


def _recorded(monkeypatch):
    """Return the list of keys that the listings' merge yields from now on."""
    keys, worker = [], getattr(check_module, "_Worker")
    compared = getattr(worker, "_compared")

    def record(self, pairs):
        keys.extend(pair.key for pair in pairs)
        return compared(self, pairs)

    monkeypatch.setattr(worker, "_compared", record)
    return keys
