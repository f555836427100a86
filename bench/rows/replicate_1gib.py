"""An object of 1 GiB, mirrored from one server to another."""

from contextlib import contextmanager
from pathlib import Path

from bench import row
from bench.mirrors import RCLONE_STREAMS, mirror_servers, put_random_object
from bench.names import OURS, RCLONE, SPOOL

SIZE = 1024**3
KEY = "object"


@contextmanager
def contestants(folder: Path) -> row.Contestants:
    """Yield contestants that stream the object with the same parts and streams, and one that spools it to disk."""
    with mirror_servers(folder, lambda s3: put_random_object(s3, KEY, SIZE)) as servers:
        yield [
            servers.python(OURS, KEY),
            servers.python(OURS, KEY, name="the same, cold", cold=True),
            servers.rclone(KEY, *RCLONE_STREAMS),
            servers.python(SPOOL, KEY),
        ]


ROW = row.Row(
    title="1 GiB mirrored",
    contestants=contestants,
    goals={(RCLONE, "seconds"): 0.95, (SPOOL, "seconds"): 0.7},
    peak_mb=180,
)
