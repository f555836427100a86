"""Both sides of the mirror: how they keep versions, whether they are equal, and a backfill."""

from tasks.partition_replicate import handler as handler_module
from tests.partition_replicate.conftest import MIRROR, SOURCE

# How the buckets of `world` keep versions.
CURRENT, ALL = ("unversioned", "unversioned"), ("Enabled", "Enabled")
# Seconds that a recheck waits in its queue.
DELAY = 900


def seen(world, s3, bucket):
    """Return bytes, metadata and tags of the object at one side, or None."""
    body = world.body(s3, bucket, "a.txt")
    if body is None:
        return None
    where = {"Bucket": bucket, "Key": "a.txt"}
    return body, s3.head_object(**where)["Metadata"], s3.get_object_tagging(**where)["TagSet"]


def is_mirrored(world):
    """Return whether the object is equal at both sides."""
    return seen(world, world.s3, SOURCE) == seen(world, world.mirror, MIRROR)


def backfill():
    """Run a job of S3 Batch Operations whose manifest names the key."""
    task = {"taskId": "1", "s3Key": "a.txt", "s3VersionId": None, "s3BucketArn": f"arn:aws:s3:::{SOURCE}"}
    handler_module.replicate({"invocationId": "1", "job": {"id": "1"}, "tasks": [task]}, None)
