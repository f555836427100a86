"""The versions of a key at source and destination, and events about them."""

from contextlib import contextmanager

from moto.s3.models import FakeKey, s3_backends

from tasks.partition_replicate import handler as handler_module
from tests.partition_replicate.conftest import SOURCE
from tests.partition_replicate.events import event_of
from tests.support.dying_client import Killed

ACCOUNT = "123456789012"
DELETED = "deleted"


def history(bucket, key="a.txt"):
    """Return the contents of a key's versions, the oldest first."""
    partition = "aws" if bucket == SOURCE else "aws-us-gov"
    versions = s3_backends[ACCOUNT][partition].buckets[bucket].keys.getlist(key, default=[])
    return [version.value if isinstance(version, FakeKey) else DELETED for version in versions]


@contextmanager
def killed_before_its_record():
    """Kill a worker before it writes to the table, and after it wrote to the destination."""

    def kill(**_):
        raise Killed()

    events = handler_module.worker().replicator.table.dynamodb.meta.events
    events.register("before-send.dynamodb.TransactWriteItems", kill)
    try:
        yield
    finally:
        events.unregister("before-send.dynamodb.TransactWriteItems", kill)


def version_of(event):
    return event["detail"]["object"]["version-id"]


def made_from(world, version):
    """Return the replica version that was made from a version of the source."""
    return world.row("a.txt", version)["DestObject"]["M"]["VersionId"]["S"]


def expired(version):
    return event_of(SOURCE, "a.txt", "Object Deleted", reason="Lifecycle Expiration", version_id=version)
