"""An object of 1 GiB, mirrored from one server to another."""

from contextlib import contextmanager
from pathlib import Path

from bench import row
from bench.mirrors import RCLONE_STREAMS, put_noise, stage
from bench.names import OURS, RCLONE, SPOOL

SIZE = 1024**3
KEY = "object"


@contextmanager
def contestants(folder: Path) -> row.Stage:
    """Give who streams it with the same parts and streams, and who spools it to a disk."""
    with stage(folder, lambda s3: put_noise(s3, KEY, SIZE)) as on_stage:
        yield [
            on_stage.python(OURS, KEY),
            on_stage.python(OURS, KEY, called="the same, cold", cold=True),
            on_stage.by_rclone(KEY, *RCLONE_STREAMS),
            on_stage.python(SPOOL, KEY),
        ]


ROW = row.Row(
    title="1 GiB mirrored",
    contestants=contestants,
    goals={(RCLONE, "seconds"): 0.95, (SPOOL, "seconds"): 0.7},
    peak_mb=180,
)
