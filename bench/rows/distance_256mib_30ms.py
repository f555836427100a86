"""An object of 256 MiB, mirrored to a server 30 ms away."""

from bench.distance import large_object

ROW = large_object(30)
