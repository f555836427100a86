"""What a bucket holds of one key: its versions and its open uploads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from ops.errors import OpsError
from tasks.utils.s3_object import S3Object, printable

ADDRESS = re.compile(r"s3://([^/]+)/(.+?)(?:\?versionId=([\w.-]+))?", re.DOTALL)
FROZEN = frozenset({"GLACIER", "DEEP_ARCHIVE"})
# Each version takes a request for what a listing does not say: restore and lock.
MOST_VERSIONS = 100


@dataclass(frozen=True)
class Version:  # pylint: disable=too-many-instance-attributes  # one for each property that the story names
    """A version of an object, or a delete marker.

    Attributes:
        id: its id, `null` in a bucket without versions.
        time: when it was written.
        is_current: whether S3 serves it to a request without a version.
        etag: its ETag, or None for a delete marker.
        size: bytes.
        storage_class: its storage class.
        restore: S3's header on its restore, or "".
        lock: the mode and the end of its lock, or "".
    """

    id: str
    time: datetime
    is_current: bool
    etag: str | None = None
    size: int = 0
    storage_class: str = ""
    restore: str = ""
    lock: str = ""

    @property
    def is_frozen(self) -> bool:
        """Whether it cannot be read before a restore."""
        return self.storage_class in FROZEN and 'ongoing-request="false"' not in self.restore

    @property
    def text(self) -> str:
        """The version in a few words."""
        current = ", current" if self.is_current else ""
        if self.etag is None:
            return f"delete marker {self.id}{current}"
        words = [f"version {self.id}{current}", f"ETag {self.etag}", f"{self.size} bytes", self.storage_class]
        restore = [f"restore {self.restore}"] if self.restore else []
        return ", ".join([*words, *restore, *([f"locked: {self.lock}"] if self.lock else [])])


@dataclass(frozen=True)
class Side:
    """A bucket's state of one key.

    Attributes:
        address: bucket and key.
        versions: the versions, the newest first.
        uploads: the beginning and the id of each open multipart upload.
    """

    address: S3Object
    versions: tuple[Version, ...] = ()
    uploads: tuple[tuple[datetime, str], ...] = ()

    @property
    def current(self) -> Version | None:
        """The current version; None if there is none, or if it is a delete marker."""
        return next((version for version in self.versions if version.is_current and version.etag), None)

    def version(self, version_id: str) -> Version | None:
        """Return the version with an id, or None."""
        return next((version for version in self.versions if version.id == version_id), None)


def parse(text: str) -> S3Object:
    """Return the address that a text names.

    Raises:
        OpsError: it names none.
    """
    found = ADDRESS.fullmatch(text)
    if not found:
        raise OpsError(
            printable(f"an address has the form s3://bucket/key or s3://bucket/key?versionId=ID, not {text}")
        )
    return S3Object(found[1], found[2], found[3])


def observe(s3: Any, bucket: str, key: str) -> Side:
    """Return a bucket's state of a key.

    Raises:
        OpsError: the bucket does not exist.
    """
    address = S3Object(bucket, key)
    try:
        listed = [version for version, _ in zip(_versions(s3, address), range(MOST_VERSIONS))]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            raise OpsError(f"the bucket {bucket} does not exist") from error
        raise
    versions = tuple(_with_headers(s3, address, version) if version.etag else version for version in listed)
    return Side(address, versions, tuple(_uploads(s3, address)))


def _versions(s3: Any, address: S3Object) -> Iterator[Version]:
    # A key comes before all keys that it is a prefix of, so a page without it is the last one to read.
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=address.bucket, Prefix=address.key):
        items = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        own = [_version(item) for item in items if item["Key"] == address.key]
        yield from sorted(own, key=lambda version: (version.is_current, version.time), reverse=True)
        if not own:
            return


def _version(item: dict[str, Any]) -> Version:
    found = Version(item["VersionId"], item["LastModified"], item["IsLatest"])
    if "ETag" not in item:
        return found
    storage_class = item.get("StorageClass", "STANDARD")
    return replace(found, etag=item["ETag"].strip('"'), size=item["Size"], storage_class=storage_class)


def _with_headers(s3: Any, address: S3Object, version: Version) -> Version:
    pinned = {} if version.is_current else {"VersionId": version.id}
    head = s3.head_object(Bucket=address.bucket, Key=address.key, **pinned)
    mode, until = head.get("ObjectLockMode", ""), head.get("ObjectLockRetainUntilDate", "")
    hold = "legal hold" if head.get("ObjectLockLegalHoldStatus") == "ON" else ""
    lock = " and ".join(filter(None, (f"{mode} until {until}" if mode else "", hold)))
    return replace(version, restore=head.get("Restore", ""), lock=lock)


def _uploads(s3: Any, address: S3Object) -> Iterator[tuple[datetime, str]]:
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=address.bucket, Prefix=address.key):
        for upload in page.get("Uploads", []):
            if upload["Key"] == address.key:
                yield upload["Initiated"], upload["UploadId"]
