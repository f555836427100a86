"""An object as one observation found it, and what of it goes to the other side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tasks.object_clerk import checksums
from tasks.object_clerk.part_copies import content_headers, tagging_header
from tasks.object_clerk.parts import MIB
from tasks.object_clerk.pinned import Pinned
from tasks.object_clerk.streams import crc32_of
from tasks.utils.key_state import KeyState, Origin, ReplicaVersion
from tasks.utils.s3_object import S3Object

# What the source's owner set and the destination's writer may not set, or cannot know.
LOCKS = ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus")

# The bytes of an object up to this size come with its first observation. Ten such objects at once need little memory;
# for a larger object one more request costs little beside its bytes.
TAKEN_ALONG = MIB


@dataclass(frozen=True)
class ObjectSnapshot:
    """What one observation of an address found.

    Attributes:
        address: the `S3Object`, with a version if that one was asked for.
        found: S3's answer to HeadObject or GetObject; None if there is no object.
        tags: name -> value.
        tags_asked: the tags were requested, and not only counted by the answer.
        data: the bytes, if they came with the answer.
        marker: the version id of the delete marker that hides the object, if the server names it.
    """

    address: S3Object
    found: Mapping[str, Any] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    tags_asked: bool = False
    data: memoryview | None = field(default=None, repr=False)
    marker: str = ""

    @cached_property
    def head(self) -> Mapping[str, Any]:
        """S3's answer, {} if there is no object."""
        return self.found or {}

    @property
    def etag(self) -> str:
        """The ETag with its quotes, "" if there is no object."""
        return str(self.head.get("ETag", ""))

    @property
    def origin(self) -> Origin:
        """The state as the key state records it after it was mirrored."""
        return Origin(self.head.get("VersionId") or "", self.etag)

    @property
    def replica(self) -> ReplicaVersion:
        """The version, if this is the destination."""
        return ReplicaVersion.by(self.head)

    @cached_property
    def pinned(self) -> Pinned:
        """The state that was observed, to which reads are pinned."""
        pinned: Pinned = Pinned.by(self.address, self.head)
        return pinned

    @cached_property
    def stamp(self) -> str:
        """A text that another observation has only if it found the same object; "" if there is none."""
        if not self.found:
            return ""
        pinned = self.pinned
        changed = self.found["LastModified"].timestamp()
        return f"{pinned.etag} {pinned.address.version_id or '-'} {changed:.0f} {pinned.size}"

    @cached_property
    def headers(self) -> dict[str, Any]:
        """The content headers and the metadata, as a write takes them."""
        headers: dict[str, Any] = content_headers(self.head)
        return headers

    @property
    def to_write(self) -> dict[str, Any]:
        """Everything but the bytes, as a write takes it; without the tags if they have to follow."""
        tagging = {"Tagging": self.tagging} if self.tagging else {}
        storage = {"StorageClass": self.head["StorageClass"]} if self.head.get("StorageClass") else {}
        return {**self.headers, **tagging, **storage}

    @cached_property
    def tagging(self) -> str | None:
        """The tags as the header of a write; None if there are none, or if they are too long for a header."""
        header: str | None = tagging_header(self.tags, self.headers)
        return header

    @property
    def tags_follow(self) -> bool:
        """Whether the tags have to be put after the write, because they are too long for its header."""
        return bool(self.tags) and not self.tagging

    @property
    def not_carried(self) -> tuple[str, ...]:
        """The names of what does not go to another partition."""
        return ("ACL", *(name for name in LOCKS if self.head.get(name)))

    def is_still(self, later: ObjectSnapshot) -> bool:
        """Return whether a later observation found the same object, its tags and metadata included."""
        if not self.found or not later.found:
            return self.found is later.found
        return (self.stamp, self.headers, self.tags) == (later.stamp, later.headers, later.tags)

    def has_content_of(self, source: ObjectSnapshot, state: KeyState) -> bool:
        """Return whether these are the bytes of a source, as far as that is known without reading them."""
        known: bool | None = checksums.same_content(source.head, self.head)
        if known is not None:
            return known
        if (state.origin.etag, state.replica.etag) == (source.etag, self.etag):
            return True
        crc32 = checksums.full_object_checksums(self.head).get("CRC32")
        return crc32 is not None and crc32 in source.known_checksums(state)

    def known_checksums(self, state: KeyState) -> Iterator[str]:
        """Yield each CRC32 of these bytes that is known or can be computed without a request."""
        if self.data is not None:
            yield crc32_of(self.data)
        upload = state.open.upload
        if upload and upload.source == self.stamp and upload.crc32:
            yield upload.crc32
