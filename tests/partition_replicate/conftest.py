import json
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tasks.object_clerk.parts import MIN_PART
from tasks.object_clerk.streams import StreamLimits
from tasks.partition_replicate import handler as handler_module
from tests.conftest import REGION, client_of_the_tests, session_of_the_tasks
from tests.partition_replicate.events import event_of, sqs_batch
from tests.partition_replicate.late_requests import HoldingServer
from tests.support.time_machine import record_of

SOURCE = "the-source"
MIRROR = "the-mirror"
MIRROR_REGION = "us-gov-west-1"
QUEUE = "objects.fifo"
DEAD = "dead.fifo"
RECHECK = "recheck"
TABLE = "objects"
SECRET = "mirror-credentials"
KEYS = {"accesskey": "AKIAMIRROR", "secretaccesskey": "a-very-secret-one"}

# How a bucket may keep versions, as put_bucket_versioning takes it.
STATES = ("unversioned", "Enabled", "Suspended")


def create_bucket(s3, name, region, state="unversioned"):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    if state != "unversioned":
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if state == "Suspended":
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})


def create_table(dynamodb, name=TABLE):
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": at, "AttributeType": "S"} for at in ("Key", "VersionId")],
        KeySchema=[
            {"AttributeName": "Key", "KeyType": "HASH"},
            {"AttributeName": "VersionId", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def forget_container():
    handler_module.intake.cache_clear()
    handler_module.worker.cache_clear()
    handler_module.sqs.cache_clear()
    # Powertools binds a logger to the standard output that it finds when it is made; here every test has its own.
    logger = logging.getLogger("partition_replicate")
    logger.handlers.clear()
    logger.init, logger.powertools_handler = False, None


@dataclass
class World:  # pylint: disable=too-many-instance-attributes  # one for each resource
    """Two partitions, and what happens in them.

    `s3` reads and writes the source, `mirror` the destination; nothing listens to either.
    """

    s3: Any
    mirror: Any
    sqs: Any
    dynamodb: Any
    secrets: Any
    queue: str
    dead_queue: str
    recheck_queue: str
    keeps_versions: bool = False
    table_requests: list = field(default_factory=list)

    def put(self, key, body=b"bytes", **how):
        """Puts an object at the source; returns the event of it."""
        answer = self.s3.put_object(Bucket=SOURCE, Key=key, Body=body, **how)
        version, etag = answer.get("VersionId"), answer["ETag"].strip('"')
        return event_of(SOURCE, key, "Object Created", size=len(body), etag=etag, version_id=version)

    def tag(self, key, **tags):
        named = [{"Key": name, "Value": value} for name, value in tags.items()]
        self.s3.put_object_tagging(Bucket=SOURCE, Key=key, Tagging={"TagSet": named})
        return event_of(SOURCE, key, "Object Tags Added" if tags else "Object Tags Deleted")

    def delete(self, key, version_id=None):
        more = {"VersionId": version_id} if version_id else {}
        answer = self.s3.delete_object(Bucket=SOURCE, Key=key, **more)
        return event_of(SOURCE, key, "Object Deleted", version_id=version_id or answer.get("VersionId"))

    def replicate(self, *events, context=None, receives=1):
        """Hands a batch of events to the function; returns the numbers of those that come back."""
        answer = handler_module.replicate(sqs_batch(*events, receives=receives), context)
        return [int(one["itemIdentifier"].rpartition("-")[2]) for one in answer["batchItemFailures"]]

    def recheck(self):
        """Hands what is due in the recheck queue to `enqueue`, and that to `replicate`; returns how many keys."""
        moved = self._taken(self.recheck_queue)
        if not moved:
            return 0
        assert handler_module.enqueue({"Records": moved}, None) == {"batchItemFailures": []}
        batch = self._taken(self.queue)
        assert handler_module.replicate({"Records": batch}, None) == {"batchItemFailures": []}
        return len(batch)

    def _taken(self, url):
        """The messages of a queue that can be received, as Lambda hands them over; they are deleted."""
        asked = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
        messages = self.sqs.receive_message(QueueUrl=url, **asked).get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [record_of(message) for message in messages]

    def head(self, key, **how):
        return self.mirror.head_object(Bucket=MIRROR, Key=key, ChecksumMode="ENABLED", **how)

    def mirrored(self, key):
        """The bytes at the destination, or None."""
        return self.body(self.mirror, MIRROR, key)

    def body(self, s3, bucket, key, **how):
        try:
            return s3.get_object(Bucket=bucket, Key=key, **how)["Body"].read()
        except s3.exceptions.NoSuchKey:
            return None

    def tags(self, key):
        found = self.mirror.get_object_tagging(Bucket=MIRROR, Key=key)["TagSet"]
        return {tag["Key"]: tag["Value"] for tag in found}

    def versions(self, key):
        """How many versions and delete markers a key has at the destination."""
        found = self.mirror.list_object_versions(Bucket=MIRROR, Prefix=key)
        return len(found.get("Versions", [])), len(found.get("DeleteMarkers", []))

    def requests(self, wire):
        """The operations that went to S3, without what a container asks once."""
        return [operation for operation in wire.sent if operation != "GetBucketVersioning"]

    def uploads(self):
        """The multipart uploads left open at the destination."""
        return [one["Key"] for one in self.mirror.list_multipart_uploads(Bucket=MIRROR).get("Uploads", [])]

    def row(self, key, version="$null"):
        place = {"Key": {"S": key}, "VersionId": {"S": version}}
        return self.dynamodb.get_item(TableName=TABLE, Key=place, ConsistentRead=True).get("Item")

    def skipped(self, key, version):
        """The row of a version that is not to be mirrored."""
        return {"Key": {"S": key}, "VersionId": {"S": version or "$null"}, "DestObject": {"NULL": True}}

    def dead_letters(self):
        found = self.sqs.receive_message(
            QueueUrl=self.dead_queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
        )
        return found.get("Messages", [])


@pytest.fixture(name="environment")
def environment_of_the_task(monkeypatch):
    """Sets the task's environment; called again, it changes it for the next invocation."""

    def set_environment(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        forget_container()

    yield set_environment
    forget_container()


def fifo(sqs, name):
    return sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]


def new_world(source_state="unversioned", mirror_state="unversioned"):
    """Empty buckets, queues, a table and a secret."""
    clients = [client_of_the_tests(name, REGION) for name in ("s3", "sqs", "dynamodb", "secretsmanager")]
    s3, sqs, dynamodb, secrets = clients
    mirror = client_of_the_tests("s3", MIRROR_REGION)
    create_bucket(s3, SOURCE, REGION, source_state)
    create_bucket(mirror, MIRROR, MIRROR_REGION, mirror_state)
    create_table(dynamodb)
    secrets.create_secret(Name=SECRET, SecretString=json.dumps(KEYS))
    keeps = source_state == mirror_state == "Enabled"
    recheck = sqs.create_queue(QueueName=RECHECK, Attributes={"DelaySeconds": "900"})["QueueUrl"]
    return World(s3, mirror, sqs, dynamodb, secrets, fifo(sqs, QUEUE), fifo(sqs, DEAD), recheck, keeps)


def settings_of(world):
    return {
        "SOURCE_BUCKET": SOURCE,
        "DEST_BUCKET": MIRROR,
        "DEST_BUCKET_REGION": MIRROR_REGION,
        "DEST_SECRET": SECRET,
        "OBJECTS_QUEUE": world.queue,
        "RECHECK_QUEUE": world.recheck_queue,
        "OBJECTS_TABLE": TABLE,
        "DEAD_LETTER_QUEUE": world.dead_queue,
        "MAX_RECEIVES": "5",
    }


@pytest.fixture(name="world")
def world_of_two_partitions(environment, request):
    """The buckets are unversioned unless the test is parametrized with `states`, the source's and the mirror's."""
    request.getfixturevalue("wire")
    states = getattr(request, "param", ("unversioned", "unversioned"))
    world = new_world(*states)
    environment(**settings_of(world))
    with listening_to_the_table(session_of_the_tasks().events, world.table_requests):
        yield world


class listening_to_the_table:  # pylint: disable=invalid-name  # it is used like a function
    """Notes the operations that go to DynamoDB."""

    def __init__(self, events, noted):
        self._events, self._noted = events, noted

    def __enter__(self):
        self._events.register("before-send.dynamodb", self._note)

    def __exit__(self, *_):
        self._events.unregister("before-send.dynamodb", self._note)

    def _note(self, event_name, **_):
        self._noted.append(event_name.rpartition(".")[2])


def use_small_parts(monkeypatch, **more):
    """Copy objects in parts of the least size that S3 allows."""
    limits = partial(StreamLimits, threshold=MIN_PART, part_size=MIN_PART, **more)
    monkeypatch.setattr(handler_module, "StreamLimits", limits)


@pytest.fixture
def one_part_at_a_time(monkeypatch):
    use_small_parts(monkeypatch, workers=1)


@pytest.fixture(name="uploaded")
def numbers_of_uploaded_parts(wire):
    """List the number of each part whose bytes were sent, in order."""
    assert wire.sent == []
    numbers = []

    def note(request, **_):
        numbers.append(int(parse_qs(urlsplit(request.url).query)["partNumber"][0]))

    events = session_of_the_tasks().events
    events.register("before-send.s3.UploadPart", note)
    yield numbers
    events.unregister("before-send.s3.UploadPart", note)


@pytest.fixture(name="held")
def server_that_holds_requests(world):
    held, events = HoldingServer(MIRROR), session_of_the_tasks().events
    events.register_first("before-send.s3", held)
    # After this the container has its clients, and they know the regions of their buckets.
    assert world.replicate(world.put("first")) == []
    yield held
    events.unregister("before-send.s3", held)
