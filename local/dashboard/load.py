"""Work for all three tasks, so that every graph of the dashboard has something to show."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from local.demo.mirror import SOURCE
from local.demo.upload_validate import STEPS
from local.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The objects of each second: a calm time, a burst, and a calm time again.
CALM, BURST = 2, 12
BURST_BEGINS, BURST_ENDS = 50, 75

# When the mirror's store begins to answer "slow down", and how often it does so.
THROTTLED_AT, THROTTLED_ANSWERS = 110, 60

# Every so many seconds an uploaded file set, an object that no archive takes, and one that sleeps in an archive.
UPLOAD_EVERY, UNWANTED_EVERY, ASLEEP_EVERY = 8, 70, 80


@dataclass
class Load:
    """Puts objects, restores objects and uploads file sets, at rates that change with time.

    Attributes:
        stack: The running stack.
        random: The source of sizes; always the same ones.
    """

    stack: Stack
    random: Random = field(default_factory=lambda: Random(18))

    def run(self, seconds: int, on_second: Callable[[int], None] = lambda second: None) -> None:
        """Work for some seconds.

        Args:
            seconds: How many.
            on_second: A callback for each of them.
        """
        started = time.monotonic()
        for second in range(seconds):
            on_second(second)
            self._second(second)
            time.sleep(max(0.0, started + second + 1 - time.monotonic()))

    def _second(self, second: int) -> None:
        s3 = self.stack.aws.client("s3")
        if second == THROTTLED_AT:
            mirror = self._outputs("partition_replicate")["destination_bucket"]
            self.stack.aws.faults.add("PutObject", times=THROTTLED_ANSWERS, status=503, code="SlowDown", bucket=mirror)
        for number in range(BURST if BURST_BEGINS <= second < BURST_ENDS else CALM):
            body = self.random.randbytes(self.random.randrange(1_000, 60_000))
            s3.put_object(Bucket=SOURCE, Key=f"load/{second}-{number}", Body=body)
        self._restore(s3, f"load/{second}.hdf")
        if second % UNWANTED_EVERY == UNWANTED_EVERY - 1:
            self._restore(s3, f"load/{second}.unknown")
        if second % ASLEEP_EVERY == ASLEEP_EVERY - 1:
            s3.put_object(Bucket=SOURCE, Key=f"load/{second}.asleep", Body=b"cold", StorageClass="GLACIER")
        if second % UPLOAD_EVERY == 0:
            self._upload(s3, second)

    def _restore(self, s3: "S3Client", key: str) -> None:
        bucket, body = self._outputs("archive_copy")["source_bucket"], self.random.randbytes(20_000)
        s3.put_object(Bucket=bucket, Key=key, Body=body, StorageClass="GLACIER")
        s3.restore_object(Bucket=bucket, Key=key, RestoreRequest={"Days": 1})

    def _upload(self, s3: "S3Client", second: int) -> None:
        step = STEPS[second // UPLOAD_EVERY % 2]
        council, election, _ = step.prefix.rstrip("/").split("/")
        prefix = f"{council}/{election}/2026-03-05T{second // 60 + 10:02}:{second % 60:02}:00Z/"
        for name, content in step.files.items():
            s3.put_object(Bucket=self._outputs("upload_validate")["upload_bucket"], Key=prefix + name, Body=content)

    def _outputs(self, task: str) -> dict[str, Any]:
        outputs: dict[str, Any] = self.stack.outputs[task]
        return outputs
