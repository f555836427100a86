"""The mirror of the demo: its two sides, and the log of the function that replicates."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from local.demo.lines import fields
from local.demo.screen import AddRow
from local.stack import Stack
from tasks.utils.s3_object import printable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SOURCE = "bucket-brigade-demo-measurements"
DESTINATION_REGION = "us-gov-west-1"

# Every wait but the last is for a few seconds of work; a busy machine takes longer.
TIMEOUT_SECONDS = 90
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Mirror:
    """The two sides, each with the keys of its own administrator, which the other side refuses.

    Attributes:
        stack: The running stack.
        outputs: Terraform's outputs of the task.
        source: An S3 client of the source's partition.
        destination: An S3 client of the destination's partition.
    """

    stack: Stack
    outputs: dict[str, Any]
    source: "S3Client"
    destination: "S3Client"

    @classmethod
    def of(cls, stack: Stack) -> "Mirror":
        """Return the mirror of a stack."""
        sides = [
            stack.aws.client("s3", **stack.aws.administrator(region))
            for region in (stack.aws.region, DESTINATION_REGION)
        ]
        return cls(stack, stack.outputs["partition_replicate"], *sides)


class MirrorLog:  # pylint: disable=too-few-public-methods  # its results are attributes
    """The log of the function that replicates.

    Attributes:
        arrived: The number of events whose change has arrived at the mirror.
        problems: Problems so far, as sentences.
    """

    def __init__(self, mirror: Mirror):
        self.arrived = 0
        self.problems: list[str] = []
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._function_name = mirror.outputs["replicate_function_name"]
        mirror.stack.functions.on_log = self._collect

    def show_arrivals(
        self, expected: Counter[str], show: AddRow, *, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """Show the arriving events until the expected number of each key has arrived, or the time is up.

        Args:
            expected: The number of events of each key.
            show: Adds a row to the table.
            meanwhile: Called at each poll.
        """
        started, missing = time.monotonic(), Counter(expected)
        while missing.total() and time.monotonic() - started < TIMEOUT_SECONDS:
            meanwhile()
            for record in self._finished():
                seconds = time.monotonic() - started
                words = (record["event"], printable(record["key"]), record["message"])
                colour = "green" if record["attempts"] == 1 else "yellow"
                show((*words, str(record["attempts"]), f"{seconds:.2f}"), colour=colour)
                missing -= Counter([record["key"]])
                self.arrived += 1
        self.problems += [f"{key}: {count} of its events did not arrive" for key, count in missing.items()]

    def _collect(self, function_name: str, line: str) -> None:
        if function_name == self._function_name:
            self._lines.put(line)

    def _finished(self) -> Iterator[dict[str, Any]]:
        """Yield the log line of each finished event."""
        while True:
            try:
                record = fields(self._lines.get(timeout=POLL_SECONDS))
            except Empty:
                return
            if {"event", "key", "attempts"} <= record.keys():
                yield record
