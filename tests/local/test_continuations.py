"""An object that needs more time than one invocation: the packaged function, and Lambda's loop detection."""

import hashlib
import io
import json
import os
import zipfile
from collections import Counter
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest
from moto.s3.responses import S3Response

from local.demo.crash import LARGE
from local.demo.lines import fields
from local.patches.s3_errors import refusal
from local.patches.s3_requests import operation_name
from tasks.object_clerk.parts import MIN_PART
from tasks.partition_replicate.outcome_log import CONTINUED
from tasks.utils.batches import STALLS
from tasks.utils.events import object_events
from tasks.utils.key_messages import entry
from tasks.utils.outcome_log import DEAD_LETTERED, RETRIED
from tests.local.lambda_deployment import deployed, eventually
from tests.partition_replicate.events import event_of

pytestmark = pytest.mark.long

ZIP = Path(__file__).parents[2] / "dist" / "partition_replicate.zip"

SOURCE, DESTINATION_REGION = "source", "us-gov-west-1"

# S3's smallest part, so that the test is short. Each invocation uploads one.
PART_BYTES = MIN_PART
PARTS = 20

# The packaged handler with this part size.
SMALL_PARTS = f"""
from functools import partial
from tasks.partition_replicate import handler
handler.StreamLimits = partial(handler.StreamLimits, part_size={PART_BYTES})
replicate = handler.replicate
"""

# Of these, the function keeps five in reserve. The rest is enough for the one part that arrives, on a busy machine too.
TIMEOUT_SECONDS = 10

# Lambda stops a chain before its seventeenth invocation.
MAX_INVOCATIONS = 16

# The value of Terraform's queue.
MAX_RECEIVES = 10

# About 100 seconds on an idle machine: in each invocation but the last, the second part waits for the deadline.
MAX_SECONDS = 400


class Mirror:
    """A function that mirrors the source bucket, with its own queues, table and destination."""

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

    def log_lines(self, message):
        """Return the log lines of the object with a message."""
        lines = [fields(line) for line in self._stage.service.logs(self.name)]
        return [line for line in lines if line.get("key") == LARGE and line["message"] == message]

    def unfinished_invocations(self):
        """Return the number of invocations that ended before the object was mirrored."""
        return len(self.log_lines(CONTINUED)) + len(self.log_lines(RETRIED))

    def letter(self):
        """Wait for the only dead letter, and return it."""
        letter = self._stage.received(self.dead, seconds=MAX_SECONDS)
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
    """Upload the object to the source; return the digest of its bytes and its event."""
    address, digest = {"Bucket": SOURCE, "Key": LARGE}, hashlib.sha256()
    upload_id = s3.create_multipart_upload(**address)["UploadId"]
    block, parts = bytearray(os.urandom(PART_BYTES)), []
    for number in range(1, PARTS + 1):
        block[:4] = number.to_bytes(4, "big")
        digest.update(block)
        part = s3.upload_part(**address, UploadId=upload_id, PartNumber=number, Body=bytes(block))
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    completed = s3.complete_multipart_upload(**address, UploadId=upload_id, MultipartUpload={"Parts": parts})
    about = {"size": PARTS * PART_BYTES, "etag": completed["ETag"].strip('"'), "version_id": completed["VersionId"]}
    return digest.digest(), event_of(SOURCE, LARGE, "Object Created", **about)


def digest_of(s3, bucket):
    digest = hashlib.sha256()
    for piece in s3.get_object(Bucket=bucket, Key=LARGE)["Body"].iter_chunks(PART_BYTES):
        digest.update(piece)
    return digest.digest()


class SlowS3:
    """An S3 that accepts the first part of each invocation, and does not answer about the others.

    Attributes:
        accepted: The number of uploads of each part, by bucket and number.
    """

    def __init__(self):
        self.accepted = Counter()
        self._starting = set()
        self._end = Event()

    def note_start(self, function, line):
        """Record the start of an invocation from its log line; its bucket has the function's name."""
        if line.startswith("START "):
            self._starting.add(function)

    def patch(self, monkeypatch, *, never):
        """Let the parts wait, and accept no part at all for one bucket."""
        # Outside the lock of all S3 requests, so that other requests do not wait.
        original = S3Response._key_response  # pylint: disable=protected-access  # there is no public way in

        def key_response(response, request, full_url):
            bucket = response.bucket_name
            if bucket == SOURCE or operation_name(request) != "UploadPart":
                return original(response, request, full_url)
            if bucket == never or not self._take_first(bucket):
                self._end.wait()
                return refusal("PUT", 503, "SlowDown", "too late")
            answer = original(response, request, full_url)
            self.accepted[bucket, int(request.args["partNumber"])] += 1
            return answer

        monkeypatch.setattr(S3Response, "_key_response", key_response)

    def _take_first(self, bucket):
        """Return whether no part of the invocation has come before, and record that one has."""
        try:
            self._starting.remove(bucket)
        except KeyError:
            return False
        return True

    def end(self):
        self._end.set()


@pytest.fixture(scope="module", name="world")
def world_of_slow_mirrors():
    """Three concurrent mirrors of one object, because each spends most of its time waiting."""
    with deployed(redelivery_seconds=0) as stage, pytest.MonkeyPatch.context() as monkeypatch:
        s3 = stage.client("s3")
        versioned_bucket(s3, SOURCE, stage.region)
        slow = SlowS3()
        slow.patch(monkeypatch, never="stuck")
        stage.service.on_log = slow.note_start
        digest, event = upload(s3)
        mirrors = {name: Mirror(stage, name) for name in ("allowed", "terminated", "stuck")}
        stage.functions.put_function_recursion_config(FunctionName="allowed", RecursiveLoop="Allow")
        for mirror in mirrors.values():
            mirror.send(event)
        yield SimpleNamespace(**mirrors, accepted=slow.accepted, digest=digest, source=s3)
        slow.end()


def test_object_with_more_parts_than_a_chain_may_have_is_mirrored_if_the_recursive_loop_is_allowed(world):
    mirror = world.allowed
    eventually(lambda: mirror.log_lines("replicated"), seconds=MAX_SECONDS)
    eventually(mirror.is_done)
    assert mirror.unfinished_invocations() >= PARTS - 1 > MAX_INVOCATIONS
    assert (mirror.dropped(), mirror.dead_letters()) == (0, 0)
    assert {place: times for place, times in world.accepted.items() if place[0] == mirror.bucket} == {
        (mirror.bucket, number): 1 for number in range(1, PARTS + 1)
    }
    assert [(version["Key"], version["Size"]) for version in mirror.versions()] == [(LARGE, PARTS * PART_BYTES)]
    assert digest_of(mirror.s3, mirror.bucket) == world.digest


def test_object_does_not_arrive_if_the_recursive_loop_is_stopped(world):
    """The same happens on AWS without the recursion configuration."""
    mirror = world.terminated
    letter = mirror.letter()
    assert "Reason" not in letter.get("MessageAttributes", {})
    assert mirror.dropped() == MAX_RECEIVES
    assert mirror.unfinished_invocations() == MAX_INVOCATIONS
    assert mirror.versions() == []


def test_object_without_progress_becomes_a_dead_letter_with_its_reason_and_stays_at_the_source(world):
    mirror = world.stuck
    about = {name: value["StringValue"] for name, value in mirror.letter()["MessageAttributes"].items()}
    assert about["ErrorType"] == "StalledError"
    assert about["Reason"].startswith(f"no part could be carried within one invocation {STALLS} times in a row: ")
    assert len(mirror.log_lines(RETRIED)) == STALLS - 1
    assert len(mirror.log_lines(DEAD_LETTERED)) == 1
    assert (mirror.log_lines(CONTINUED), mirror.versions(), mirror.dropped()) == ([], [], 0)
    assert digest_of(world.source, SOURCE) == world.digest
