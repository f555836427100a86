"""400 objects of 64 KiB, mirrored ten at a time to a server 200 ms away."""

from bench.distance import small_objects
from bench.names import RCLONE, RCLONE_NO_HEAD

ROW = small_objects(200, {(RCLONE, "seconds"): 0.6, (RCLONE_NO_HEAD, "seconds"): 1.05})
