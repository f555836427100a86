"""The part of the demo for task_name: objects are uploaded, and the function logs their sizes."""

import time
from queue import Empty, SimpleQueue

from local.demo.lines import fields
from local.demo.result import Result
from local.demo.screen import Headings, Screen
from local.embedded_aws import EmbeddedAws
from local.stack import Stack
from tasks.utils.s3_object import printable

SOURCE_BUCKET = "bucket-brigade-demo-task-name"

VARIABLES = {"task_name_enabled": True, "task_name_source_bucket": SOURCE_BUCKET}

# A failed message returns after some seconds. An object that has no log line by this time is lost.
TIMEOUT_SECONDS = 60

OBJECTS = {"two words.txt": b"a space in the key", "100%.txt": b"a per cent sign in the key", "empty.txt": b""}

HEADINGS: Headings = {"key": "left", "bytes": "right"}


def prepare(aws: EmbeddedAws) -> None:
    """Create the source bucket, which Terraform takes for an existing one."""
    where = {"LocationConstraint": aws.region}
    aws.client("s3").create_bucket(Bucket=SOURCE_BUCKET, CreateBucketConfiguration=where)


def run(stack: Stack, screen: Screen) -> Result:
    """Upload objects, show each size that the function logs, and compare the sizes.

    Args:
        stack: The running stack.
        screen: The output.
    """
    screen.title(f"task_name: upload of {len(OBJECTS)} objects to {SOURCE_BUCKET}")
    lines: SimpleQueue[str] = SimpleQueue()
    stack.functions.on_log = lambda _, line: lines.put(line)
    for key, body in OBJECTS.items():
        stack.aws.client("s3").put_object(Bucket=SOURCE_BUCKET, Key=key, Body=body)
    sizes = _sizes(lines, screen)
    stack.functions.on_log = None
    lost = sum(sizes.get(key) != len(body) for key, body in OBJECTS.items())
    sentence = f"{len(OBJECTS)} objects uploaded: {len(sizes)} measured, {lost} lost"
    return Result({"task_name_measured": len(sizes), "task_name_lost": lost}, sentence, passed=not lost)


def _sizes(lines: SimpleQueue[str], screen: Screen) -> dict[str, int]:
    """Return the bytes of each key from the log lines of the function, and show each."""
    sizes: dict[str, int] = {}
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with screen.table(HEADINGS) as show:
        while len(sizes) < len(OBJECTS) and time.monotonic() < deadline:
            try:
                record = fields(lines.get(timeout=0.1))
            except Empty:
                continue
            if record.get("message") == "measured":
                sizes[record["key"]] = record["bytes"]
                show((printable(record["key"]), str(record["bytes"])), colour="green")
    return sizes
