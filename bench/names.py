"""Names that contestants and rows share; importing them costs a contestant nothing."""

OURS, SPOOL, ONE_BY_ONE, RCLONE = "bucket brigade", "spool to disk", "one by one", "rclone"
# rclone that does not look at an object which it has written.
RCLONE_NO_HEAD = "rclone, no HEAD"

# Which object is mirrored before the clock starts, and the word for those that have none.
WARM_UP, COLD = "warm-up", "cold"

# The two buckets; rclone knows their servers by the same names.
SOURCE, DESTINATION = "source", "destination"
