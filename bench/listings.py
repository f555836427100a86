"""The rows that compare 20,000 keys on each of two servers by size; the start of the process counts.

rclone lists eight folders at a time. With `--fast-list` it lists all keys, page by page.
"""

import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from botocore.config import Config

from bench import peers, row
from bench.delay_line import at_distance
from bench.names import DESTINATION, OURS, RCLONE, RCLONE_FAST_LIST, SOURCE
from local.seaweedfs import SeaweedFS

KEYS, FOLDERS = 20_000, 20
PREFIX = "objects/"
THREADS = 12


Sides = Mapping[str, tuple[str, Mapping[str, str]]]
"""The URL and the credentials of each bucket's server."""


def keys_compared(round_trip_ms: float, goals: Mapping[tuple[str, str], float]) -> row.Row:
    """Return a row.

    Args:
        round_trip_ms: The round-trip time to both servers, in milliseconds.
        goals: The goals of the `Row`.
    """

    @contextmanager
    def contestants(folder: Path) -> row.Contestants:
        program = peers.installed(folder) / "bin" / "rclone"
        with ExitStack() as stack:
            sides = {}
            for bucket in (SOURCE, DESTINATION):
                server = stack.enter_context(SeaweedFS())
                _fill(server, bucket)
                url = stack.enter_context(at_distance(server.endpoint_url, round_trip_ms))
                sides[bucket] = url, server.credentials
            yield [
                _ours(sides),
                _rclone(sides, program, RCLONE_FAST_LIST, "--fast-list"),
                _rclone(sides, program, RCLONE),
            ]

    where = f", {round_trip_ms:g} ms away" if round_trip_ms else ""
    return row.Row(title=f"20,000 keys compared{where}", contestants=contestants, goals=goals)


def _fill(server: SeaweedFS, bucket: str) -> None:
    s3 = server.client(config=Config(max_pool_connections=THREADS))
    s3.create_bucket(Bucket=bucket)

    def put(number: int) -> None:
        s3.put_object(Bucket=bucket, Key=f"{PREFIX}{number % FOLDERS:02}/{number:05}", Body=b"%d" % number)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(put, range(KEYS)))


def _ours(sides: Sides) -> row.Contestant:
    environment = {
        f"BENCH_{bucket.upper()}": json.dumps({"endpoint_url": url, **credentials})
        for bucket, (url, credentials) in sides.items()
    }
    return row.Contestant(OURS, (sys.executable, "-m", "bench.checker", PREFIX), environment)


def _rclone(sides: Sides, program: Path, name: str, *flags: str) -> row.Contestant:
    environment = {"RCLONE_CONFIG": os.devnull}
    for bucket, (url, credentials) in sides.items():
        settings = {
            "TYPE": "s3",
            "PROVIDER": "SeaweedFS",
            "ENDPOINT": url,
            "ACCESS_KEY_ID": credentials["aws_access_key_id"],
            "SECRET_ACCESS_KEY": credentials["aws_secret_access_key"],
        }
        environment |= {f"RCLONE_CONFIG_{bucket.upper()}_{setting}": value for setting, value in settings.items()}
    paths = [f"{bucket}:{bucket}/{PREFIX}" for bucket in (SOURCE, DESTINATION)]
    return row.Contestant(name, (str(program), "check", *paths, "--size-only", *flags), environment)
