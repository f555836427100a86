"""What a step is performed with: both sides of one key, and the table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.streams import StreamLimits
from tasks.partition_replicate.reconcile.key_row import KeyRow
from tasks.partition_replicate.reconcile.snapshot import Snapshot
from tasks.partition_replicate.table import Table
from tasks.utils.key_state import KeyState
from tasks.utils.s3_object import S3Object


@dataclass(frozen=True)
class Sides:
    """Both sides of one key.

    Attributes:
        reading: requests to the source.
        writing: requests to the destination.
        source: the source's address, without a version.
        destination: the destination's address, without a version.
        limits: how objects are cut, and how much of them is on its way.
        kms_key: the key that encrypts what is written, or "".
    """

    reading: S3Requests
    writing: S3Requests
    source: S3Object
    destination: S3Object
    limits: StreamLimits
    kms_key: str = ""

    @property
    def place(self) -> dict[str, str]:
        """Bucket and key of the destination, as boto3 takes them."""
        return {"Bucket": self.destination.bucket, "Key": self.destination.key}

    def source_version(self, version: str) -> S3Object:
        """Return the address of one version of the source."""
        return replace(self.source, version_id=version)

    def replica(self, version: str | None) -> S3Object:
        """Return the address of one version of the destination, or of its object without versions."""
        return replace(self.destination, version_id=version or None)


class Tools(NamedTuple):
    """What a step is performed with.

    Attributes:
        sides: both sides of the key.
        table: the rows.
    """

    sides: Sides
    table: Table

    def row(self, snapshot: Snapshot) -> KeyRow:
        """Return the key row in the state that is known."""
        return KeyRow(self.table, snapshot.event, snapshot.state or KeyState())
