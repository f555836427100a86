"""The rows that mirror to a distant server: small objects, and a large one, beside rclone.

rclone sends a HEAD request after each upload, which costs a round trip; `--s3-no-head` disables it.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench import row
from bench.mirrors import RCLONE_STREAMS, mirror_servers, put_random_object
from bench.names import OURS, RCLONE_NO_HEAD, SOURCE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OBJECTS, SMALL = 400, 64 * 1024
# The batch that a function receives from its queue and mirrors concurrently.
CONCURRENCY = 10
LARGE = 256 * 1024**2
FOLDER, KEY = "objects/", "object"
NO_HEAD = "--s3-no-head"

Goals = Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class _Objects:
    """The objects of a row.

    Attributes:
        title: Their description in the table.
        path: A key, or a folder with its `/`.
        put: Writes them to the source.
        flags: rclone's flags for them.
    """

    title: str
    path: str
    put: "Callable[[S3Client], None]"
    flags: tuple[str, ...]


def small_objects(round_trip_ms: int, goals: Goals | None = None) -> row.Row:
    """Return the row of 400 objects of 64 KiB, ten at a time.

    Args:
        round_trip_ms: The round-trip time to the destination, in milliseconds.
        goals: The goals of the `Row`.
    """
    flags = ("--ignore-times", "--fast-list", f"--transfers={CONCURRENCY}", f"--checkers={CONCURRENCY}")
    return _row(_Objects("400 x 64 KiB", FOLDER, _put_small, flags), round_trip_ms, goals)


def large_object(round_trip_ms: int, goals: Goals | None = None) -> row.Row:
    """Return the row of one object of 256 MiB, with the same parts and streams for all contestants.

    Args:
        round_trip_ms: The round-trip time to the destination, in milliseconds.
        goals: The goals of the `Row`.
    """
    return _row(_Objects("256 MiB", KEY, _put_large, RCLONE_STREAMS), round_trip_ms, goals)


def _row(objects: _Objects, round_trip_ms: int, goals: Goals | None) -> row.Row:
    @contextmanager
    def contestants(folder: Path) -> row.Contestants:
        with mirror_servers(folder, objects.put, round_trip_ms=round_trip_ms) as servers:
            yield [
                servers.python(OURS, objects.path),
                servers.rclone(objects.path, *objects.flags),
                servers.rclone(objects.path, *objects.flags, NO_HEAD, name=RCLONE_NO_HEAD),
            ]

    return row.Row(title=f"{objects.title}, {round_trip_ms} ms away", contestants=contestants, goals=goals)


def _put_small(s3: "S3Client") -> None:
    def put(number: int) -> None:
        s3.put_object(Bucket=SOURCE, Key=f"{FOLDER}{number:03}", Body=os.urandom(SMALL))

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        list(pool.map(put, range(OBJECTS)))


def _put_large(s3: "S3Client") -> None:
    put_random_object(s3, KEY, LARGE)
