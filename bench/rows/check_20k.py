"""20,000 keys on each of two servers, compared by size."""

from bench.listings import keys_compared
from bench.names import RCLONE, RCLONE_FAST_LIST

ROW = keys_compared(0, {(RCLONE_FAST_LIST, "seconds"): 0.7, (RCLONE, "seconds"): 0.7})
