"""The part of the demo that shows archive_copy: frozen objects are restored and travel to their archives."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import unquote_plus, urlencode

from local.demo.lines import fields
from local.demo.result import Result
from local.demo.screen import Screen
from local.stack import Stack
from tasks.utils.s3_object import printable

# Given to Terraform as an existing bucket, and missing at first: its object waits until the bucket is made.
MADE_LATE, LATE_ARCHIVE = "bucket-brigade-demo-made-late", "images"

VARIABLES = {
    "archive_copy_archives": {
        "granules": {"extensions": [".hdf", ".met"]},
        "documents": {"extensions": [".txt", ".csv"]},
        "bundles": {"extensions": [".tar.gz"]},
        LATE_ARCHIVE: {"extensions": [".iso"], "bucket": MADE_LATE},
    },
    # A bucket whose owner is named is not looked up.
    "bucket_owners": {MADE_LATE: "123456789012"},
    "archive_copy_retry_sleep_seconds": 0.2,
}

# A failed message comes back after some seconds; what has not arrived or failed for good by then is lost.
PATIENCE_SECONDS = 90

FROZEN_CLASSES = ("GLACIER", "DEEP_ARCHIVE")

HEADINGS = {"key": "left", "destination": "left", "attempts": "right", "seconds": "right"}


@dataclass(frozen=True)
class Frozen:
    """An object that lies in the source bucket.

    Attributes:
        key: its key.
        body: its bytes.
        archive: the name of the archive where it belongs, or None where it can never arrive.
        failures: how often its copy will be answered with SlowDown before it passes.
    """

    key: str
    body: bytes
    archive: str | None
    failures: int = 0

    @property
    def metadata(self) -> dict[str, str]:
        """User metadata that has to arrive with it."""
        return {"mission": "aqua", "bytes": str(len(self.body))}

    @property
    def tags(self) -> dict[str, str]:
        """Tags that have to arrive with it."""
        return {"project": "bucket brigade", "archive": self.archive or "none"}


OBJECTS = (
    Frozen("granules/MOD09GA.A2026168.h08v05.hdf", b"\x0e\x03\x13\x01" * 50_000, "granules"),
    Frozen("granules/MOD09GA.A2026169.H08V05.HDF", b"\x0e\x03\x13\x01" * 40_000, "granules"),
    Frozen("granules/orbit 42/two words.hdf", b"a space in the key", "granules"),
    Frozen("granules/throttled.hdf", b"its copy is slowed down twice" * 100, "granules", failures=2),
    Frozen("granules/MOD09GA.A2026168.met", b"GROUP = INVENTORYMETADATA", "granules"),
    Frozen("documents/a+b=c.txt", b"a plus in the key", "documents"),
    Frozen("documents/100%/50%2Foff.txt", b"per cent signs in the key", "documents"),
    Frozen("documents/café/déjà vu.txt", b"des accents", "documents"),
    Frozen("documents/🪣🪣🪣.csv", "bucket,brigade\n🪣,🪣\n".encode(), "documents"),
    Frozen("documents/empty.txt", b"", "documents"),
    Frozen("documents/measurements.csv", b"station,value\n" + b"a,1\n" * 100_000, "documents"),
    Frozen("bundles/2026-06.tar.gz", b"\x1f\x8b" * 1_000_000, "bundles"),
    Frozen("bundles//double//slash.TAR.GZ", b"\x1f\x8b" * 10, "bundles"),
    Frozen("pictures/unmapped.jpg", b"\xff\xd8\xff", None),
    Frozen("images/waits for its bucket.iso", b"CD001", LATE_ARCHIVE),
)

# Stays frozen, for whoever keeps the demo up and wants to restore something by hand.
LEFT_FROZEN = Frozen("documents/restore me by hand.txt", b"Well done.\n", "documents")


@dataclass(frozen=True)
class Row:
    """An object that has arrived: its key, its archive, how often the copy was tried, seconds since its restore."""

    key: str
    destination: str
    attempts: int
    seconds: float


@dataclass
class _Seen:
    """What was seen of each key: in the log lines of the function and in the dead-letter queue."""

    rows: dict[str, Row] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def settled(self) -> set[str]:
        """The keys whose journey is over."""
        return set(self.rows) | set(self.reasons)

    @property
    def late(self) -> int:
        """How many objects have arrived in the bucket that was made late."""
        return sum(row.destination == LATE_ARCHIVE for row in self.rows.values())


def run(stack: Stack, screen: Screen) -> Result:
    """Freezes objects, restores them, shows them travel, and checks each one where it arrived.

    Args:
        stack: what runs.
        screen: where it is shown.

    Returns:
        A `Result`.
    """
    s3, where = stack.aws.client("s3"), stack.outputs["archive_copy"]
    _freeze(s3, where["source_bucket"])
    for each in OBJECTS:
        if each.failures:
            fault = {"times": each.failures, "status": 503, "code": "SlowDown"}
            stack.aws.faults.add("CopyObject", key=each.key, message="Please reduce your request rate.", **fault)
    screen.say(f"{len(OBJECTS)} frozen objects in {where['source_bucket']}; restoring them now")
    seen = _restore_and_watch(stack, s3, where, screen)
    problems = [problem for each in OBJECTS for problem in _problems(s3, where, each, seen)]
    screen.dead_letters(sorted(seen.reasons.items()))
    return _result(seen, problems, screen)


def _freeze(s3: Any, bucket: str) -> None:
    for number, each in enumerate((*OBJECTS, LEFT_FROZEN)):
        s3.put_object(
            Bucket=bucket,
            Key=each.key,
            Body=each.body,
            Metadata=each.metadata,
            Tagging=urlencode(each.tags),
            ContentType="application/x-demo",
            StorageClass=FROZEN_CLASSES[number % len(FROZEN_CLASSES)],
        )


def _restore_and_watch(stack: Stack, s3: Any, where: dict[str, Any], screen: Screen) -> _Seen:
    lines: SimpleQueue = SimpleQueue()
    stack.functions.on_log = lambda _, line: lines.put((time.monotonic(), line))
    seen, restored_at = _Seen(), {}
    names = {bucket: name for name, bucket in where["archive_buckets"].items()}
    with screen.table(HEADINGS) as show:
        for each in OBJECTS:
            restored_at[each.key] = time.monotonic()
            s3.restore_object(Bucket=where["source_bucket"], Key=each.key, RestoreRequest={"Days": 1})
        end = time.monotonic() + PATIENCE_SECONDS
        while len(seen.settled) < len(OBJECTS) and time.monotonic() < end:
            _make_late_bucket(s3, stack.aws.region, seen)
            for row in _arrivals(lines, restored_at, names):
                seen.rows[row.key] = row
                cells = (printable(row.key), row.destination, str(row.attempts), f"{row.seconds:.2f}")
                show(cells, colour="yellow" if row.attempts > 1 else "green")
            for key, reason in _dead_letters(stack, where["dead_letter_queue_url"]):
                seen.reasons.setdefault(key, reason)
    stack.functions.on_log = None
    screen.say(f"{len(seen.rows)} of {len(OBJECTS)} objects have arrived, {seen.late} after {MADE_LATE} was made")
    return seen


def _make_late_bucket(s3: Any, region: str, seen: _Seen) -> None:
    """Makes the missing bucket once all objects but its own have settled, unless it is there."""
    if {each.key for each in OBJECTS if each.archive != LATE_ARCHIVE} <= seen.settled:
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=MADE_LATE, CreateBucketConfiguration={"LocationConstraint": region})


def _arrivals(lines: SimpleQueue, restored_at: dict[str, float], names: dict[str, str]) -> Iterator[Row]:
    """Yields a row for each object that the function has said to be archived, as its log lines come in."""
    while True:
        try:
            at, line = lines.get(timeout=0.1)
        except Empty:
            return
        said = fields(line)
        if said.get("message") in ("archived", "already archived") and said.get("key") in restored_at:
            bucket = said["destination"].removeprefix("s3://").split("/")[0]
            yield Row(said["key"], names[bucket], said["attempts"], at - restored_at[said["key"]])


def _dead_letters(stack: Stack, url: str) -> Iterator[tuple[str, str]]:
    """Yields key and reason of each message in the dead-letter queue, and leaves them all there."""
    sqs = stack.aws.client("sqs")
    asked = {"MaxNumberOfMessages": 10, "VisibilityTimeout": 0, "MessageAttributeNames": ["All"]}
    for message in sqs.receive_message(QueueUrl=url, **asked).get("Messages", []):
        record = json.loads(message["Body"])["Records"][0]
        reason = message.get("MessageAttributes", {}).get("Reason", {}).get("StringValue", "none was given")
        yield unquote_plus(record["s3"]["object"]["key"]), reason


def _problems(s3: Any, where: dict[str, Any], each: Frozen, seen: _Seen) -> Iterator[str]:
    """Yields what is wrong with one object: at its destination, or at its source when it cannot have left it."""
    if each.archive is None:
        if each.key not in seen.reasons:
            yield f"{each.key}: neither archived nor in the dead-letter queue"
        yield from _differences(s3, where["source_bucket"], each)
        return
    yield from _differences(s3, where["archive_buckets"][each.archive], each)
    row = seen.rows.get(each.key)
    if row is not None and row.attempts != each.failures + 1:
        yield f"{each.key}: took {row.attempts} attempts instead of {each.failures + 1}"


def _differences(s3: Any, bucket: str, each: Frozen) -> Iterator[str]:
    try:
        found = s3.get_object(Bucket=bucket, Key=each.key)
    except s3.exceptions.NoSuchKey:
        yield f"{each.key}: is not in {bucket}"
        return
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=bucket, Key=each.key)["TagSet"]}
    compared = (
        ("bytes", found["Body"].read(), each.body),
        ("metadata", found["Metadata"], each.metadata),
        ("content type", found["ContentType"], "application/x-demo"),
        ("tags", tags, each.tags),
    )
    for name, here, original in compared:
        if here != original:
            yield f"{each.key}: its {name} differ in {bucket}"


def _result(seen: _Seen, problems: list[str], screen: Screen) -> Result:
    for problem in problems:
        screen.failure(problem)
    lost = len({problem.split(":")[0] for problem in problems})
    summary = {
        "objects": len(OBJECTS),
        "copied": len(seen.rows),
        "retried": sum(row.attempts > 1 for row in seen.rows.values()),
        "dead_lettered": len(seen.reasons),
        "lost": lost,
    }
    sentence = (
        f"{summary['objects']} objects restored: {summary['copied']} archived and verified "
        f"({summary['retried']} after retries), {summary['dead_lettered']} in the dead-letter queue, {lost} lost"
    )
    return Result(summary, sentence, sound=not problems)
