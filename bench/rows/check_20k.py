"""20,000 keys on each of two servers, compared by size; the start of the process counts."""

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from botocore.config import Config

from bench import peers
from bench.names import DESTINATION, OURS, RCLONE, SOURCE
from bench.row import Contestant, Row
from local.seaweedfs import SeaweedFS

KEYS, FOLDERS = 20_000, 20
PREFIX = "objects/"
THREADS = 12


@contextmanager
def contestants(folder: Path) -> Iterator[list[Contestant]]:
    """Yield this project's check and that of rclone."""
    program = peers.installed(folder) / "bin" / "rclone"
    with SeaweedFS() as source, SeaweedFS() as destination:
        sides = {SOURCE: source, DESTINATION: destination}
        for bucket, server in sides.items():
            _fill(server, bucket)
        yield [_ours(sides), _rclone(sides, program)]


def _fill(server: SeaweedFS, bucket: str) -> None:
    s3 = server.client(config=Config(max_pool_connections=THREADS))
    s3.create_bucket(Bucket=bucket)

    def put(number: int) -> None:
        s3.put_object(Bucket=bucket, Key=f"{PREFIX}{number % FOLDERS:02}/{number:05}", Body=b"%d" % number)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(put, range(KEYS)))


def _ours(sides: dict[str, SeaweedFS]) -> Contestant:
    environment = {
        f"BENCH_{bucket.upper()}": json.dumps({"endpoint_url": server.endpoint_url, **server.credentials})
        for bucket, server in sides.items()
    }
    return Contestant(OURS, (sys.executable, "-m", "bench.checker", PREFIX), environment)


def _rclone(sides: dict[str, SeaweedFS], program: Path) -> Contestant:
    environment = {"RCLONE_CONFIG": os.devnull}
    for bucket, server in sides.items():
        settings = {
            "TYPE": "s3",
            "PROVIDER": "SeaweedFS",
            "ENDPOINT": server.endpoint_url,
            "ACCESS_KEY_ID": server.credentials["aws_access_key_id"],
            "SECRET_ACCESS_KEY": server.credentials["aws_secret_access_key"],
        }
        environment |= {f"RCLONE_CONFIG_{bucket.upper()}_{name}": value for name, value in settings.items()}
    paths = [f"{bucket}:{bucket}/{PREFIX}" for bucket in (SOURCE, DESTINATION)]
    return Contestant(RCLONE, (str(program), "check", *paths, "--size-only", "--fast-list"), environment)


ROW = Row(title="20,000 keys compared", contestants=contestants, goals={(RCLONE, "seconds"): 0.7})
