"""The rows that mirror to a server far away: small objects, and a large one, beside rclone.

rclone looks at each object that it has written, which costs it a round trip; `--s3-no-head` leaves that out.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import row
from bench.mirrors import RCLONE_STREAMS, put_noise, stage
from bench.names import OURS, RCLONE_NO_HEAD, SOURCE

OBJECTS, SMALL = 400, 64 * 1024
# What a function takes from its queue at a time, and mirrors side by side.
AT_ONCE = 10
LARGE = 256 * 1024**2
FOLDER, KEY = "objects/", "object"
NO_HEAD = "--s3-no-head"

Goals = Mapping[tuple[str, str], float]


def small_objects(round_trip_ms: int, goals: Goals | None = None) -> row.Row:
    """Give the row of 400 objects of 64 KiB, ten at a time.

    Args:
        round_trip_ms: how far away the destination is, in milliseconds.
        goals: as a `Row` has them.
    """
    transfers = ("--ignore-times", "--fast-list", f"--transfers={AT_ONCE}", f"--checkers={AT_ONCE}")
    return _row(f"400 x 64 KiB, {round_trip_ms} ms away", FOLDER, _put_small, transfers, round_trip_ms, goals)


def large_object(round_trip_ms: int, goals: Goals | None = None) -> row.Row:
    """Give the row of one object of 256 MiB, with the same parts and streams for all.

    Args:
        round_trip_ms: how far away the destination is, in milliseconds.
        goals: as a `Row` has them.
    """
    return _row(f"256 MiB, {round_trip_ms} ms away", KEY, _put_large, RCLONE_STREAMS, round_trip_ms, goals)


# One argument for each thing in which the rows differ.
def _row(  # pylint: disable=too-many-arguments,too-many-positional-arguments
    title: str, what: str, fill: Callable[[Any], None], flags: tuple[str, ...], round_trip_ms: int, goals: Goals | None
) -> row.Row:
    @contextmanager
    def contestants(folder: Path) -> row.Stage:
        with stage(folder, fill, round_trip_ms=round_trip_ms) as on_stage:
            yield [
                on_stage.python(OURS, what),
                on_stage.by_rclone(what, *flags),
                on_stage.by_rclone(what, *flags, NO_HEAD, called=RCLONE_NO_HEAD),
            ]

    return row.Row(title=title, contestants=contestants, goals=goals)


def _put_small(s3: Any) -> None:
    def put(number: int) -> None:
        s3.put_object(Bucket=SOURCE, Key=f"{FOLDER}{number:03}", Body=os.urandom(SMALL))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(put, range(OBJECTS)))


def _put_large(s3: Any) -> None:
    put_noise(s3, KEY, LARGE)
