"""The time to the first answer of archive_copy's zip, beside a function that only creates an S3 client."""

import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

from bench.row import Contestant, Contestants, Row
from scripts.bytecode import runtime_python
from scripts.pins import pinned

BARE = "bare boto3"
BARE_CODE = "import boto3\n\nS3 = boto3.client('s3')\n\n\ndef handler(event, context):\n    return {}\n"

# boto3 and its dependencies. The bare zip has the same files of these as the task's zip.
LIBRARIES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")


@contextmanager
def contestants(folder: Path) -> Contestants:
    """Make the bare zip; yield it and the zip of `make dist` as contestants."""
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
    """Return the zips' own Python with AWS's runtime client if it is installed, or else the running interpreter."""
    installed = runtime_python()
    if not installed:
        return sys.executable
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([str(installed), "-m", "venv", str(folder)], check=True)
    requirements = pinned(Path("requirements-dev.txt"), ["awslambdaric", "simplejson", "snapshot-restore-py"])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*pip, "--requirement", "/dev/stdin"], input=requirements, text=True, check=True)
    # Not resolved: Python finds its environment by the path of the link.
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
