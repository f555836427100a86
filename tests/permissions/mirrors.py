"""The use of partition_replicate: versions, tags, annotations, locks, rechecks, outages, undelivered events."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from local.demo.mirror import DESTINATION_REGION
from tasks.object_clerk.parts import MIB
from tasks.utils.outcome_log import DEAD_LETTERED, RETRIED
from tests.local.lambda_deployment import eventually
from tests.partition_replicate.events import event_of
from tests.permissions.steps import SECONDS, Task

NOTED, LOCKED, SLOW, LARGE = "noted.txt", "locked.txt", "slow.txt", "large.bin"


class Mirror:
    """The mirror of a stack: its functions and both sides."""

    def __init__(self, stack):
        outputs = stack.outputs["partition_replicate"]
        self.aws, self.outputs = stack.aws, outputs
        self.s3, self.there = stack.aws.client("s3"), stack.aws.client("s3", region_name=DESTINATION_REGION)
        self.enqueue = Task(stack, outputs["enqueue_function_name"], outputs["recheck_queue_url"])
        self.replicate = Task(stack, outputs["replicate_function_name"], outputs["queue_url"])
        self.versioned = "Status" in self.s3.get_bucket_versioning(Bucket=self.source)

    @property
    def source(self):
        return self.outputs["source_bucket"]

    @property
    def destination(self):
        return self.outputs["destination_bucket"]

    def at(self, key, **more):
        return {"Bucket": self.source, "Key": key, **more}

    def put(self, key, body, **more):
        """Put an object, and wait until it is mirrored; return its version."""
        with self.replicate.logging("replicated", key=key):
            return self.s3.put_object(**self.at(key), Body=body, **more).get("VersionId")


def use_partition_replicate(stack):
    mirror = Mirror(stack)
    change(mirror)
    delete(mirror)
    if mirror.versioned:
        remove_locked(mirror)
    recheck(mirror)
    fail_and_return(mirror)
    give_up_large(mirror)
    fail_directly(mirror)


def allow_locks(stack):
    """Enable Object Lock for the destination, which moto accepts for an empty bucket only."""
    mirror = Mirror(stack)
    configuration = {"ObjectLockEnabled": "Enabled"}
    mirror.there.put_object_lock_configuration(Bucket=mirror.destination, ObjectLockConfiguration=configuration)


def change(mirror):
    """Change tags and annotations, and remove them."""
    log, s3, at = mirror.replicate.logging, mirror.s3, mirror.at(NOTED)
    mirror.put(NOTED, b"1", Tagging=urlencode({"state": "new"}))
    for payload in (b"first", b"other"):
        with log("annotations replicated", key=NOTED):
            s3.put_object_annotation(**at, AnnotationName="note", AnnotationPayload=payload)
    with log("tags replicated", key=NOTED):
        s3.put_object_tagging(**at, Tagging={"TagSet": [{"Key": "state", "Value": "old"}]})
    with log("annotations replicated", key=NOTED):
        s3.delete_object_annotation(**at, AnnotationName="note")


def delete(mirror):
    """Delete an object, and take the deletion back if versions are kept."""
    with mirror.replicate.logging("deleted", key=NOTED):
        marker = mirror.s3.delete_object(**mirror.at(NOTED)).get("VersionId")
    if marker:
        with mirror.replicate.logging("replicated", "deleted", "already equal", key=NOTED):
            mirror.s3.delete_object(**mirror.at(NOTED, VersionId=marker))


def remove_locked(mirror):
    """Remove a version for good whose mirror is under Object Lock, and so stays."""
    version = mirror.put(LOCKED, b"1")
    mirror.put(LOCKED, b"2")
    where = {"Bucket": mirror.destination, "Key": LOCKED}
    versions = mirror.there.list_object_versions(Bucket=mirror.destination, Prefix=LOCKED)["Versions"]
    version_there = {**where, "VersionId": versions[-1]["VersionId"]}
    until = datetime.now(UTC) + timedelta(days=1)
    mirror.there.put_object_retention(**version_there, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})
    mirror.there.put_object_legal_hold(**version_there, LegalHold={"Status": "ON"})
    with mirror.replicate.logging("deleted", "nothing to do", "already equal", key=LOCKED):
        mirror.s3.delete_object(**mirror.at(LOCKED, VersionId=version))


def recheck(mirror):
    """Recheck a key 15 minutes early, and refuse a message that cannot be read."""
    body = {**event_of(mirror.source, NOTED, "Object Recheck"), "source": "aws.s3"}
    with mirror.replicate.logging("already equal", "replicated", "nothing to do", key=NOTED):
        mirror.enqueue.send(body, DelaySeconds=0)
    with mirror.enqueue.logging(DEAD_LETTERED):
        mirror.enqueue.send("{", DelaySeconds=0)


def fail_and_return(mirror):
    """Fail a message, which comes back; and one that has failed often enough for a copy to replace it."""
    for receives in ("10", "1"):
        mirror.replicate.set_environment(MAX_RECEIVES=receives)
        mirror.aws.faults.add("PutObject", bucket=mirror.destination, times=5, status=503, code="SlowDown")
        with mirror.replicate.logging(RETRIED, key=SLOW), mirror.replicate.logging("replicated", key=SLOW):
            mirror.s3.put_object(**mirror.at(SLOW), Body=receives.encode())


def give_up_large(mirror):
    """Refuse the parts of a large object for good."""
    mirror.aws.faults.add("UploadPart", bucket=mirror.destination, times=99, status=400, code="InvalidArgument")
    with mirror.replicate.logging(DEAD_LETTERED, key=LARGE):
        mirror.s3.put_object(**mirror.at(LARGE), Body=bytes(17 * MIB))


def fail_directly(mirror):
    """Invoke the function asynchronously with what it does not accept: Lambda sends its record at the end."""
    queue = mirror.outputs["undelivered_queue_url"]
    functions, sqs = mirror.aws.client("lambda"), mirror.aws.client("sqs")
    payload = json.dumps({"detail": "unreadable"})
    functions.invoke(FunctionName=mirror.replicate.name, InvocationType="Event", Payload=payload)
    eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), SECONDS)
