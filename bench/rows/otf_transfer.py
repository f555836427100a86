"""A transfer of 500 files of 4 KiB from one bucket to another by Open Task Framework."""

from functools import partial

from bench.otf_servers import PEER, add_ons
from bench.row import Row

ROW = Row(
    title="500 small files to a bucket",
    contestants=partial(add_ons, work="transfer"),
    runs=5,
    goals={(PEER, "seconds"): 0.4},
)
