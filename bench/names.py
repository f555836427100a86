"""Who mirrors objects, by name; importing it costs a contestant nothing."""

OURS, SPOOL, ONE_BY_ONE, RCLONE = "bucket brigade", "spool to disk", "one by one", "rclone"
