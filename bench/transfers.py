"""The stage for the rows that carry one large object: a SeaweedFS server, a file, and three who carry it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from boto3.s3.transfer import TransferConfig

from bench.row import Contestant
from local.seaweedfs import SeaweedFS

SIZE = 1024**3
BLOCK = 1024**2
BUCKET = "bench"
KEY = "object"
# What object-clerk uploads in, and the only size of which it can verify a download: all three verify here.
PART = 524_288_000
PEERS = "requirements-bench.txt"

OURS, BOTO3, OBJECT_CLERK = "bucket brigade", "boto3", "object-clerk"


@contextmanager
def carriers(folder: Path, direction: str) -> Iterator[list[Contestant]]:
    """Give who uploads or downloads an object of 1 GiB, while a server runs that has it already.

    Args:
        folder: For the file and for the peers' packages, which are kept from one run to the next.
        direction: `upload` or `download`.
    """
    peers = installed_peers(folder)
    file = _random_file(folder.resolve() / "1GiB")
    target = file if direction == "upload" else folder.resolve() / "downloaded"
    with SeaweedFS() as server:
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.upload_file(str(file), BUCKET, KEY, Config=TransferConfig(multipart_chunksize=PART))
        keys = server.credentials
        environment = {
            "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
            "AWS_DEFAULT_REGION": keys["region_name"],
            "BENCH_HOST": server.host,
            "BENCH_PORT": str(server.port),
            "BENCH_FILE": str(target),
            "PYTHONPATH": os.getcwd(),
        }
        yield [_contestant(name, direction, environment, peers) for name in (OURS, BOTO3, OBJECT_CLERK)]
        (folder / "downloaded").unlink(missing_ok=True)


def _contestant(name: str, direction: str, environment: dict[str, str], peers: Path) -> Contestant:
    if name == OBJECT_CLERK:
        environment = {**environment, "PYTHONPATH": os.pathsep.join([environment["PYTHONPATH"], str(peers)])}
    return Contestant(name, (sys.executable, "-m", "bench.carrier", name, direction), environment)


def _random_file(path: Path) -> Path:
    if not path.exists() or path.stat().st_size != SIZE:
        with open(path, "wb") as file:
            for _ in range(SIZE // BLOCK):
                file.write(os.urandom(BLOCK))
    return path


def installed_peers(folder: Path) -> Path:
    """Give the folder with the peers' packages, which are installed on first use and again when the pins change.

    Args:
        folder: for what takes long to make.
    """
    peers = folder.resolve() / "peers"
    pins, installed = Path(PEERS).read_bytes(), peers / PEERS
    if not installed.exists() or installed.read_bytes() != pins:
        shutil.rmtree(peers, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # Without what they depend on: boto3 and tenacity are there, and both sides should run on the same ones.
        subprocess.run([*command, "--no-deps", "--target", str(peers), "--requirement", PEERS], check=True)
        installed.write_bytes(pins)
    return peers
