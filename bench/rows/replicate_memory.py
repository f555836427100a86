"""The memory that a large object takes on its way, beside that of one a sixteenth of its size."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import row
from bench.mirrors import put_noise, stage
from bench.names import OURS

LARGE, SMALLER = "4 GiB", "256 MiB"
SIZES = {LARGE: 4 * 1024**3, SMALLER: 256 * 1024**2}


def _fill(s3: Any) -> None:
    for name, size in SIZES.items():
        put_noise(s3, name, size)


@contextmanager
def contestants(folder: Path) -> row.Stage:
    """Give the same function, once for each object."""
    with stage(folder, _fill) as on_stage:
        yield [on_stage.python(OURS, name, called=name) for name in SIZES]


ROW = row.Row(
    title="memory of one object",
    contestants=contestants,
    runs=3,
    goals={(SMALLER, "peak_mb"): 1.1},
)
