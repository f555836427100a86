"""What lies in a bucket, by pages of a thousand and with what they already tell."""

import re
from dataclasses import dataclass

from tasks.otf_addons.plan import name_of
from tasks.utils.s3_object import S3Object

# What one ListObjectsV2 answers at most.
PAGE_SIZE = 1000


@dataclass(frozen=True)
class Found:
    """An object as it was found, which is the one that is copied, and deleted, and no other.

    Attributes:
        address: the `S3Object`, with its version where that is known.
        etag: as S3 gives it.
        size: bytes.
        storage_class: S3's name of it.
        modified: seconds since 1970.
        annotations: each `Annotation` of it that has arrived with a copy.
    """

    address: S3Object
    etag: str
    size: int
    storage_class: str = "STANDARD"
    modified: float = 0.0
    annotations: frozenset = frozenset()

    @classmethod
    def by(cls, address, answer):
        """Returns what an answer to HeadObject or GetObject tells of an object."""
        version = answer.get("VersionId")
        # The version "null" can be overwritten, so its name pins nothing: the ETag does.
        where = S3Object(address.bucket, address.key, version if version != "null" else None)
        storage_class = answer.get("StorageClass", "STANDARD")
        return cls(where, answer["ETag"], answer["ContentLength"], storage_class, answer["LastModified"].timestamp())


def found_in(requests, place, pattern):
    """Returns the files of a place whose names match: key -> `Found`.

    Args:
        requests: an `S3Requests`.
        place: the `Place`; with a directory only what lies directly in it, without one the whole bucket.
        pattern: a regular expression that has to match the whole of a name; None for all.

    Raises:
        ObjectClerkException: the bucket cannot be listed.
    """
    fits = re.compile(pattern).fullmatch if pattern else bool
    return {
        entry["Key"]: _found(place.bucket, entry)
        for entry in _entries(requests, place)
        # A key that ends with a slash is a directory's marker, which consoles make, and no file.
        if name_of(entry["Key"]) and fits(name_of(entry["Key"]))
    }


def _found(bucket, entry):
    address = S3Object(bucket, entry["Key"])
    storage_class = entry.get("StorageClass", "STANDARD")
    return Found(address, entry["ETag"], entry["Size"], storage_class, entry["LastModified"].timestamp())


def _entries(requests, place):
    # The delimiter keeps S3 from listing what lies deeper, which may be millions.
    within = {"Prefix": f"{place.directory}/", "Delimiter": "/"} if place.directory else {}
    token = None
    while True:
        page = requests(
            "list_objects_v2",
            source=place,
            Bucket=place.bucket,
            MaxKeys=PAGE_SIZE,
            ContinuationToken=token,
            **within,
        )
        yield from page.get("Contents", [])
        if not page.get("IsTruncated"):
            return
        token = page["NextContinuationToken"]
