"""Names that contestants and rows share, in a module that is fast to import."""

OURS, SPOOL, ONE_BY_ONE, RCLONE = "bucket brigade", "spool to disk", "one by one", "rclone"
# rclone without its HEAD request after each upload.
RCLONE_NO_HEAD = "rclone, no HEAD"
# rclone with `--fast-list`.
RCLONE_FAST_LIST = "rclone, fast list"

# The object that is mirrored before the clock starts, and the argument for a run without it.
WARM_UP, COLD = "warm-up", "cold"

# The two buckets; rclone knows their servers by the same names.
SOURCE, DESTINATION = "source", "destination"
