"""The objects of a bucket, listed in pages of a thousand, with the attributes that a listing holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.object_clerk.annotation_lists import Annotation
from tasks.object_clerk.pinned import pinned_address
from tasks.object_clerk.s3_requests import S3Requests
from tasks.otf_addons.plan import Place, name_of
from tasks.utils.s3_object import S3Object

# The largest page of ListObjectsV2.
PAGE_SIZE = 1000


@dataclass(frozen=True)
class SourceObject:
    """A source as it was found. Only this state of the object is copied and deleted.

    Attributes:
        address: its address, with its version if that is known.
        etag: the ETag as S3 gives it.
        size: bytes.
        storage_class: S3's name of it.
        modified: seconds since 1970.
        annotations: its annotations that the copy has.
    """

    address: S3Object
    etag: str
    size: int
    storage_class: str = "STANDARD"
    modified: float = 0.0
    annotations: frozenset[Annotation] = frozenset()

    @classmethod
    def from_answer(cls, address: S3Object, answer: Mapping[str, Any]) -> SourceObject:
        """Return the object that an answer to HeadObject or GetObject describes."""
        storage_class = answer.get("StorageClass", "STANDARD")
        modified = answer["LastModified"].timestamp()
        return cls(pinned_address(address, answer), answer["ETag"], answer["ContentLength"], storage_class, modified)


def list_objects(requests: S3Requests, place: Place, pattern: str | None) -> dict[str, SourceObject]:
    """Return the files of a place whose names match, by their keys.

    Args:
        requests: requests that may list the bucket.
        place: the place. With a directory only its direct files are listed, without a directory the whole bucket.
        pattern: a regular expression that matches the whole of a name; None for all files.

    Raises:
        ObjectClerkException: the bucket cannot be listed.
    """
    fits = re.compile(pattern).fullmatch if pattern else bool
    return {
        entry["Key"]: _source(place.bucket, entry)
        for entry in _entries(requests, place)
        # A key that ends with a slash is no file but the marker of a directory, which consoles create.
        if name_of(entry["Key"]) and fits(name_of(entry["Key"]))
    }


def _source(bucket: str, entry: Mapping[str, Any]) -> SourceObject:
    address = S3Object(bucket, entry["Key"])
    storage_class = entry.get("StorageClass", "STANDARD")
    return SourceObject(address, entry["ETag"], entry["Size"], storage_class, entry["LastModified"].timestamp())


def _entries(requests: S3Requests, place: Place) -> Iterator[dict[str, Any]]:
    # The delimiter keeps S3 from listing the directories below, which may hold millions of objects.
    within = {"Prefix": f"{place.directory}/", "Delimiter": "/"} if place.directory else {}
    token = None
    while True:
        page = requests(
            "list_objects_v2",
            source=str(place),
            Bucket=place.bucket,
            MaxKeys=PAGE_SIZE,
            ContinuationToken=token,
            **within,
        )
        yield from page.get("Contents", [])
        if not page.get("IsTruncated"):
            return
        token = page["NextContinuationToken"]
