"""2,000 objects of 4 KiB, mirrored from one server to another."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench import row
from bench.mirrors import mirror_servers
from bench.names import ONE_BY_ONE, OURS, SOURCE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OBJECTS, SIZE = 2_000, 4096
FOLDER = "objects/"
TRANSFERS = 16


def _fill(s3: "S3Client") -> None:
    def put(number: int) -> None:
        s3.put_object(Bucket=SOURCE, Key=f"{FOLDER}{number % 20:02}/{number:04}", Body=os.urandom(SIZE))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(put, range(OBJECTS)))


@contextmanager
def contestants(folder: Path) -> row.Contestants:
    """Yield contestants that mirror batches of ten and single objects with a record of each, and rclone without one."""
    with mirror_servers(folder, _fill) as servers:
        flags = ("--ignore-times", "--fast-list", f"--transfers={TRANSFERS}", f"--checkers={TRANSFERS}")
        yield [*(servers.python(name, FOLDER) for name in (OURS, ONE_BY_ONE)), servers.rclone(FOLDER, *flags)]


ROW = row.Row(
    title="2,000 x 4 KiB mirrored",
    contestants=contestants,
    goals={(ONE_BY_ONE, "seconds"): 0.3},
)
