"""The settings that every function of a mirror needs."""

MIRROR = {
    "SOURCE_BUCKET": "source",
    "DEST_BUCKET": "mirror",
    "DEST_BUCKET_REGION": "us-gov-west-1",
    "DEST_SECRET": "secret",
    "OBJECTS_TABLE": "table",
}
