"""The same promises on another S3 server, over HTTP, which checks checksums and conditions of its own accord."""

import os
import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.config import Config
from botocore.credentials import Credentials

from local.seaweedfs import SeaweedFS
from tasks.object_clerk.buffer_pool import BufferPool
from tasks.object_clerk.parts import MIB
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.streams import StreamLimits
from tasks.object_clerk.transport.direct_s3 import DirectS3
from tasks.object_clerk.versions import in_order, versions_of
from tasks.partition_replicate.replicator import Mirror, Pace, Replicator
from tasks.partition_replicate.table import Table
from tasks.partition_replicate.versions import Versioning
from tasks.utils.deadline import Deadline
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.events import object_events
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object
from tests.partition_replicate.events import event_of
from tests.partition_replicate.large_objects import digest
from tests.partition_replicate.rows import Rows

PART = 5 * MIB
BODY = os.urandom(PART) + b"and a bit"


@dataclass
class Pair:
    """Two buckets of one server, and what mirrors one to the other."""

    s3: Any
    source: str
    mirror: str
    replicator: Replicator

    def put(self, key, body, **how):
        answer = self.s3.put_object(Bucket=self.source, Key=key, Body=body, **how)
        about = {"size": len(body), "etag": answer["ETag"].strip('"'), "version_id": answer.get("VersionId")}
        return event_of(self.source, key, "Object Created", **about)

    def delete(self, key):
        answer = self.s3.delete_object(Bucket=self.source, Key=key)
        return event_of(self.source, key, "Object Deleted", version_id=answer.get("VersionId"))

    def replicate(self, *events):
        for event in events:
            (plain,) = object_events(event)
            outcome = self.replicator.replicate(plain, destination=self.s3, deadline=Deadline(), unanswered=[])
        return outcome.action.value

    def state(self, bucket, key):
        """Everything of an object, or None."""
        try:
            found = self.s3.get_object(Bucket=bucket, Key=key)
        except self.s3.exceptions.NoSuchKey:
            return None
        tags = self.s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        return digest(found["Body"].read()), found["ContentType"], found["Metadata"], tags

    def history(self, bucket, key):
        """The contents of a key's versions, the newest first."""
        return [
            version.is_marker or self.s3.get_object(Bucket=bucket, Key=key, VersionId=version.id)["Body"].read()
            for version in versions_of(S3Requests(self.s3), S3Object(bucket, key))
        ]

    def is_equal(self, key):
        return self.state(self.source, key) == self.state(self.mirror, key)


@pytest.fixture(scope="module", name="s3")
def client_of_a_server():
    with SeaweedFS() as server:
        client = in_order(server.client(config=Config(retries={"total_max_attempts": 1}, max_pool_connections=20)))
        keys = server.credentials
        client = DirectS3(client, Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"]))
        yield client
        client.close()


@pytest.fixture(scope="module", params=["current", "all"], name="pair")
def two_buckets(s3, request):
    """Every bucket takes volumes of its own, of which there are few: tests have a key each and share these."""
    name = uuid.uuid4().hex[:12]
    for bucket in (f"source-{name}", f"mirror-{name}"):
        s3.create_bucket(Bucket=bucket)
        if request.param == "all":
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    limits = StreamLimits(BufferPool(8 * PART), threshold=PART, part_size=PART)
    policy = RetryPolicy(tries=3)
    replicator = Replicator(
        s3, Table(Rows(), "objects"), Mirror(f"mirror-{name}"), limits, Pace(policy), Versioning(None)
    )
    return Pair(s3, f"source-{name}", f"mirror-{name}", replicator)


def test_object_arrives_with_its_headers_metadata_and_tags(pair):
    event = pair.put("a.txt", b"bytes", ContentType="text/csv", Metadata={"who": "me"}, Tagging="a=b")
    assert pair.replicate(event) == "replicated"
    assert pair.is_equal("a.txt")
    assert pair.state(pair.mirror, "a.txt")[1:] == ("text/csv", {"who": "me"}, [{"Key": "a", "Value": "b"}])
    assert pair.replicate(event) == "already equal"


def test_overwrites_and_deletes_arrive_in_whatever_order_they_are_told(pair):
    events = [pair.put("b.txt", b"1"), pair.put("b.txt", b"2"), pair.delete("b.txt"), pair.put("b.txt", b"3")]
    pair.replicate(*reversed(events), *events)
    assert pair.is_equal("b.txt")
    pair.replicate(pair.delete("b.txt"), *events)
    assert pair.state(pair.mirror, "b.txt") is None


def test_large_object_arrives_in_parts_and_is_known_again(pair):
    event = pair.put("big", BODY, Metadata={"who": "me"})
    assert pair.replicate(event) == "replicated"
    assert pair.is_equal("big")
    assert pair.replicate(event) == "already equal"
    assert pair.s3.list_multipart_uploads(Bucket=pair.mirror).get("Uploads", []) == []


def test_history_reads_the_same(pair):
    for number in range(3):
        pair.put("c.txt", b"%d" % number)
        pair.delete("c.txt")
    pair.replicate(pair.put("c.txt", b"last"))
    assert pair.is_equal("c.txt")
    if pair.replicator.versioning.is_kept(None, "", None, ""):
        assert pair.history(pair.source, "c.txt") == [b"last", True, b"2", True, b"1", True, b"0"]
        assert pair.history(pair.mirror, "c.txt") == pair.history(pair.source, "c.txt")


def test_workers_at_the_same_time_leave_the_newest_state_and_each_version_once(pair):
    dice = random.Random(4)
    events = [
        pair.delete("d.txt") if dice.random() < 0.3 else pair.put("d.txt", b"%d" % number) for number in range(12)
    ]
    events += events
    dice.shuffle(events)

    def deliver(event):
        try:
            pair.replicate(event)
        except BucketBrigadeError as error:
            assert error.transient
            return event
        return None

    # What failed comes back, as it does from the queue.
    while events:
        with ThreadPoolExecutor(6) as pool:
            events = [event for event in pool.map(deliver, events) if event]
    assert pair.is_equal("d.txt")
    if pair.replicator.versioning.is_kept(None, "", None, ""):
        assert pair.history(pair.mirror, "d.txt") == pair.history(pair.source, "d.txt")
