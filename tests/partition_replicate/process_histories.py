"""Histories of a few keys, mirrored by real processes that are killed, over ways that lose, delay and repeat requests.

A `Stage` has what all histories share: SeaweedFS, the embedded AWS, the network, containers. A `History` draws its
choices from a seed and its number: changes at the source, deliveries of their messages, and what befalls each request.
In the end every request has landed, every message left is delivered with nothing in its way, and then each recheck that
a worker has asked for. After that the mirror has to equal the source.

What is assumed of the world, beside what `tests.support.network` does: a request lands before the message of a worker
that was killed is visible again (90 minutes), and before a recheck is due (15 minutes).

`python -m tests.partition_replicate.process_histories SEED NUMBER` repeats one history. Its choices are the same while
the same messages come back, which may depend on the faster one of two workers. Two more arguments are how many
histories follow each other, and what is planted: see `container.PLANTED`.
"""

import hashlib
import itertools
import json
import random
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from botocore.config import Config
from botocore.credentials import Credentials
from moto.dynamodb.models import dynamodb_backends
from moto.sqs.models import sqs_backends

from local.embedded_aws import EmbeddedAws
from local.seaweedfs import SeaweedFS
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.transport.direct_s3 import DirectS3
from tasks.object_clerk.versions import in_order, versions_of
from tasks.partition_replicate.settings import ALL, CURRENT, KEEP, MIRROR
from tasks.utils.s3_object import S3Object
from tests.conftest import REGION
from tests.partition_replicate.conftest import DEAD, QUEUE, TABLE, create_table, fifo
from tests.partition_replicate.container import LEAST_PART, PARTED
from tests.partition_replicate.events import event_of, sqs_batch
from tests.support.containers import ForkServer, answers_of
from tests.support.network import AMBIGUOUS, KILLS, Fault, Held, Network

ACCOUNT = "123456789012"
SECRET = "mirror-credentials"
DELETED = "deleted"
RECHECKS = "rechecks"
KEYS = ("a", "é ü")

# What the source's and the mirror's bucket keep, VERSIONS, VERSION_DELETES and DELETES; how often each is chosen.
SETTINGS = {
    ("versions", "versions", ALL, KEEP, MIRROR): 5,
    ("versions", "versions", ALL, MIRROR, MIRROR): 5,
    ("versions", "versions", ALL, KEEP, KEEP): 1,
    ("versions", "versions", CURRENT, KEEP, MIRROR): 2,
    ("versions", "plain", CURRENT, KEEP, MIRROR): 2,
    ("plain", "versions", CURRENT, KEEP, MIRROR): 2,
    ("plain", "plain", CURRENT, KEEP, MIRROR): 4,
    ("plain", "plain", CURRENT, KEEP, KEEP): 1,
}
STEPS = {"change": 6, "deliver": 6, "land": 1, "lose a write": 1}
# What comes before a write that is held, and what after it, so that its condition may hold again.
BEFORE_A_LOSS = {"put": 3, "put_parts": 1, "describe": 1, "delete": 1, "tag": 1}
AFTER_A_LOSS = {"delete": 3, "put": 2, "describe": 2, "put_equal": 1, "tag": 1}
CHANGES = {
    "put": 6,
    "put_equal": 2,
    "describe": 2,
    "put_parts": 2,
    "tag": 2,
    "untag": 1,
    "delete": 4,
    "restore_older_version": 1,
    "remove_newest_version_for_good": 1,
    "remove_older_version_for_good": 1,
}
FAULTS = {
    "held": 6,
    "lost": 3,
    "failed": 3,
    "cut": 2,
    "torn": 1,
    "reset": 1,
    "refused": 1,
    "killed after": 5,
    "killed soon": 4,
    "killed before": 2,
    "killed and held": 3,
}
# In so many histories no worker is killed and no answer to a write is lost, but workers meet more often: there the
# mirror is right before any recheck.
CALM = 0.2
CALM_FAULTS = {"reset": 1, "refused": 1}
STATUSES = (500, 502, 503, 504)
# Few, so that bytes come back which were there before. One comes with the first look, one does not.
SIZES = (1, 1, 1, 2_000)
CONTENTS = b"123"
# Lambda's time-out in the deployment, and one that ends in the middle: five seconds are kept back for the answer.
LONG, SHORT = 900.0, (5.005, 5.06)
# Half of the receives after which a message is a copy of itself, and all after which SQS gives it up.
MAX_RECEIVES = 10
# A container answers within so many seconds, or a history has failed.
PATIENCE_SECONDS = 60
# Deliveries of what is left, with nothing in their way, after which nothing may be left.
LAST_ROUNDS = 12
# What a container may hold after a job: it has few files and threads when it starts.
MOST_FILES, MOST_THREADS = 60, 12


# Of a batch; more of them say nothing new.
MOST_FAILURES = 3


class Failure(AssertionError):
    """A history that did not end as it should."""


def chosen(dice, weights):
    """Returns one of the names, each as likely as its weight says."""
    return dice.choices(list(weights), list(weights.values()))[0]


def is_repeated(theirs, mine):
    """Returns whether a history has every entry of another one in its order, the same newest, and no others but copies.

    Tags of a copy may be those of a moment.
    """
    rest = iter(mine)
    contents = [entry if entry == DELETED else entry[:2] for entry in theirs]
    return (
        mine[-1:] == theirs[-1:]
        and all(entry in rest for entry in theirs)
        and all((entry if entry == DELETED else entry[:2]) in contents for entry in mine)
    )


@dataclass
class Worker:
    """A container and its way to the servers."""

    container: Any
    line: Any

    def close(self):
        self.container.close()
        self.line.close()


class Stage:  # pylint: disable=too-many-instance-attributes  # what all histories share
    """SeaweedFS, the embedded AWS, the network, and containers that wait for work."""

    def __init__(self, planted=None):
        self.planted = planted
        self._stack = ExitStack()
        self._idle = {}
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise

    def _start(self):
        aws = self._stack.enter_context(EmbeddedAws(region=REGION, account_id=ACCOUNT))
        keys = aws.admin_credentials
        self.server = SeaweedFS()
        self.server.credentials.update(keys)
        self._stack.enter_context(self.server)
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=20)
        client = in_order(self.server.client(config=config))
        self.s3 = DirectS3(client, Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"]))
        self._stack.callback(self.s3.close)
        for side, kept in itertools.product(("source", "mirror"), ("plain", "versions")):
            self.s3.create_bucket(Bucket=f"{side}-{kept}")
            if kept == "versions":
                on = {"Status": "Enabled"}
                self.s3.put_bucket_versioning(Bucket=f"{side}-{kept}", VersioningConfiguration=on)
        create_table(aws.client("dynamodb"))
        sqs = aws.client("sqs")
        self.queue, self.dead_queue = fifo(sqs, QUEUE), fifo(sqs, DEAD)
        self.recheck_queue = sqs.create_queue(QueueName=RECHECKS)["QueueUrl"]
        secret = {"accesskey": keys["aws_access_key_id"], "secretaccesskey": keys["aws_secret_access_key"]}
        aws.client("secretsmanager").create_secret(Name=SECRET, SecretString=json.dumps(secret))
        self._keys = keys
        seaweedfs = (self.server.host, self.server.port)
        endpoint = aws.endpoint_url.removeprefix("http://").split(":")
        self.network = Network({"source": seaweedfs, "mirror": seaweedfs, "aws": (endpoint[0], int(endpoint[1]))})
        self._stack.callback(self.network.close)
        self.log = self._stack.enter_context(tempfile.TemporaryFile(mode="w+b"))
        self._containers = ForkServer("tests.partition_replicate.container", self.log)
        self._stack.callback(self._containers.close)
        self._stack.callback(self._close_idle)

    def close(self):
        self._stack.close()

    def _close_idle(self):
        for worker in itertools.chain.from_iterable(self._idle.values()):
            worker.close()

    def worker(self, setting):
        """Returns a container with these settings that is idle, or a new one."""
        idle = self._idle.setdefault(setting, [])
        return idle.pop() if idle else self._new_worker(setting)

    def give_back(self, setting, worker):
        self._idle[setting].append(worker)

    def _new_worker(self, setting):
        source, mirror, versions, version_deletes, deletes = setting
        line = self.network.line()
        url = {name: f"http://127.0.0.1:{port}" for name, port in line.ports.items()}
        environment = {
            "AWS_ACCESS_KEY_ID": self._keys["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": self._keys["aws_secret_access_key"],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": url["aws"],
            "AWS_ENDPOINT_URL_S3": url["source"],
            "SOURCE_BUCKET": f"source-{source}",
            "OBJECTS_QUEUE": self.queue,
            "RECHECK_QUEUE": self.recheck_queue,
            "DEST_BUCKET": f"mirror-{mirror}",
            "DEST_BUCKET_REGION": REGION,
            "DEST_ENDPOINT_URL": url["mirror"],
            "DEST_SECRET": SECRET,
            "OBJECTS_TABLE": TABLE,
            "VERSIONS": versions,
            "VERSION_DELETES": version_deletes,
            "DELETES": deletes,
            "ANNOTATIONS": "ignore",
            "TRANSFER_MEMORY_MB": "16",
            "DEAD_LETTER_QUEUE": self.dead_queue,
            "MAX_RECEIVES": str(MAX_RECEIVES),
        }
        container = self._containers.start(environment)
        line.kill = container.kill
        return Worker(container, line)

    def take(self, url, prefix):
        """Takes all messages about the keys of a history out of a queue; returns them as Lambda gets them."""
        queue = sqs_backends[ACCOUNT][REGION].get_queue(url.rpartition("/")[2])
        messages = vars(queue)["_messages"]
        taken = [message for message in messages if f'"{prefix}' in message.body]
        for message in taken:
            messages.remove(message)
        return taken

    def rows(self, prefix):
        """The items of the table about the keys of a history, by DynamoDB's own types."""
        items = dynamodb_backends[ACCOUNT][REGION].get_table(TABLE).items
        return {key.value: rows for key, rows in items.items() if key.value.startswith(prefix)}

    def forget(self, prefix):
        """Removes the items of a history: moto's transactions copy the table."""
        items = dynamodb_backends[ACCOUNT][REGION].get_table(TABLE).items
        for key in [key for key in items if key.value.startswith(prefix)]:
            del items[key]


@dataclass(eq=False)
class Message:
    """A message of the FIFO queue.

    Attributes:
        record: the record of it that Lambda hands over.
        is_invisible: a worker that had it was killed, so it comes back when nothing is on its way any more.
    """

    record: dict
    is_invisible: bool = False

    @classmethod
    def of_event(cls, event, name):
        record = sqs_batch(event)["Records"][0]
        return cls({**record, "messageId": name, "receiptHandle": ""})

    @classmethod
    def of_queue(cls, message):
        """The same of a message that a worker has sent."""
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
        """By this an answer names it."""
        return self.record["messageId"]

    def received(self):
        """Returns the record of one more receive."""
        attributes = self.record["attributes"]
        attributes["ApproximateReceiveCount"] = str(int(attributes["ApproximateReceiveCount"]) + 1)
        attributes.setdefault("ApproximateFirstReceiveTimestamp", str(int(time.time() * 1000)))
        return self.record


@dataclass
class Delivery:
    """One batch on its way to a worker.

    Attributes:
        messages: what it holds.
        plan: what befalls its requests, as `network.Line` takes it.
        seconds: how much time the invocation has.
        keeps: messages that are delivered once more even if this goes well.
    """

    messages: list
    plan: dict = field(default_factory=dict)
    seconds: float = LONG
    keeps: list = field(default_factory=list)


class History:  # pylint: disable=too-many-instance-attributes,too-few-public-methods  # it is played, and that is all
    """One history.

    Args:
        stage: a `Stage`.
        seed: a text.
        number: which of the histories of this seed.
    """

    def __init__(self, stage, seed, number):
        self.seed, self.number = seed, number
        self.name = f"{seed}-{number}"
        self.dice = random.Random(self.name)
        self.setting = chosen(self.dice, SETTINGS)
        self._is_calm = self.dice.random() < CALM
        self.story = [f"settings {self.setting}{', calm' if self._is_calm else ''}"]
        self.counts = {"deliveries": 0, "kills": 0, "late": 0, "faults": 0, "repeated": 0, "split": 0}
        self._stage = stage
        source, mirror, versions, self._version_deletes, self._deletes = self.setting
        self._source, self._mirror = f"source-{source}", f"mirror-{mirror}"
        self._keeps_versions, self._every_version = source == "versions", versions == ALL
        self._prefix = f"{self.name}/"
        self._messages = []
        self._rechecks = []
        self._numbers = itertools.count(1)
        self._removed_for_good = set()
        self._tagged = set()
        self._failed_amid_another = False
        self._lock = threading.Lock()
        self._held = Held(stage.network)

    def run(self):
        """Plays the history and looks at its end.

        Raises:
            Failure: the mirror is not as it should be, or does not get there.
        """
        self._stage.log.truncate(0)
        try:
            for _ in range(self.dice.randint(6, 10)):
                self._step()
            self._finish()
            if self._is_calm:
                self._check_keys()
                self._is_calm = False
                self._finish()
            self._check_keys()
            self._check_what_is_left()
        except Failure:
            if not self._is_split():
                raise
            self.counts["split"] += 1
        finally:
            self.counts["late"] = sum(status < 300 for _, status in self._held.landed)
            self._stage.forget(self._prefix)

    # What happens.

    def _step(self):
        what, key = chosen(self.dice, STEPS), self.dice.choice(KEYS[: self.dice.choice((1, 1, 2))])
        if what == "change":
            self._change(key, chosen(self.dice, CHANGES))
        elif what == "land":
            self._land()
        elif what == "lose a write" and not self._is_calm:
            self._lose_a_write(key)
        elif self._deliverable():
            number = self.dice.choice((2, 2, 3) if self._is_calm else (1, 1, 1, 2, 2, 3))
            self._deliver([self._drawn_delivery(stalls=number > 1) for _ in range(number)])

    def _lose_a_write(self, key):
        """The first write of a delivery is held, its repetition passes, and a later change is mirrored as well."""
        for change, plan in ((BEFORE_A_LOSS, {("write", 1): Fault("held")}), (AFTER_A_LOSS, {})):
            self._change(key, chosen(self.dice, change))
            if self._deliverable():
                self._deliver([Delivery(self._deliverable()[-1:], plan)])

    def _deliverable(self):
        return [message for message in self._messages if not message.is_invisible]

    def _drawn_delivery(self, stalls):
        """Draws a batch and what befalls it. The newest message is the likeliest."""
        there = self._deliverable()
        number = min(len(there), self.dice.choice((1, 1, 1, 2, 3)))
        messages = list(dict.fromkeys(self.dice.choice((there[-1], self.dice.choice(there))) for _ in range(number)))
        seconds = self.dice.uniform(*SHORT) if self.dice.random() < 0.07 else LONG
        keeps = [message for message in messages if self.dice.random() < 0.15]
        plan = self._drawn_plan()
        if stalls:
            # As long as another delivery takes, more or less.
            which = self.dice.choice((("any", self.dice.randint(3, 9)), ("write", 1)))
            plan.setdefault(which, Fault(wait=self.dice.uniform(0.0, 0.05)))
        return Delivery(messages, plan, seconds, keeps)

    def _drawn_plan(self):
        plan = {}
        for _ in range(self.dice.choice((0, 1, 1, 1, 2, 3))):
            kind = chosen(self.dice, CALM_FAULTS if self._is_calm else FAULTS)
            which = ("write", self.dice.choice((1, 1, 1, 2, 3)))
            if self.dice.random() < 0.4:
                which = ("any", self.dice.randint(1, 12))
                kind = "reset" if kind in ("held", "torn") else kind
            lands_after = self.dice.choice((None, None, 0, 1, 2))
            wait = self.dice.choice((0, 0, 0.005))
            plan[which] = Fault(kind, self.dice.choice(STATUSES), self.dice.random(), lands_after, wait=wait)
        if self.dice.random() < 0.4:
            key, change = self.dice.choice(KEYS), chosen(self.dice, CHANGES)
            content = self.dice.random()
            plan["any", self.dice.randint(2, 8)] = Fault(first=lambda: self._change(key, change, content))
        return plan

    def _deliver(self, deliveries, function="replicate"):
        """Hands batches to workers at the same time; returns the messages that are done."""
        self.counts["deliveries"] += len(deliveries)
        workers = [self._stage.worker(self.setting) for _ in deliveries]
        for worker, delivery in zip(workers, deliveries):
            worker.line.begin(dict(delivery.plan), self._held)
            records = [message.received() for message in delivery.messages]
            job = {"function": function, "event": {"Records": records}, "seconds": delivery.seconds}
            worker.container.send({**job, "seed": self.name, "planted": self._stage.planted})
        answers = answers_of([worker.container for worker in workers], PATIENCE_SECONDS)
        unfinished = []
        for worker, delivery, answer in zip(workers, deliveries, answers):
            unfinished += self._end_of(worker, delivery, answer)
        handed = {message for delivery in deliveries for message in delivery.messages if message not in delivery.keeps}
        # What another delivery of the same message has left unfinished is not done.
        done = handed.difference(unfinished)
        self._messages = [one for one in self._messages if one not in done]
        self._messages += map(Message.of_queue, self._stage.take(self._stage.queue, self._prefix))
        return done

    def _end_of(self, worker, delivery, answer):
        """Returns the messages that come back from one delivery."""
        met = worker.line.met
        self.counts["faults"] += len(met)
        ids = ", ".join(message.id for message in delivery.messages)
        self.story.append(f"deliver {ids} in {delivery.seconds:.3f} s: {met or 'no fault'} -> {answer}")
        if any(kind in AMBIGUOUS for kind, _ in met):
            self._failed_amid_another = True
        if answer is None:
            if not any(kind in KILLS for kind, _ in met):
                raise Failure(f"a worker died by itself: {self._log()}")
            self.counts["kills"] += 1
            self._wait_until_quiet(worker)
            worker.close()
            for message in delivery.messages:
                message.is_invisible = True
            return delivery.messages
        if "error" in answer:
            raise Failure(f"the handler raised: {answer['error']}")
        if any(kind in KILLS for kind, _ in met):
            # It had answered already.
            worker.close()
        else:
            self._stage.give_back(self.setting, worker)
        if answer["files"] > MOST_FILES or answer["threads"] > MOST_THREADS:
            raise Failure(f"a container holds {answer['files']} files and {answer['threads']} threads")
        failed = {one["itemIdentifier"] for one in answer["answer"]["batchItemFailures"]}
        return [message for message in delivery.messages if message.id in failed]

    def _wait_until_quiet(self, worker):
        """What a dead container has sent is carried to its end, also over a connection that waits to be accepted."""
        end, quiet = time.monotonic() + PATIENCE_SECONDS, 0
        while quiet < 3:
            if time.monotonic() > end:
                lines = [request.line.decode() for request in worker.line.under_way]
                raise Failure(f"{worker.line.connections} connections of a dead worker have no end, requests {lines}")
            time.sleep(0.002)
            quiet = 0 if worker.line.connections else quiet + 1

    def _land(self):
        """All requests on their way land. Messages that were invisible are visible again, and rechecks are due."""
        if self._held.waiting:
            self.story.append(f"land {[request.line.decode() for request, _ in self._held.waiting]}")
        self._held.land()
        for message in self._messages:
            message.is_invisible = False
        self._rechecks += map(Message.of_queue, self._stage.take(self._stage.recheck_queue, self._prefix))
        if self._rechecks and not self._is_calm:
            self.story.append(f"{len(self._rechecks)} rechecks are due")
            done = self._deliver([Delivery(list(self._rechecks))], function="enqueue")
            self._rechecks = [message for message in self._rechecks if message not in done]

    def _finish(self):
        """Delivers what is left with nothing in its way."""
        for _ in range(LAST_ROUNDS):
            self._land()
            if not self._messages:
                return
            self.dice.shuffle(self._messages)
            self._deliver([Delivery(list(self._messages))])
        raise Failure(f"{len(self._messages)} messages are not done after {LAST_ROUNDS} rounds: {self._log()}")

    def _log(self):
        self._stage.log.seek(0)
        return self._stage.log.read().decode(errors="replace")[-6000:]

    # What is done to the source. Each change sends its event.

    def _change(self, key, change, content=None):
        with self._lock:
            content = self.dice.random() if content is None else content
            getattr(self, "_" + change)(key, content)

    def _put(self, key, content):
        body = bytes([CONTENTS[int(content * len(CONTENTS))]]) * SIZES[int(content * 1000) % len(SIZES)]
        self._write(key, body, Metadata={"of": str(next(self._numbers))}, ContentType="text/csv")

    def _put_equal(self, key, _):
        found = self._get(self._source, key)
        if found:
            self._write(key, found["Body"].read(), Metadata=found["Metadata"], ContentType=found["ContentType"])

    def _describe(self, key, _):
        """Only the metadata changes: the ETag stays."""
        found = self._get(self._source, key)
        if found:
            self._write(key, found["Body"].read(), Metadata={"described": str(next(self._numbers))})

    def _put_parts(self, key, content):
        """An upload of one part, and of two parts each tenth time."""
        s3, where = self._stage.s3, {"Bucket": self._source, "Key": self._prefix + key}
        size = (LEAST_PART if int(content * 1000) % 10 == 0 else PARTED) + int(content * 1000)
        body = bytes([CONTENTS[int(content * len(CONTENTS))]]) * size
        upload = s3.create_multipart_upload(**where, Metadata={"of": str(next(self._numbers))})["UploadId"]
        parts = []
        for number, start in enumerate(range(0, size, LEAST_PART), start=1):
            part = s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=body[start : start + LEAST_PART])
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        answer = s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
        self._created(key, body, answer)

    def _tag(self, key, _):
        self._set_tags(key, "Object Tags Added", {"Key": "value", "Value": str(next(self._numbers))})

    def _untag(self, key, _):
        self._set_tags(key, "Object Tags Deleted")

    def _set_tags(self, key, name, *tags):
        found = self._get(self._source, key)
        if found:
            self._tagged.add(key)
            where = {"Bucket": self._source, "Key": self._prefix + key}
            self._stage.s3.put_object_tagging(**where, Tagging={"TagSet": list(tags)})
            self._send_event(key, name, version_id=found.get("VersionId"))

    def _delete(self, key, _):
        answer = self._stage.s3.delete_object(Bucket=self._source, Key=self._prefix + key)
        self._send_event(key, "Object Deleted", version_id=answer.get("VersionId"))

    def _remove_newest_version_for_good(self, key, _):
        """Takes a delete marker away as well, which brings an older version back."""
        self._remove_for_good(key, self._versions(self._source, key)[:1])

    def _remove_older_version_for_good(self, key, _):
        self._remove_for_good(key, self._versions(self._source, key)[1:2])

    def _remove_for_good(self, key, versions):
        for version in versions if self._keeps_versions else []:
            self._removed_for_good.add(key)
            self._stage.s3.delete_object(Bucket=self._source, Key=self._prefix + key, VersionId=version.id)
            self._send_event(key, "Object Deleted", version_id=version.id)

    def _restore_older_version(self, key, _):
        """Puts a copy of it on top, as one does to have it back."""
        older = [version for version in self._versions(self._source, key)[1:] if not version.is_marker]
        if older and self._keeps_versions:
            found = self._get(self._source, key, older[-1].id)
            self._write(key, found["Body"].read(), Metadata=found["Metadata"])

    def _write(self, key, body, **more):
        where = {"Bucket": self._source, "Key": self._prefix + key}
        self._created(key, body, self._stage.s3.put_object(**where, Body=body, **more))

    def _created(self, key, body, answer):
        about = {"size": len(body), "etag": answer["ETag"].strip('"'), "version_id": answer.get("VersionId")}
        self._send_event(key, "Object Created", **about)

    def _send_event(self, key, name, **about):
        event = event_of(self._source, self._prefix + key, name, **about)
        message = Message.of_event(event, f"{self.name}-m{next(self._numbers)}")
        self.story.append(f"{message.id}: {name} {key!r} {about}")
        self._messages.append(message)

    # How it ends.

    def _check_keys(self):
        for key in KEYS:
            if self._every_version:
                self._check_versions(key)
            else:
                self._check_newest(key)

    def _check_what_is_left(self):
        dead = self._stage.take(self._stage.dead_queue, self._prefix)
        if dead:
            reasons = [message.message_attributes["Reason"]["StringValue"] for message in dead]
            raise Failure(f"dead letters: {reasons}")
        uploads = self._stage.s3.list_multipart_uploads(Bucket=self._mirror, Prefix=self._prefix).get("Uploads", [])
        if uploads:
            raise Failure(f"uploads are open: {[(one['Key'], one['UploadId']) for one in uploads]}")
        for key, rows in self._stage.rows(self._prefix).items():
            state = rows["$null"].to_json()["Attributes"] if "$null" in rows else {}
            if {"UploadId", "UploadSource", "TakenBackVersionId", "UntaggedVersionId"} & set(state):
                raise Failure(f"the row of {key!r} is not done: {state}")

    def _is_split(self):
        """Returns whether the server contradicts itself: it lists one version as the newest and serves another.

        SeaweedFS names a version when its request begins, lists versions by these names, and serves the one that was
        written last. So a PUT that another request overtook is listed beneath what it replaced, until the next write.
        A mirror cannot follow that; it says so and tries again later.
        """
        for bucket, key in itertools.product((self._source, self._mirror), KEYS):
            newest = next(iter(self._versions(bucket, key)), None) if bucket.endswith("versions") else None
            found = self._get(bucket, key) if newest else None
            if newest and (found["VersionId"] if found else None) != (None if newest.is_marker else newest.id):
                return True
        return False

    def _check_newest(self, key):
        theirs, mine = (self._state(bucket, key) for bucket in (self._source, self._mirror))
        if theirs != mine and (theirs or self._deletes == MIRROR):
            raise Failure(f"{key!r} is {mine} and should be {theirs}")

    def _check_versions(self, key):
        """Where the destination keeps what was removed for good at the source, it has that besides.

        Entries may stand there twice where a worker failed amid the work of another one or a write landed late: for the
        conditions of S3 a delete marker is like the one before it, and a version like one with the same bytes.
        """
        theirs, mine = (self._history(bucket, key) for bucket in (self._source, self._mirror))
        keeps_removed = self._version_deletes == KEEP and key in self._removed_for_good
        if self._deletes == KEEP and keeps_removed and theirs[-1:] == [DELETED]:
            # What was deleted stays on top at the destination, even if its version was then removed for good.
            return
        if self._deletes == KEEP:
            theirs = [entry for entry in theirs if entry != DELETED]
        newest = theirs[-1:] if theirs or self._deletes == MIRROR else mine[-1:]
        if [one for one in mine[-1:] if one != DELETED] != [one for one in newest if one != DELETED]:
            raise Failure(f"{key!r} shows {mine[-1:]} and should show {newest}")
        if keeps_removed:
            return
        if theirs == mine:
            return
        if not self._failed_amid_another or not is_repeated(theirs, mine):
            raise Failure(f"the history of {key!r} is {mine} and should be {theirs}")
        self.counts["repeated"] += 1

    def _history(self, bucket, key):
        """Everything of each version and delete marker, the oldest first."""
        return [
            DELETED if version.is_marker else self._state(bucket, key, version.id)
            for version in reversed(self._versions(bucket, key))
        ]

    def _versions(self, bucket, key):
        return list(versions_of(S3Requests(self._stage.s3), S3Object(bucket, self._prefix + key)))

    def _state(self, bucket, key, version=None):
        """Everything of an object, or None; bytes and headers first, as `is_repeated` takes them."""
        found = self._get(bucket, key, version)
        if not found:
            return None
        body = found["Body"].read()
        about = (found["ContentType"], tuple(sorted(found["Metadata"].items())))
        return (len(body), hashlib.md5(body).hexdigest()), about, self._tags(bucket, key, version)

    def _tags(self, bucket, key, version):
        if key not in self._tagged:
            return ()
        where = {"Bucket": bucket, "Key": self._prefix + key, **({"VersionId": version} if version else {})}
        return tuple((tag["Key"], tag["Value"]) for tag in self._stage.s3.get_object_tagging(**where)["TagSet"])

    def _get(self, bucket, key, version=None):
        where = {"Bucket": bucket, "Key": self._prefix + key, **({"VersionId": version} if version else {})}
        try:
            return self._stage.s3.get_object(**where)
        except self._stage.s3.exceptions.NoSuchKey:
            return None


def run(seed, first, count=1, planted=None):
    """Runs histories, one after the other, and prints what came of them.

    Returns:
        How many failed; after `MOST_FAILURES`, or one where something is planted, the rest is left out.
    """
    stage = Stage(planted)
    counts, failed, began = Counter(), 0, time.monotonic()
    try:
        for number in range(first, first + count):
            history = History(stage, seed, number)
            try:
                history.run()
            except Exception:  # pylint: disable=broad-exception-caught  # it is printed with what led to it
                failed += 1
                print(f"HISTORY {seed} {number} failed; to repeat it:")
                print(f"    .venv/bin/python -m tests.partition_replicate.process_histories {seed} {number}")
                print("\n".join(history.story))
                traceback.print_exc(file=sys.stdout)
            counts.update({"histories": 1, **history.counts})
            if failed == (1 if planted else MOST_FAILURES):
                break
    finally:
        stage.close()
    seconds = time.monotonic() - began
    happened = ", ".join(f"{number} {what}" for what, number in counts.items())
    print(f"{failed} failed of {happened} in {seconds:.0f} s")
    return failed


if __name__ == "__main__":
    _, given_seed, *given = sys.argv
    sys.exit(bool(run(given_seed, *map(int, given[:2]), *given[2:])))
