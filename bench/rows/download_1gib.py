"""An object of 1 GiB, read to a file."""

from functools import partial

from bench.row import Row
from bench.transfers import BOTO3, OBJECT_CLERK, carriers

ROW = Row(
    title="1 GiB to a file",
    contestants=partial(carriers, direction="download"),
    goals={(BOTO3, "seconds"): 1.0, (OBJECT_CLERK, "seconds"): 0.5},
    peak_mb=160,
)
