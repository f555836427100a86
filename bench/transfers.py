"""Server, file and contestants of the rows that transfer one large object."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from boto3.s3.transfer import TransferConfig

from bench import peers
from bench.row import Contestant
from local.seaweedfs import SeaweedFS

SIZE = 1024**3
BLOCK = 1024**2
BUCKET = "bench"
KEY = "object"
# The part size of object-clerk, and the only one for which it verifies downloads; all three contestants verify.
PART = 524_288_000

OURS, BOTO3, OBJECT_CLERK = "bucket brigade", "boto3", "object-clerk"


@contextmanager
def carriers(folder: Path, direction: str) -> Iterator[list[Contestant]]:
    """Start a server with an object of 1 GiB; yield the contestants that upload or download it.

    Args:
        folder: The folder for the file and the peers' packages, kept between runs.
        direction: `upload` or `download`.
    """
    packages = peers.installed(folder)
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
        yield [_contestant(name, direction, environment, packages) for name in (OURS, BOTO3, OBJECT_CLERK)]
        (folder / "downloaded").unlink(missing_ok=True)


def _contestant(name: str, direction: str, environment: dict[str, str], packages: Path) -> Contestant:
    if name == OBJECT_CLERK:
        environment = {**environment, "PYTHONPATH": os.pathsep.join([environment["PYTHONPATH"], str(packages)])}
    return Contestant(name, (sys.executable, "-m", "bench.carrier", name, direction), environment)


def _random_file(path: Path) -> Path:
    if not path.exists() or path.stat().st_size != SIZE:
        with open(path, "wb") as file:
            for _ in range(SIZE // BLOCK):
                file.write(os.urandom(BLOCK))
    return path
