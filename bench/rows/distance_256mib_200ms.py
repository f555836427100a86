"""An object of 256 MiB, mirrored to a server 200 ms away."""

from bench.distance import large_object
from bench.names import RCLONE

ROW = large_object(200, {(RCLONE, "seconds"): 1.08})
