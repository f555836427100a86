"""With any input, each message ends done, waiting, or as a dead letter with its reason. I4, I7, I8, I9.

The real handlers run in processes of their own, beside the embedded AWS; the tests measure their memory and time. Each
batch has one valid message, which must be done. `CHAOS_SEED` repeats a run.
"""

import itertools
import json
import os
import random
import re
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.embedded_aws import EmbeddedAws
from tests.conftest import REGION
from tests.hostile import inputs
from tests.partition_replicate.conftest import create_table, fifo
from tests.partition_replicate.events import event_of, sqs_batch
from tests.support.containers import ForkServer, answers_of
from tests.support.events import s3_event, s3_record, sqs_event
from tests.support.server import served
from tests.upload_validate.conftest import ENVIRONMENT, UPLOADS, csv_of, prepare

# For `make chaos`, and a part of them for `make test-long`.
INPUTS, PART = 20_000, 400
BATCH = 10
# Limits of an invocation: Lambda's time-out, and the memory of the process.
SECONDS, MOST_MB = 60, 128
SOURCE, ARCHIVE, MIRROR = "source", "archive", "mirror"


@dataclass
class World:  # pylint: disable=too-many-instance-attributes  # the resources of all inputs
    """The embedded AWS, the outside services, and a container for each function."""

    folder: Any
    s3: Any
    sqs: Any
    dead: dict
    outside: Any
    containers: dict
    ends: Counter = field(default_factory=Counter)
    numbers: Any = field(default_factory=itertools.count)

    def invoke(self, function, event):
        """Invoke a function; return its answer, the text of its refusal, and its log lines."""
        paths = {name: str(self.folder / name) for name in ("event", "log")}
        (self.folder / "event").write_text(json.dumps(event), encoding="utf-8")
        container = self.containers[function]
        container.send({"function": function, "seconds": SECONDS, **paths})
        (done,) = answers_of([container], 2 * SECONDS)
        assert done, "the container is dead"
        assert "bug" not in (done["answer"] or {}), done["answer"]["bug"]
        assert done["seconds"] < SECONDS
        assert done["mb"] < MOST_MB
        lines = (self.folder / "log").read_text(encoding="utf-8").splitlines()
        assert all(line.isascii() and line.isprintable() for line in lines)
        return done["answer"], done["refusal"], [json.loads(line) for line in lines]

    def dead_letters(self, function):
        """Take all messages from the dead-letter queue: id of the message -> reason."""
        reasons, asked = {}, {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
        while received := self.sqs.receive_message(QueueUrl=self.dead[function], **asked).get("Messages"):
            for message in received:
                about = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
                reasons[about["MessageId"]] = about["Reason"]
                self.sqs.delete_message(QueueUrl=self.dead[function], ReceiptHandle=message["ReceiptHandle"])
        return reasons

    def deliver(self, function, event):
        """Deliver a batch; return the end of each of its messages: id -> (end, reason)."""
        # Within five minutes, a FIFO queue accepts only one message with the same id.
        for record in event["Records"]:
            record["messageId"] = f"message-{next(self.numbers)}"
        answer, refusal, lines = self.invoke(function, event)
        assert refusal is None, refusal
        back = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        ends = ends_of([record["messageId"] for record in event["Records"]], self.dead_letters(function), back, lines)
        for end, reason in ends.values():
            self.ends[function, end] += 1
            assert end == "done" or is_a_sentence(reason), (end, reason)
        return ends


def ends_of(ids, dead, back, lines):
    """Return the end of each message: id -> (end, reason)."""
    failed = [line for line in lines if line.get("reason") and line["level"] in ("WARNING", "ERROR")]
    # A line about an object names the object instead of the message.
    reasons = {line.get("message_id"): line["reason"] for line in failed}
    assert not back & dead.keys()
    ends = dict.fromkeys(ids, ("done", ""))
    ends |= {id_: ("waiting", reasons.get(id_) or reasons.get(None, "")) for id_ in back}
    return ends | {id_: ("dead-lettered", reason) for id_, reason in dead.items()}


def is_a_sentence(reason):
    return len(reason) > 10 and reason.isprintable() and "Traceback" not in reason


@dataclass
class Outside:
    """GitHub, the webhook and the councils: valid answers by default, hostile ones if `is_hostile`."""

    is_hostile: bool = False
    dice: Any = None

    def answer(self, connection, head):
        length = re.search(rb"(?i)content-length: (\d+)", head)
        left = int(length[1]) if length else 0
        while left:
            left -= len(connection.recv(left))
        connection.sendall(inputs.answer(self.dice) if self.is_hostile else self.valid_answer(head))
        connection.close()

    @staticmethod
    def valid_answer(head):
        content = b"[]" if head.startswith(b"GET /github") else b'{"name": "A", "html_url": "https://example.org/1"}'
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content


def prepared(aws):
    """Create buckets, tables and queues; return the URLs of the queues."""
    s3, sqs, dynamodb = aws.client("s3"), aws.client("sqs"), aws.client("dynamodb")
    prepare(s3, dynamodb, aws.client("ses"))
    for bucket in (SOURCE, ARCHIVE, MIRROR):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    create_table(dynamodb)
    keys = aws.admin_credentials
    secret = {"accesskey": keys["aws_access_key_id"], "secretaccesskey": keys["aws_secret_access_key"]}
    aws.client("secretsmanager").create_secret(Name="mirror", SecretString=json.dumps(secret))
    queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("work", "recheck", "dead")}
    return queues | {name: fifo(sqs, f"{name}.fifo") for name in ("objects", "dead-objects")}


@pytest.fixture(scope="module", name="world")
def hostile_world(tmp_path_factory):
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("hostile")
        aws = stack.enter_context(EmbeddedAws(region=REGION))
        queues = prepared(aws)
        outside = Outside()
        there = stack.enter_context(served(outside.answer))
        log = stack.enter_context((folder / "containers.log").open("wb"))
        server = ForkServer("tests.hostile.container", log)
        stack.callback(server.close)
        environments = environments_of(aws, queues, there.url)
        containers = {function: server.start(given) for function, given in environments.items()}
        for container in containers.values():
            stack.callback(container.close)
        dead = dict.fromkeys(environments, queues["dead"]) | {"replicate": queues["dead-objects"]}
        world = World(folder, aws.client("s3"), aws.client("sqs"), dead, outside, containers)
        yield world
        print(*sorted(world.ends.items()), sep="\n")


def environments_of(aws, queues, outside):
    """Return the environment of each function."""
    keys = aws.admin_credentials
    every = {
        "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "DEAD_LETTER_QUEUE": queues["dead"],
        "MAX_RECEIVES": "10",
        "SOURCE_BUCKET": SOURCE,
    }
    mirror = {
        **every,
        "OBJECTS_QUEUE": queues["objects"],
        "RECHECK_QUEUE": queues["recheck"],
        "DEST_BUCKET": MIRROR,
        "DEST_BUCKET_REGION": REGION,
        "DEST_ENDPOINT_URL": aws.endpoint_url,
        "DEST_SECRET": "mirror",
        "OBJECTS_TABLE": "objects",
        "TRANSFER_MEMORY_MB": "16",
    }
    uploads = {
        **ENVIRONMENT,
        "GITHUB_API_URL": f"{outside}/github",
        "COUNCIL_API_URL": f"{outside}/councils",
        "WDIV_WEBHOOK_URL": f"{outside}/hook",
    }
    return {
        "archive": {**every, "bucket_map": json.dumps({"other": ARCHIVE})},
        "enqueue": mirror,
        "replicate": {**mirror, "DEAD_LETTER_QUEUE": queues["dead-objects"]},
        "validate": {**every, **uploads},
    }


def messages(world, dice, number):
    """Deliver messages with any body to a function; the valid one among them must be done."""
    function = dice.choice(["archive", "enqueue", "replicate", "validate"])
    bucket = UPLOADS if function == "validate" else SOURCE
    key = f"E07000223/2025-05-01/2025-03-02T10:00:00Z/{number}.csv" if function == "validate" else f"{number}.txt"
    world.s3.put_object(Bucket=bucket, Key=key, Body=csv_of())
    bodies = [inputs.body(dice, bucket, key) for _ in range(BATCH - 1)]
    valid = [s3_event(s3_record(bucket, key, name="ObjectCreated:Put"))]
    if function in ("enqueue", "replicate"):
        valid = [event_of(bucket, key, "Object Created")]
    if function == "replicate":
        ends = world.deliver(function, sqs_batch(*bodies, *valid))
    else:
        ends = world.deliver(function, sqs_event(*bodies, *valid))
    *others, last = ends.values()
    for body, (end, _) in zip(bodies, others):
        assert is_json(body) or end == "dead-lettered", body[:200]
    assert last == ("done", "")


def is_json(text):
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def names_and_headers(world, dice, number):
    """Deliver events of objects with any name and any headers; the objects must arrive."""
    keys = {f"{number}/{inputs.text(dice)}"[:200].replace("\ud800", "?") for _ in range(BATCH)}
    for key in keys:
        world.s3.put_object(Bucket=SOURCE, Key=key, Body=b"bytes", **inputs.headers(dice))
    function, bucket = dice.choice([("archive", ARCHIVE), ("replicate", MIRROR)])
    if function == "archive":
        batch = sqs_event(*(s3_event(s3_record(SOURCE, key)) for key in keys))
    else:
        batch = sqs_batch(*(event_of(SOURCE, key, "Object Created") for key in keys))
    ends = world.deliver(function, batch)
    assert {end for end, _ in ends.values()} == {"done"}, ends
    for key in keys:
        found, there = (world.s3.head_object(Bucket=each, Key=key) for each in (SOURCE, bucket))
        assert there["ETag"] == found["ETag"]
        assert there["Metadata"] == found["Metadata"]


def files(world, dice, number):
    """Upload files with any bytes; each set must be judged."""
    batch = sqs_event(*uploaded(world, dice, number))
    ends = world.deliver("validate", batch)
    assert {end for end, _ in ends.values()} == {"done"}, ends


def files_and_answers(world, dice, number):
    """Upload files while outside services give any answer; each set must end with a reason."""
    world.outside.is_hostile, world.outside.dice = True, dice
    try:
        world.deliver("validate", sqs_event(*uploaded(world, dice, number)))
    finally:
        world.outside.is_hostile = False


def uploaded(world, dice, number):
    """Upload a set of one file for each message; return the bodies of the messages."""
    keys = []
    for each in range(BATCH):
        prefix = inputs.set_name(dice).replace("E07000223", f"E07{number:06}{each}", 1)
        name = inputs.text(dice)[:40].replace("\ud800", "?").replace("/", "_")
        key = prefix + dice.choice(["a.csv", "b", name or "c"])
        keys.append(key)
        world.s3.put_object(Bucket=UPLOADS, Key=key, Body=inputs.file_of(dice))
    return [s3_event(s3_record(UPLOADS, key, name="ObjectCreated:Put")) for key in keys]


def whole_events(world, dice, number):
    """Invoke functions with any event; each must answer, or refuse it with a sentence."""
    for _ in range(BATCH):
        function = dice.choice(["archive", "enqueue", "replicate", "validate"])
        text = inputs.body(dice, SOURCE, f"{number}.txt")
        _, refusal, _ = world.invoke(function, json.loads(text) if is_json(text) else text[:100])
        world.ends[function, "refused" if refusal else "answered"] += 1
        assert refusal is None or is_a_sentence(refusal)


KINDS = {messages: 5, names_and_headers: 3, files: 3, files_and_answers: 2, whole_events: 1}


def run(world, seed, numbers):
    for number in numbers:
        dice = random.Random(f"{seed}-{number}")
        (kind,) = dice.choices(list(KINDS), list(KINDS.values()))
        try:
            kind(world, dice, number)
        except Exception as error:
            raise AssertionError(f"batch {number} ({kind.__name__}) of CHAOS_SEED={seed}") from error


@pytest.mark.long
def test_some_hostile_inputs_end_with_a_reason(world):
    run(world, 20261121, range(PART // BATCH))


@pytest.mark.chaos
@pytest.mark.parametrize("tenth", range(10))
def test_hostile_inputs_end_with_a_reason(world, tenth):
    seed = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(10**9))
    share = INPUTS // BATCH // 10
    run(world, seed, range(tenth * share, (tenth + 1) * share))
