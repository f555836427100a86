"""400 objects of 64 KiB, mirrored ten at a time to a server 30 ms away."""

from bench.distance import small_objects

ROW = small_objects(30)
