"""The part of the demo that shows partition_replicate: what happens to objects happens to their mirror, in order.

The two buckets lie in two partitions, whose users and keys know nothing of each other, as is so with AWS. The function
writes the mirror as a role there, which it assumes with a token; no access key is made for it.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import ClientError

from local.demo import access_keys
from local.demo.comparison import differences, histories_differ
from local.demo.lines import fields
from local.demo.result import Result
from local.demo.screen import Screen
from local.embedded_aws import EmbeddedAws
from local.lambda_service import roles
from local.stack import Stack
from tasks.utils.s3_object import printable

SOURCE = "bucket-brigade-demo-measurements"
DESTINATION_REGION = "us-gov-west-1"
AUDIENCE = "bucket-brigade"

VARIABLES = {
    "partition_replicate_enabled": True,
    "partition_replicate_source_bucket": SOURCE,
    "partition_replicate_destination_region": DESTINATION_REGION,
    "partition_replicate_destination_profile": "mirror",
    "partition_replicate_token_audience": AUDIENCE,
}

# Every key goes through the steps in order, each step begun when the one before has arrived. None has to end somehow
# in particular: in the end the mirror has to be what the source is.
KEYS = ("reports/2026-06.csv", "reports/a b+c.txt", "reports/déjà vu/🪣.txt", "reports/empty")
HAMMERED, WRITES = "reports/overwritten.csv", 8
DELETED = KEYS[:2]

LARGE = "granules/200 MB.hdf"
LARGE_BYTES = 200_000_000
PART_BYTES = 16 * 1024 * 1024

# So many parts are seen before the function is killed. By the time that it is dead others have come: about half then.
ENOUGH_PARTS = 2

POISON = '{"detail-type": "Object Created", "source": "aws.s3", "detail": '

# Every wait but the last is for a few seconds of work; a busy machine takes longer.
PATIENCE_SECONDS = 90
LOOK_AGAIN_SECONDS = 0.05

HEADINGS = {"event": "left", "key": "left", "mirror": "left", "attempts": "right", "seconds": "right"}


@dataclass(frozen=True)
class Mirror:
    """The two sides, each reached with an administrator's keys, which the other refuses.

    Attributes:
        stack: what runs.
        where: Terraform's output of the task.
        source: an S3 client of the source's partition.
        destination: an S3 client of the destination's.
    """

    stack: Stack
    where: dict[str, Any]
    source: Any
    destination: Any

    @classmethod
    def of(cls, stack: Stack) -> "Mirror":
        """Returns the mirror of a stack."""
        sides = [stack.aws.client("s3", **stack.aws.administrator(region)) for region in _regions(stack)]
        return cls(stack, stack.outputs["partition_replicate"], *sides)


def prepare(aws: EmbeddedAws) -> dict[str, str]:
    """Makes what is there before the task is deployed: the bucket that is to be mirrored, and the issuer of tokens.

    Returns:
        Terraform's variables that follow from it.
    """
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=SOURCE, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_bucket_versioning(Bucket=SOURCE, VersioningConfiguration={"Status": "Enabled"})
    issuer = aws.client("iam").enable_outbound_web_identity_federation()["IssuerIdentifier"]
    return {"partition_replicate_issuer_url": issuer}


def run(stack: Stack, screen: Screen) -> Result:
    """Creates, overwrites, tags and deletes objects, shows the mirror follow, and compares both sides at the end.

    Args:
        stack: what runs.
        screen: where it is shown.

    Returns:
        A `Result`.
    """
    mirror = Mirror.of(stack)
    screen.title(f"{SOURCE} in {stack.aws.region} and its mirror in {DESTINATION_REGION}")
    problems = [*_refusals(mirror, screen)]
    watch = _Watch(mirror)
    with screen.table(HEADINGS) as show:
        for step in (_create, _overwrite, _tag, _hammer, _delete):
            watch.until_arrived(step(mirror.source), show)
        parts = _crash_half_way(mirror, watch, show)
    screen.say(f"{LARGE}: the function was killed after {len(parts.at_the_crash)} parts; the next kept {parts.kept}")
    letters = _poison(mirror)
    screen.dead_letters(letters)
    stack.functions.on_log = None
    sides = (mirror.source, SOURCE, mirror.destination, mirror.where["destination_bucket"])
    differing = [*differences(*sides), *histories_differ(*sides)]
    keys = access_keys.found(stack)
    problems += [*watch.problems, *parts.problems, *differing, *keys]
    if len(letters) != 1:
        problems.append(f"{len(letters)} messages are in the dead-letter queue instead of 1")
    for problem in problems:
        screen.failure(problem)
    summary = {
        "replicated": watch.arrived,
        "differences": len(differing),
        "resumed": int(parts.kept > 0),
        "access_keys": len(keys),
    }
    sentence = (
        f"{summary['replicated']} changes mirrored, {summary['resumed']} large object gone on with after a crash, "
        f"{len(letters)} poison message in the dead-letter queue, {summary['differences']} differences, "
        f"{summary['access_keys']} access keys"
    )
    return Result(summary, sentence, sound=not problems)


def _regions(stack: Stack) -> tuple[str, str]:
    return stack.aws.region, DESTINATION_REGION


def _refusals(mirror: Mirror, screen: Screen) -> Iterator[str]:
    """Shows that no side takes the credentials of the other, nor a token of another subject; yields what is taken."""
    aws = mirror.stack.aws
    here, there = _regions(mirror.stack)
    destination = mirror.where["destination_bucket"]
    # An administrator may ask for any token, but is not the subject that the role trusts.
    token = _token(aws.client("sts"))

    def list_bucket(region: str, bucket: str, credentials: dict[str, str]) -> None:
        aws.client("s3", **{**credentials, "region_name": region}).list_objects_v2(Bucket=bucket)

    tried: tuple[tuple[str, str, Callable[[], Any]], ...] = (
        (here, "the credentials of the mirror's role", lambda: list_bucket(here, SOURCE, _session(mirror))),
        (there, f"the keys of {here}", lambda: list_bucket(there, destination, aws.administrator(here))),
        (there, "a token of an administrator", lambda: _exchange(mirror, token)),
    )
    for region, what, call in tried:
        try:
            call()
            yield f"{region} takes {what}"
        except ClientError as refused:
            screen.say(f"{region} refuses {what}: {refused.response['Error']['Code']}")


def _session(mirror: Mirror) -> dict[str, str]:
    """Assumes the mirror's role as the function does; returns the credentials as boto3's `client` takes them."""
    aws, name = mirror.stack.aws, mirror.where["replicate_function_name"]
    role = aws.client("lambda").get_function_configuration(FunctionName=name)["Role"]
    function = roles.assume(role, session="demo", region=aws.region)
    return _exchange(mirror, _token(aws.client("sts", **function)))


def _token(sts: Any) -> str:
    return sts.get_web_identity_token(Audience=[AUDIENCE], SigningAlgorithm="ES384")["WebIdentityToken"]


def _exchange(mirror: Mirror, token: str) -> dict[str, str]:
    sts = mirror.stack.aws.client("sts", region_name=DESTINATION_REGION)
    asked = {"RoleArn": mirror.where["destination_role_arn"], "RoleSessionName": "demo", "WebIdentityToken": token}
    made = sts.assume_role_with_web_identity(**asked)["Credentials"]
    names = {"aws_access_key_id": "AccessKeyId", "aws_secret_access_key": "SecretAccessKey"}
    return {name: made[key] for name, key in {**names, "aws_session_token": "SessionToken"}.items()}


# Each step writes, and returns how many events of each key will tell of it.


def _create(s3: Any) -> Counter:
    for key in KEYS:
        body = b"" if key.endswith("empty") else f"first version of {key}\n".encode()
        _put(s3, key, body, Tagging=urlencode({"state": "new"}))
    return Counter(KEYS)


def _overwrite(s3: Any) -> Counter:
    for key in KEYS[:3]:
        _put(s3, key, f"second version of {key}\n".encode() * 1000)
    return Counter(KEYS[:3])


def _tag(s3: Any) -> Counter:
    for key in KEYS:
        tags = [{"Key": "state", "Value": "tagged"}, {"Key": "name", "Value": "déjà vu"}]
        s3.put_object_tagging(Bucket=SOURCE, Key=key, Tagging={"TagSet": tags})
    s3.delete_object_tagging(Bucket=SOURCE, Key=KEYS[3])
    return Counter([*KEYS, KEYS[3]])


def _hammer(s3: Any) -> Counter:
    for number in range(WRITES):
        _put(s3, HAMMERED, f"version {number}\n".encode())
    return Counter({HAMMERED: WRITES})


def _delete(s3: Any) -> Counter:
    for key in DELETED:
        s3.delete_object(Bucket=SOURCE, Key=key)
    return Counter(DELETED)


def _put(s3: Any, key: str, body: bytes, **more: Any) -> None:
    about = {"ContentType": "text/x-demo", "CacheControl": "no-store", "Metadata": {"station": "42"}}
    s3.put_object(Bucket=SOURCE, Key=key, Body=body, **about, **more)


class _Watch:  # pylint: disable=too-few-public-methods  # what it has seen is read from it
    """Follows the log of the function that replicates.

    Attributes:
        arrived: events whose change has arrived at the mirror.
        problems: what went wrong.
    """

    def __init__(self, mirror: Mirror):
        self.arrived = 0
        self.problems: list[str] = []
        self._lines: SimpleQueue = SimpleQueue()
        name = mirror.where["replicate_function_name"]
        mirror.stack.functions.on_log = lambda function, line: self._lines.put(line) if function == name else None

    def until_arrived(
        self, expected: Counter, show: Callable[..., None], *, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """Shows what arrives until so many events of each key have, or patience ends."""
        started, waited_for = time.monotonic(), Counter(expected)
        while waited_for.total() and time.monotonic() - started < PATIENCE_SECONDS:
            meanwhile()
            for said in self._finished():
                seconds = time.monotonic() - started
                words = (said["event"], printable(said["key"]), said["message"])
                colour = "green" if said["attempts"] == 1 else "yellow"
                show((*words, str(said["attempts"]), f"{seconds:.2f}"), colour=colour)
                waited_for -= Counter([said["key"]])
                self.arrived += 1
        self.problems += [f"{key}: {count} of its events did not arrive" for key, count in waited_for.items()]

    def _finished(self) -> Iterator[dict[str, Any]]:
        """Yields the log line of each event that was done with."""
        while True:
            try:
                said = fields(self._lines.get(timeout=LOOK_AGAIN_SECONDS))
            except Empty:
                return
            if {"event", "key", "attempts"} <= said.keys():
                yield said


def _crash_half_way(mirror: Mirror, watch: _Watch, show: Callable[..., None]) -> "_Parts":
    """Uploads a large object, and kills the function that carries it half way."""
    _upload_large(mirror.source)
    parts = _Parts(mirror)
    watch.until_arrived(Counter([LARGE]), show, meanwhile=parts.look)
    return parts


class _Parts:
    """The parts of the large object's upload at the mirror, by number: which upload they are of, and when they came.

    Attributes:
        at_the_crash: those that were there when the function was killed.
        latest: those that were there when the upload was seen last.
    """

    def __init__(self, mirror: Mirror):
        self.at_the_crash: dict[int, Any] = {}
        self.latest: dict[int, Any] = {}
        self._mirror = mirror

    @property
    def kept(self) -> int:
        """How many parts from before the crash the next function left as they were while it went on."""
        went_on = len(self.latest) > len(self.at_the_crash)
        return len(self.at_the_crash.items() & self.latest.items()) if went_on else 0

    @property
    def problems(self) -> list[str]:
        """What is wrong with how it was gone on with."""
        before = len(self.at_the_crash)
        return [] if 0 < before == self.kept else [f"{LARGE}: of {before} parts before the crash {self.kept} were kept"]

    def look(self) -> None:
        """Looks at the upload, and kills the function once some of it is there."""
        there = self._there()
        if not there:
            return
        if not self.at_the_crash and len(there) >= ENOUGH_PARTS:
            if not self._mirror.stack.functions.crash(self._mirror.where["replicate_function_name"]):
                return
            # What the process had sent already may have arrived after the look.
            there = self.at_the_crash = self._there()
        self.latest = there

    def _there(self) -> dict[int, Any]:
        s3, bucket = self._mirror.destination, self._mirror.where["destination_bucket"]
        uploads = s3.list_multipart_uploads(Bucket=bucket, Prefix=LARGE).get("Uploads", [])
        found = {}
        for upload in uploads:
            try:
                listed = s3.list_parts(Bucket=bucket, Key=LARGE, UploadId=upload["UploadId"])
            except s3.exceptions.NoSuchUpload:
                continue
            parts = listed.get("Parts", [])
            found |= {part["PartNumber"]: (upload["UploadId"], part["LastModified"]) for part in parts}
        return found


def _upload_large(s3: Any) -> None:
    where = {"Bucket": SOURCE, "Key": LARGE}
    upload = s3.create_multipart_upload(**where, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")["UploadId"]
    # One block of noise serves all parts, which differ in their first bytes.
    block, parts = bytearray(os.urandom(PART_BYTES)), []
    for number, start in enumerate(range(0, LARGE_BYTES, PART_BYTES), start=1):
        block[:4] = number.to_bytes(4, "big")
        body = memoryview(block)[: LARGE_BYTES - start]
        part = s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=bytes(body), ChecksumAlgorithm="CRC32")
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]})
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})


def _poison(mirror: Mirror) -> list[tuple[str, str]]:
    """Puts half an event into the queue; returns what is in the dead-letter queue then, each with its reason."""
    sqs = mirror.stack.aws.client("sqs")
    ids = {"MessageGroupId": "poison", "MessageDeduplicationId": "poison"}
    sqs.send_message(QueueUrl=mirror.where["queue_url"], MessageBody=POISON, **ids)
    asked = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "WaitTimeSeconds": 1, "VisibilityTimeout": 0}
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        found = sqs.receive_message(QueueUrl=mirror.where["dead_letter_queue_url"], **asked).get("Messages", [])
        if found:
            return [(one["Body"], one["MessageAttributes"]["Reason"]["StringValue"]) for one in found]
    return []
