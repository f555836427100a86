"""An object that needs more time than an invocation has: the packaged function, and what Lambda does with its chain."""

import hashlib
import io
import json
import os
import time
import zipfile
from collections import Counter
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest
from moto.s3.responses import S3Response

from local.demo.lines import fields
from local.demo.partition_replicate import LARGE
from local.patches.s3_errors import refusal
from local.patches.s3_requests import operation_name
from tasks.object_clerk.parts import MIN_PART
from tasks.partition_replicate.intake import entry
from tasks.partition_replicate.outcome_log import CONTINUED
from tasks.utils.batches import STALLS
from tasks.utils.events import object_events
from tasks.utils.outcome_log import DEAD_LETTERED, RETRIED
from tests.local.lambda_deployment import deployed, eventually
from tests.partition_replicate.events import event_of

pytestmark = pytest.mark.long

ZIP = Path(__file__).parents[2] / "dist" / "partition_replicate.zip"

SOURCE, DESTINATION_REGION = "source", "us-gov-west-1"

# The least part that S3 takes, so that the test takes no longer than it has to. An invocation carries one of them.
PART_BYTES = MIN_PART
CONTINUATIONS = PARTS = 20

# The packaged handler, with these parts.
SMALL_PARTS = f"""
from functools import partial
from tasks.partition_replicate import handler
handler.StreamLimits = partial(handler.StreamLimits, part_size={PART_BYTES})
replicate = handler.replicate
"""

# Lambda's time-out less the function's reserve of five seconds leaves two. A part is answered when more than half of
# them are over, so that no other one would arrive in time.
TIMEOUT_SECONDS, ANSWER_SECONDS, LATEST_SECONDS = 7, 1.2, 1.6

# Lambda stops a chain before its seventeenth turn.
TURNS = 16

# As the queue that Terraform makes has it.
MAX_RECEIVES = 10

# Some 25 seconds on an idle machine.
PATIENCE_SECONDS = 240


class Mirror:
    """A function of its own that mirrors the source's bucket, with its queues, table and destination."""

    def __init__(self, stage, name):
        self.name = self.bucket = name
        self._stage = stage
        there = stage.aws.administrator(DESTINATION_REGION)
        self.s3 = stage.client("s3", **there)
        versioned_bucket(self.s3, self.bucket, DESTINATION_REGION)
        fifo = {"FifoQueue": True}
        self.dead, dead_arn = stage.queue(f"{name}-dead-letters.fifo", **fifo)
        redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": MAX_RECEIVES})
        visibility = 6 * TIMEOUT_SECONDS
        self.queue, queue_arn = stage.queue(f"{name}.fifo", **fifo, RedrivePolicy=redrive, VisibilityTimeout=visibility)
        self.recheck, _ = stage.queue(f"{name}-recheck")
        keys = {"accesskey": there["aws_access_key_id"], "secretaccesskey": there["aws_secret_access_key"]}
        stage.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(keys))
        create_table(stage, name)
        environment = {
            "SOURCE_BUCKET": SOURCE,
            "DEST_BUCKET": self.bucket,
            "DEST_BUCKET_REGION": DESTINATION_REGION,
            "DEST_SECRET": name,
            "OBJECTS_QUEUE": self.queue,
            "RECHECK_QUEUE": self.recheck,
            "OBJECTS_TABLE": name,
            "DEAD_LETTER_QUEUE": self.dead,
            "MAX_RECEIVES": str(MAX_RECEIVES),
        }
        stage.function(
            packaged(),
            name=name,
            environment=environment,
            role=stage.role(f"{name}-role", "dynamodb:*", "logs:*", "s3:*", "secretsmanager:*", "sqs:*"),
            Handler="small_parts.replicate",
            Timeout=TIMEOUT_SECONDS,
            MemorySize=512,
        )
        stage.map(queue_arn, name=name, FunctionResponseTypes=["ReportBatchItemFailures"])

    def send(self, event):
        message = entry(object_events(event)[0], event)
        self._stage.sqs.send_message(QueueUrl=self.queue, **message)

    def said(self, message):
        """The lines about the object that say this."""
        lines = [fields(line) for line in self._stage.service.logs(self.name)]
        return [line for line in lines if line.get("key") == LARGE and line["message"] == message]

    def letter(self):
        """What becomes the only dead letter."""
        letter = self._stage.received(self.dead, seconds=PATIENCE_SECONDS)
        assert self.is_done()
        assert self._stage.left(self.dead) == 1
        return letter

    def is_done(self):
        return self._stage.left(self.queue) == 0

    def dead_letters(self):
        return self._stage.left(self.dead)

    def versions(self):
        return self.s3.list_object_versions(Bucket=self.bucket).get("Versions", [])

    def dropped(self):
        return self._stage.dropped(name=self.name)


def packaged():
    content = io.BytesIO(ZIP.read_bytes())
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("small_parts.py", SMALL_PARTS)
    return content.getvalue()


def versioned_bucket(s3, name, region):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def create_table(stage, name):
    keys = ("Key", "HASH"), ("VersionId", "RANGE")
    stage.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
    )


def upload(s3):
    """Uploads the object to the source; returns the digest of its bytes and its event."""
    where, digest = {"Bucket": SOURCE, "Key": LARGE}, hashlib.sha256()
    upload_id = s3.create_multipart_upload(**where)["UploadId"]
    block, parts = bytearray(os.urandom(PART_BYTES)), []
    for number in range(1, PARTS + 1):
        block[:4] = number.to_bytes(4, "big")
        digest.update(block)
        part = s3.upload_part(**where, UploadId=upload_id, PartNumber=number, Body=bytes(block))
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    made = s3.complete_multipart_upload(**where, UploadId=upload_id, MultipartUpload={"Parts": parts})
    about = {"size": PARTS * PART_BYTES, "etag": made["ETag"].strip('"'), "version_id": made["VersionId"]}
    return digest.digest(), event_of(SOURCE, LARGE, "Object Created", **about)


def digest_of(s3, bucket):
    digest = hashlib.sha256()
    for piece in s3.get_object(Bucket=bucket, Key=LARGE)["Body"].iter_chunks(PART_BYTES):
        digest.update(piece)
    return digest.digest()


class SlowS3:
    """Takes one part for each invocation, and answers late. What comes late itself is never taken.

    Attributes:
        taken: how often each part was taken, by bucket and number.
    """

    def __init__(self):
        self.taken = Counter()
        self._began = {}
        self._end = Event()

    def hear(self, function, line):
        """Hears in the log that an invocation begins; its bucket has the function's name."""
        if line.startswith("START "):
            self._began[function] = time.monotonic()

    def patch(self, monkeypatch, *, never):
        """Slows UploadPart down, and takes no part at all for one bucket."""
        # Around the lock that all requests to S3 have in common: the others do not wait meanwhile.
        original = S3Response._key_response  # pylint: disable=protected-access  # there is no public way in

        def key_response(response, request, full_url):
            bucket = response.bucket_name
            if bucket == SOURCE or operation_name(request) != "UploadPart":
                return original(response, request, full_url)
            # Only the first part of an invocation finds the moment at which it began.
            began = self._began.pop(bucket, 0)
            if bucket == never or time.monotonic() > began + LATEST_SECONDS:
                self._end.wait()
                return refusal("PUT", 503, "SlowDown", "too late")
            answer = original(response, request, full_url)
            self.taken[bucket, int(request.args["partNumber"])] += 1
            self._end.wait(max(0.0, began + ANSWER_SECONDS - time.monotonic()))
            return answer

        monkeypatch.setattr(S3Response, "_key_response", key_response)

    def end(self):
        self._end.set()


@pytest.fixture(scope="module", name="world")
def world_of_slow_mirrors():
    """Three mirrors of one object at work side by side, since they spend their time waiting."""
    with deployed(redelivery_seconds=0) as stage, pytest.MonkeyPatch.context() as monkeypatch:
        s3 = stage.client("s3")
        versioned_bucket(s3, SOURCE, stage.region)
        slow = SlowS3()
        slow.patch(monkeypatch, never="stuck")
        stage.service.on_log = slow.hear
        digest, event = upload(s3)
        mirrors = {name: Mirror(stage, name) for name in ("allowed", "terminated", "stuck")}
        stage.functions.put_function_recursion_config(FunctionName="allowed", RecursiveLoop="Allow")
        for mirror in mirrors.values():
            mirror.send(event)
        yield SimpleNamespace(**mirrors, taken=slow.taken, digest=digest, source=s3)
        slow.end()


def test_object_is_carried_over_twenty_continuations_where_the_recursive_loop_is_allowed(world):
    mirror = world.allowed
    eventually(lambda: mirror.said("replicated"), seconds=PATIENCE_SECONDS)
    eventually(mirror.is_done)
    assert len(mirror.said(CONTINUED)) == CONTINUATIONS
    assert (mirror.dropped(), mirror.dead_letters()) == (0, 0)
    assert {place: times for place, times in world.taken.items() if place[0] == mirror.bucket} == {
        (mirror.bucket, number): 1 for number in range(1, PARTS + 1)
    }
    assert [(version["Key"], version["Size"]) for version in mirror.versions()] == [(LARGE, PARTS * PART_BYTES)]
    assert digest_of(mirror.s3, mirror.bucket) == world.digest


def test_object_does_not_arrive_where_the_recursive_loop_is_stopped(world):
    """What the same function would do on AWS without its recursion configuration."""
    mirror = world.terminated
    letter = mirror.letter()
    assert "Reason" not in letter.get("MessageAttributes", {})
    assert mirror.dropped() == MAX_RECEIVES
    assert len(mirror.said(CONTINUED)) + len(mirror.said(RETRIED)) == TURNS
    assert mirror.versions() == []


def test_object_that_makes_no_progress_is_a_dead_letter_with_its_reason_and_stays_at_the_source(world):
    mirror = world.stuck
    about = {name: value["StringValue"] for name, value in mirror.letter()["MessageAttributes"].items()}
    assert about["ErrorType"] == "StalledError"
    assert about["Reason"].startswith(f"no part could be carried within one invocation {STALLS} times in a row: ")
    assert len(mirror.said(RETRIED)) == STALLS - 1
    assert len(mirror.said(DEAD_LETTERED)) == 1
    assert (mirror.said(CONTINUED), mirror.versions(), mirror.dropped()) == ([], [], 0)
    assert digest_of(world.source, SOURCE) == world.digest
