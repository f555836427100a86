"""2,000 objects of 4 KiB, mirrored from one server to another."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import row
from bench.mirrors import stage
from bench.names import ONE_BY_ONE, OURS, SOURCE

OBJECTS, SIZE = 2_000, 4096
FOLDER = "objects/"
TRANSFERS = 16


def _fill(s3: Any) -> None:
    def put(number: int) -> None:
        s3.put_object(Bucket=SOURCE, Key=f"{FOLDER}{number % 20:02}/{number:04}", Body=os.urandom(SIZE))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(put, range(OBJECTS)))


@contextmanager
def contestants(folder: Path) -> row.Stage:
    """Give who mirrors them in batches of ten, who does so one by one, and rclone, which remembers nothing."""
    with stage(folder, _fill) as on_stage:
        transfers = ("--ignore-times", "--fast-list", f"--transfers={TRANSFERS}", f"--checkers={TRANSFERS}")
        who = [on_stage.python(name, FOLDER) for name in (OURS, ONE_BY_ONE)]
        yield [*who, on_stage.by_rclone(FOLDER, *transfers)]


ROW = row.Row(
    title="2,000 x 4 KiB mirrored",
    contestants=contestants,
    goals={(ONE_BY_ONE, "seconds"): 0.3},
)
