"""An object as one look found it, and what of it is carried to the other side."""

from dataclasses import dataclass, field
from functools import cached_property

from tasks.object_clerk import checksums
from tasks.object_clerk.errors import KeyNotFoundException, ObjectNotFoundException
from tasks.object_clerk.part_copies import content_headers, tagging_header, tags_of
from tasks.object_clerk.parts import MIB
from tasks.object_clerk.pinned import Pinned
from tasks.object_clerk.s3_requests import head
from tasks.object_clerk.streams import crc32_of, fetch
from tasks.partition_replicate.table import stamp_of
from tasks.utils.s3_object import S3Object

# What the source's owner set and the destination's writer may not, or cannot know.
LOCKS = ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus")

# An object of at most so many bytes comes along with the first look. Ten at once do not weigh in memory; for a larger
# one a request more is little beside its bytes.
TAKEN_ALONG = MIB


@dataclass(frozen=True)
class Look:
    """What one look at an address found.

    Attributes:
        address: the `S3Object` looked at, with a version where that one was asked for.
        found: the answer to HeadObject or GetObject, or None where there is no object.
        tags: name -> value.
        data: the bytes, where they came along.
    """

    address: S3Object
    found: dict | None = None
    tags: dict = field(default_factory=dict)
    data: memoryview | None = field(default=None, repr=False)

    @property
    def pinned(self):
        """The state that was seen, as reads are pinned to it."""
        return Pinned.by(self.address, self.found)

    @cached_property
    def stamp(self):
        """A text that another look shares only when it saw the same object; "" where there is none."""
        return stamp_of(self.address, self.found) if self.found else ""

    @cached_property
    def headers(self):
        """The content headers and the metadata, as a write takes them."""
        return content_headers(self.found)

    @property
    def to_write(self):
        """Everything but the bytes, as a write takes it; without the tags where they have to follow."""
        tagging = {"Tagging": self.tagging} if self.tagging else {}
        storage = {"StorageClass": self.found["StorageClass"]} if self.found.get("StorageClass") else {}
        return {**self.headers, **tagging, **storage}

    @cached_property
    def tagging(self):
        """The tags as the header of a write, or None."""
        return tagging_header(self.tags, self.headers)

    @property
    def tags_follow(self):
        """Whether the tags have to be put after the write, because they are too long for its header."""
        return bool(self.tags) and not self.tagging

    @property
    def not_carried(self):
        """The names of what another partition cannot be told."""
        return ["ACL", *(name for name in LOCKS if self.found and self.found.get(name))]

    def is_still(self, other):
        """Returns whether a later look saw the same object, its tags and metadata too."""
        if not self.found or not other.found:
            return self.found is other.found
        return (self.stamp, self.headers, self.tags) == (other.stamp, other.headers, other.tags)

    def has_content_of(self, source, row):
        """Returns whether these are the bytes of a source, as far as that is known without reading them.

        Args:
            source: a `Look` at the source.
            row: the `Row` of the key.
        """
        known = checksums.same_content(source.found, self.found)
        if known is not None:
            return known
        if (row.source_etag, row.dest_etag) == (source.found["ETag"], self.found["ETag"]):
            return True
        return checksums.full_object_checksums(self.found).get("CRC32") in source.checksums_known(row)

    def checksums_known(self, row):
        """Yields each CRC32 of these bytes that was computed already."""
        if self.data is not None:
            yield crc32_of(self.data)
        if row.upload and row.upload.source == self.stamp and row.upload.crc32:
            yield row.upload.crc32


def look(requests, address, *, tags=False):
    """Looks at an object.

    Args:
        requests: an `S3Requests`.
        address: the `S3Object`.
        tags: ask for the tags even where the object says that it has none: some servers do not count them.
    """
    found = head(requests, address)
    return Look(address, found, _tags(requests, address, found, tags))


def look_and_read(requests, address, *, most):
    """Looks at an object and takes its bytes along in the same request, if there are at most so many."""
    try:
        found, data = fetch(requests, address, most=most)
    except KeyNotFoundException:
        return Look(address)
    return Look(address, found, _tags(requests, address, found, False), data)


def _tags(requests, address, found, anyway):
    if not found or not (anyway or found.get("TagCount")):
        return {}
    try:
        return tags_of(requests, address)
    except ObjectNotFoundException:
        # It went away just now; the next look will see that.
        return {}
