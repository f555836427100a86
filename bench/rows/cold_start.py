"""The first answer of archive_copy's zip, beside that of a function that only makes an S3 client."""

import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

from bench.row import Contestant, Row, Stage
from scripts.bytecode import runtime_python
from scripts.pins import pinned

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
    python = _python(folder / "runtime")
    yield [
        _contestant("archive_copy", python, ours, "tasks.archive_copy.handler.handler"),
        _contestant(BARE, python, bare, "bare.handler"),
    ]


def _python(folder: Path) -> str:
    """Give the interpreter to start under: that of the zips' bytecode where it is at hand, with AWS's client."""
    at_hand = runtime_python()
    if not at_hand:
        return sys.executable
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([at_hand, "-m", "venv", str(folder)], check=True)
    wanted = pinned(Path("requirements-dev.txt"), ["awslambdaric", "simplejson", "snapshot-restore-py"])
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*pip, "--requirement", "/dev/stdin"], input=wanted, text=True, check=True)
    # Not resolved: the link is what makes it that environment's.
    return str(python.absolute())


def _contestant(name: str, python: str, package: Path, handler: str) -> Contestant:
    command = (sys.executable, "-m", "bench.cold_starter", python, str(package.resolve()), handler)
    return Contestant(name, command, {}, reports_itself=True)


ROW = Row(
    title="cold start to first answer",
    contestants=contestants,
    runs=9,
    goals={(BARE, "seconds"): 1.25},
)
