"""A listing of 5,000 keys for Open Task Framework."""

from functools import partial

from bench.otf_servers import PEER, add_ons
from bench.row import Row

ROW = Row(
    title="5,000 keys listed",
    contestants=partial(add_ons, work="list"),
    runs=3,
    goals={(PEER, "requests"): 0.2},
)
