"""20,000 keys on each of two servers 50 ms away, compared by size."""

from bench.listings import keys_compared
from bench.names import RCLONE_FAST_LIST

ROW = keys_compared(50, {(RCLONE_FAST_LIST, "seconds"): 0.7})
