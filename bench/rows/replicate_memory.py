"""The peak memory for a large object, beside the peak memory for one a sixteenth of its size."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench import row
from bench.mirrors import mirror_servers, put_random_object
from bench.names import OURS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LARGE, SMALLER = "4 GiB", "256 MiB"
SIZES = {LARGE: 4 * 1024**3, SMALLER: 256 * 1024**2}


def _fill(s3: "S3Client") -> None:
    for name, size in SIZES.items():
        put_random_object(s3, name, size)


@contextmanager
def contestants(folder: Path) -> row.Contestants:
    """Yield the same function for each object."""
    with mirror_servers(folder, _fill) as servers:
        yield [servers.python(OURS, name, name=name) for name in SIZES]


ROW = row.Row(
    title="memory of one object",
    contestants=contestants,
    runs=3,
    goals={(SMALLER, "peak_mb"): 1.1},
)
