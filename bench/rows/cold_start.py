"""The first answer of archive_copy's zip, beside that of a function that only makes an S3 client."""

import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

from bench.row import Contestant, Row, Stage

BARE = "bare boto3"
BARE_CODE = "import boto3\n\nS3 = boto3.client('s3')\n\n\ndef handler(event, context):\n    return {}\n"

# What boto3 needs: the bare zip holds these, as they are in the other one.
LIBRARIES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")


@contextmanager
def contestants(folder: Path) -> Stage:
    """Put the bare zip beside the one that `make dist` made."""
    ours, bare = Path("dist", "archive_copy.zip"), folder / "bare.zip"
    with zipfile.ZipFile(ours) as source, zipfile.ZipFile(bare, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            if entry.filename.removesuffix(".py").split("/")[0] in LIBRARIES:
                target.writestr(entry, source.read(entry))
        target.writestr("bare.py", BARE_CODE)
    yield [
        _contestant("archive_copy", ours, "tasks.archive_copy.handler.handler"),
        _contestant(BARE, bare, "bare.handler"),
    ]


def _contestant(name: str, package: Path, handler: str) -> Contestant:
    command = (sys.executable, "-m", "bench.cold_starter", str(package.resolve()), handler)
    return Contestant(name, command, {}, reports_seconds=True)


ROW = Row(
    title="cold start to first answer",
    contestants=contestants,
    runs=9,
    goals={(BARE, "seconds"): 1.25},
)
