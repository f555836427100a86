"""The part of the demo for archive_copy: frozen objects are restored and copied to their archives."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus, urlencode

from local.demo.lines import fields
from local.demo.result import Result
from local.demo.screen import Headings, Screen
from local.stack import Stack
from tasks.utils.s3_object import printable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import StorageClassType
    from mypy_boto3_sqs import SQSClient

# A bucket that Terraform takes for an existing one, and that is created late: its object waits for it.
LATE_BUCKET, LATE_ARCHIVE = "bucket-brigade-demo-made-late", "images"

VARIABLES = {
    "archive_copy_archives": {
        "granules": {"extensions": [".hdf", ".met"]},
        "documents": {"extensions": [".txt", ".csv"]},
        "bundles": {"extensions": [".tar.gz"]},
        LATE_ARCHIVE: {"extensions": [".iso"], "bucket": LATE_BUCKET},
    },
    # Terraform does not look up a bucket whose owner is given.
    "bucket_owners": {LATE_BUCKET: "123456789012"},
    "archive_copy_retry_sleep_seconds": 0.2,
}

# A failed message returns after some seconds. An object that has neither arrived nor failed by this time is lost.
TIMEOUT_SECONDS = 90

FROZEN_CLASSES: "tuple[StorageClassType, ...]" = ("GLACIER", "DEEP_ARCHIVE")

HEADINGS: Headings = {"key": "left", "destination": "left", "attempts": "right", "seconds": "right"}


@dataclass(frozen=True)
class FrozenObject:
    """An archived object in the source bucket.

    Attributes:
        key: The key.
        body: The bytes.
        archive: The name of its archive; None for an object that no archive takes.
        failures: The number of copies that fail with SlowDown.
    """

    key: str
    body: bytes
    archive: str | None
    failures: int = 0

    @property
    def metadata(self) -> dict[str, str]:
        """The user metadata, which has to arrive at the archive."""
        return {"mission": "aqua", "bytes": str(len(self.body))}

    @property
    def tags(self) -> dict[str, str]:
        """The tags, which have to arrive at the archive."""
        return {"project": "bucket brigade", "archive": self.archive or "none"}


OBJECTS = (
    FrozenObject("granules/MOD09GA.A2026168.h08v05.hdf", b"\x0e\x03\x13\x01" * 50_000, "granules"),
    FrozenObject("granules/MOD09GA.A2026169.H08V05.HDF", b"\x0e\x03\x13\x01" * 40_000, "granules"),
    FrozenObject("granules/orbit 42/two words.hdf", b"a space in the key", "granules"),
    FrozenObject("granules/throttled.hdf", b"its copy is slowed down twice" * 100, "granules", failures=2),
    FrozenObject("granules/MOD09GA.A2026168.met", b"GROUP = INVENTORYMETADATA", "granules"),
    FrozenObject("documents/a+b=c.txt", b"a plus in the key", "documents"),
    FrozenObject("documents/100%/50%2Foff.txt", b"per cent signs in the key", "documents"),
    FrozenObject("documents/café/déjà vu.txt", b"des accents", "documents"),
    FrozenObject("documents/🪣🪣🪣.csv", "bucket,brigade\n🪣,🪣\n".encode(), "documents"),
    FrozenObject("documents/empty.txt", b"", "documents"),
    FrozenObject("documents/measurements.csv", b"station,value\n" + b"a,1\n" * 100_000, "documents"),
    FrozenObject("bundles/2026-06.tar.gz", b"\x1f\x8b" * 1_000_000, "bundles"),
    FrozenObject("bundles//double//slash.TAR.GZ", b"\x1f\x8b" * 10, "bundles"),
    FrozenObject("pictures/unmapped.jpg", b"\xff\xd8\xff", None),
    FrozenObject("images/waits for its bucket.iso", b"CD001", LATE_ARCHIVE),
)

# Stays frozen, so that a user of the running demo can restore it.
LEFT_FROZEN = FrozenObject("documents/restore me by hand.txt", b"Well done.\n", "documents")


@dataclass(frozen=True)
class Arrival:
    """An object that has arrived.

    Attributes:
        key: The key.
        archive: The name of the archive.
        attempts: The number of tries of the copy.
        seconds: The time since the restore.
    """

    key: str
    archive: str
    attempts: int
    seconds: float


@dataclass
class _Outcomes:
    """The outcome of each key: its arrival, or its reason in the dead-letter queue."""

    arrivals: dict[str, Arrival] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> set[str]:
        """The keys that have an outcome."""
        return set(self.arrivals) | set(self.reasons)

    @property
    def late(self) -> int:
        """The number of objects in the bucket that was created late."""
        return sum(arrival.archive == LATE_ARCHIVE for arrival in self.arrivals.values())


def run(stack: Stack, screen: Screen) -> Result:
    """Archive objects, restore them, show their arrivals, and check each one at its destination.

    Args:
        stack: The running stack.
        screen: The output.
    """
    s3, outputs = stack.aws.client("s3"), stack.outputs["archive_copy"]
    _freeze(s3, outputs["source_bucket"])
    for item in OBJECTS:
        if item.failures:
            message = "Please reduce your request rate."
            stack.aws.faults.add(
                "CopyObject", key=item.key, times=item.failures, status=503, code="SlowDown", message=message
            )
    screen.title(f"archive_copy: restore of {len(OBJECTS)} frozen objects in {outputs['source_bucket']}")
    outcomes = _restore_and_watch(stack, s3, outputs, screen)
    problems = [problem for item in OBJECTS for problem in _problems(s3, outputs, item, outcomes)]
    screen.dead_letters(sorted(outcomes.reasons.items()))
    return _result(outcomes, problems, screen)


def _freeze(s3: "S3Client", bucket: str) -> None:
    for number, item in enumerate((*OBJECTS, LEFT_FROZEN)):
        s3.put_object(
            Bucket=bucket,
            Key=item.key,
            Body=item.body,
            Metadata=item.metadata,
            Tagging=urlencode(item.tags),
            ContentType="application/x-demo",
            StorageClass=FROZEN_CLASSES[number % len(FROZEN_CLASSES)],
        )


def _restore_and_watch(stack: Stack, s3: "S3Client", outputs: dict[str, Any], screen: Screen) -> _Outcomes:
    lines: SimpleQueue[tuple[float, str]] = SimpleQueue()
    stack.functions.on_log = lambda _, line: lines.put((time.monotonic(), line))
    outcomes = _Outcomes()
    archives = {bucket: name for name, bucket in outputs["archive_buckets"].items()}
    with screen.table(HEADINGS) as show:
        restored_at = _restore(s3, outputs["source_bucket"])
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while len(outcomes.keys) < len(OBJECTS) and time.monotonic() < deadline:
            _create_late_bucket(s3, stack.aws.region, outcomes)
            for arrival in _arrivals(lines, restored_at, archives):
                outcomes.arrivals[arrival.key] = arrival
                cells = (printable(arrival.key), arrival.archive, str(arrival.attempts), f"{arrival.seconds:.2f}")
                show(cells, colour="yellow" if arrival.attempts > 1 else "green")
            for key, reason in _dead_letters(stack, outputs["dead_letter_queue_url"]):
                outcomes.reasons.setdefault(key, reason)
    stack.functions.on_log = None
    arrived = f"{len(outcomes.arrivals)} of {len(OBJECTS)} objects have arrived"
    screen.say(f"{arrived}, {outcomes.late} after {LATE_BUCKET} was created")
    return outcomes


def _restore(s3: "S3Client", bucket: str) -> dict[str, float]:
    """Restore all objects, and return the time of each restore by key."""
    restored_at = {}
    for item in OBJECTS:
        restored_at[item.key] = time.monotonic()
        s3.restore_object(Bucket=bucket, Key=item.key, RestoreRequest={"Days": 1})
    return restored_at


def _create_late_bucket(s3: "S3Client", region: str, outcomes: _Outcomes) -> None:
    """Create the missing bucket, if need be, once all objects of other archives have an outcome."""
    if {item.key for item in OBJECTS if item.archive != LATE_ARCHIVE} <= outcomes.keys:
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=LATE_BUCKET, CreateBucketConfiguration={"LocationConstraint": region})  # type: ignore[typeddict-item]  # any region


def _arrivals(
    lines: SimpleQueue[tuple[float, str]], restored_at: dict[str, float], archives: dict[str, str]
) -> Iterator[Arrival]:
    """Yield the arrivals from the log lines of the function, until it logs none for a while."""
    while True:
        try:
            at, line = lines.get(timeout=0.1)
        except Empty:
            return
        record = fields(line)
        if record.get("message") in ("archived", "already archived") and record.get("key") in restored_at:
            bucket = record["destination"].removeprefix("s3://").split("/")[0]
            yield Arrival(record["key"], archives[bucket], record["attempts"], at - restored_at[record["key"]])


def _dead_letters(stack: Stack, url: str) -> Iterator[tuple[str, str]]:
    """Yield key and reason of each message in the dead-letter queue, without removing it."""
    sqs: SQSClient = stack.aws.client("sqs")
    received = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
    )
    for message in received.get("Messages", []):
        record = json.loads(message["Body"])["Records"][0]
        reason = message.get("MessageAttributes", {}).get("Reason")
        key = unquote_plus(record["s3"]["object"]["key"])
        yield key, reason["StringValue"] if reason else "no reason was given"


def _problems(s3: "S3Client", outputs: dict[str, Any], item: FrozenObject, outcomes: _Outcomes) -> Iterator[str]:
    """Yield the problems of one object at its destination, or at its source if no archive takes it."""
    if item.archive is None:
        if item.key not in outcomes.reasons:
            yield f"{item.key}: neither archived nor in the dead-letter queue"
        yield from _differences(s3, outputs["source_bucket"], item)
        return
    yield from _differences(s3, outputs["archive_buckets"][item.archive], item)
    arrival = outcomes.arrivals.get(item.key)
    if arrival is not None and arrival.attempts != item.failures + 1:
        yield f"{item.key}: took {arrival.attempts} attempts instead of {item.failures + 1}"


def _differences(s3: "S3Client", bucket: str, item: FrozenObject) -> Iterator[str]:
    try:
        found = s3.get_object(Bucket=bucket, Key=item.key)
    except s3.exceptions.NoSuchKey:
        yield f"{item.key}: is not in {bucket}"
        return
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=bucket, Key=item.key)["TagSet"]}
    compared: tuple[tuple[str, object, object], ...] = (
        ("bytes", found["Body"].read(), item.body),
        ("metadata", found["Metadata"], item.metadata),
        ("content type", found["ContentType"], "application/x-demo"),
        ("tags", tags, item.tags),
    )
    for name, actual, expected in compared:
        if actual != expected:
            yield f"{item.key}: {name} differ in {bucket}"


def _result(outcomes: _Outcomes, problems: list[str], screen: Screen) -> Result:
    for problem in problems:
        screen.failure(problem)
    lost = len({problem.split(":")[0] for problem in problems})
    summary = {
        "objects": len(OBJECTS),
        "copied": len(outcomes.arrivals),
        "retried": sum(arrival.attempts > 1 for arrival in outcomes.arrivals.values()),
        "dead_lettered": len(outcomes.reasons),
        "lost": lost,
    }
    sentence = (
        f"{summary['objects']} objects restored: {summary['copied']} archived and verified "
        f"({summary['retried']} after retries), {summary['dead_lettered']} in the dead-letter queue, {lost} lost"
    )
    return Result(summary, sentence, passed=not problems)
