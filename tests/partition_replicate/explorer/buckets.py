"""Two buckets in memory: immutable states, and what each request of the mirror answers and changes.

The answers have the form of boto3's. A state is a tuple, so it can be hashed, compared and shared.
"""

import hashlib
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qsl
from zlib import crc32

from tasks.object_clerk import checksums

# All versions have the same time: the mirror may not rely on it, because S3 tells whole seconds only.
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


class Entry(NamedTuple):
    """A version or a delete marker.

    Attributes:
        id: the version id; "" in a bucket without versioning.
        body: the content, or "" for a delete marker.
        meta: the value of the metadata, or "".
        tags: (name, value) pairs.
        etag: with its quotes, or "" for a delete marker.
    """

    id: str
    body: str = ""
    meta: str = ""
    tags: tuple = ()
    etag: str = ""

    @property
    def content(self):
        """What the mirror must make equal."""
        return self.body, self.meta, self.tags


class Bucket(NamedTuple):
    """All versions of the one key in a bucket.

    Attributes:
        entries: each `Entry`, the oldest first.
        made: how many versions were ever made, so that no id is used twice.
        log: each `Change` of the source so far; () for the destination.
    """

    entries: tuple = ()
    made: int = 0
    log: tuple = ()

    @property
    def current(self):
        """The `Entry` that a request without a version id finds, or None."""
        newest = self.entries[-1] if self.entries else None
        return newest if newest and newest.body else None

    def find(self, version):
        """Return the `Entry` of a version id, or None."""
        return next((entry for entry in self.entries if entry.id == version), None)


class Refused(Exception):
    """S3 refuses a request."""

    def __init__(self, status, code, headers=()):
        super().__init__(code)
        self.error = {
            "Error": {"Code": code, "Message": code},
            "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": dict(headers)},
        }


class Kind(NamedTuple):
    """How a bucket behaves.

    Attributes:
        prefix: the first letter of its version ids.
        is_versioned: whether it keeps versions.
        is_encrypted: whether SSE-KMS encrypts each object, so that no two ETags are equal.
    """

    prefix: str
    is_versioned: bool = True
    is_encrypted: bool = False

    def put(self, bucket, body, meta="", tags=()):
        """Return the bucket with a new current version."""
        number = bucket.made + 1
        etag = f"k{number}" if self.is_encrypted else hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        return self._append(bucket, Entry(self._id(number), body, meta, tags, f'"{etag}"'))

    def delete(self, bucket):
        """Return the bucket with a new delete marker, or without its object where it keeps no versions."""
        if not self.is_versioned:
            return bucket._replace(entries=())
        return self._append(bucket, Entry(self._id(bucket.made + 1)))

    def remove(self, bucket, version):
        """Return the bucket without a version."""
        return bucket._replace(entries=tuple(entry for entry in bucket.entries if entry.id != version))

    def tag(self, bucket, version, tags):
        """Return the bucket with other tags on a version."""
        entries = (entry._replace(tags=tags) if entry.id == version else entry for entry in bucket.entries)
        return bucket._replace(entries=tuple(entries))

    def _id(self, number):
        return f"{self.prefix}{number}" if self.is_versioned else ""

    def _append(self, bucket, entry):
        older = bucket.entries if self.is_versioned else ()
        return bucket._replace(entries=(*older, entry), made=bucket.made + 1)


class Server:
    """Answers the requests to one bucket.

    Args:
        kind: its `Kind`.
    """

    def __init__(self, kind):
        self.kind = kind

    def answer(self, bucket, operation, parameters):
        """Return the bucket after a request, and boto3's answer.

        Raises:
            Refused: S3 refuses the request, and the bucket stays as it is.
        """
        return getattr(self, operation)(bucket, **parameters)

    def head_object(self, bucket, *, VersionId=None, **_):
        """Return what HeadObject tells of an object."""
        return bucket, self._described(self._found(bucket, VersionId, by_head=True))

    def get_object(self, bucket, *, VersionId=None, IfMatch=None, **_):
        """Return the object; its body is a text here, and `replay.py` makes a stream of it."""
        entry = self._found(bucket, VersionId)
        if IfMatch and IfMatch != entry.etag:
            raise Refused(412, "PreconditionFailed")
        described = self._described(entry)
        return bucket, {**described, "Body": entry.body}

    def get_object_tagging(self, bucket, *, VersionId=None, **_):
        """Return the tags."""
        entry = self._found(bucket, VersionId)
        return bucket, {"TagSet": [{"Key": name, "Value": value} for name, value in entry.tags]}

    def list_object_versions(self, bucket, **_):
        """Return all versions, the newest first; `Order` is what `object_clerk.versions.in_order` adds."""
        newest_first = bucket.entries[::-1]
        return bucket, {
            "Versions": [
                {"Key": "k", "VersionId": entry.id, "ETag": entry.etag, "Size": len(entry.body)}
                for entry in newest_first
                if entry.body
            ],
            "DeleteMarkers": [{"Key": "k", "VersionId": entry.id} for entry in newest_first if not entry.body],
            "Order": [b"Version" if entry.body else b"DeleteMarker" for entry in newest_first],
            "IsTruncated": False,
        }

    def put_object(self, bucket, *, Body, **more):
        """Write a new version if its precondition holds."""
        self._check(bucket, more.get("IfMatch"), more.get("IfNoneMatch"))
        meta, tags = more.get("Metadata", {}).get("of", ""), tuple(parse_qsl(more.get("Tagging", "")))
        after = self.kind.put(bucket, Body, meta, tags)
        return after, self._named(after.entries[-1], ETag=after.entries[-1].etag)

    def delete_object(self, bucket, *, VersionId=None, IfMatch=None, **_):
        """Remove a version, or put a delete marker if the precondition holds."""
        if VersionId:
            return self.kind.remove(bucket, VersionId), {"VersionId": VersionId}
        self._check(bucket, IfMatch, None)
        after = self.kind.delete(bucket)
        return after, self._named(after.entries[-1]) if after.entries else {}

    def put_object_tagging(self, bucket, *, Tagging, VersionId=None, **_):
        """Replace the tags of a version."""
        entry = self._found(bucket, VersionId)
        tags = tuple((tag["Key"], tag["Value"]) for tag in Tagging["TagSet"])
        return self.kind.tag(bucket, entry.id, tags), {}

    @staticmethod
    def _check(bucket, if_match, if_none_match):
        current = bucket.current
        if if_match and not current:
            raise Refused(404, "NoSuchKey")
        if (if_match and if_match != current.etag) or (if_none_match and current):
            raise Refused(412, "PreconditionFailed")

    @staticmethod
    def _found(bucket, version, *, by_head=False):
        entry = bucket.find(version) if version else bucket.current
        if entry and entry.body:
            return entry
        if entry:
            raise Refused(405, "405" if by_head else "MethodNotAllowed")
        marker = bucket.entries[-1] if bucket.entries and not version else None
        headers = {"x-amz-version-id": marker.id, "x-amz-delete-marker": "true"} if marker else {}
        missing = "NoSuchVersion" if version else "NoSuchKey"
        raise Refused(404, "404" if by_head else missing, headers)

    def _described(self, entry):
        answer = {"ETag": entry.etag, "ContentLength": len(entry.body), "LastModified": MOMENT}
        if self.kind.prefix == "d":
            # The mirror sends a CRC32 with each write; who writes to the source need not.
            answer |= {"ChecksumCRC32": checksums.crc32_text(crc32(entry.body.encode())), "ChecksumType": "FULL_OBJECT"}
        if self.kind.is_encrypted:
            answer["ServerSideEncryption"] = "aws:kms"
        if entry.tags:
            answer["TagCount"] = len(entry.tags)
        return self._named(entry, Metadata={"of": entry.meta} if entry.meta else {}, **answer)

    @staticmethod
    def _named(entry, **answer):
        return {**answer, **({"VersionId": entry.id} if entry.id else {})}
