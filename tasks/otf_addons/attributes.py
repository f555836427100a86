"""What belongs to an object besides its bytes: metadata, content headers, storage class and tags."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tasks.object_clerk.part_copies import content_headers, tag_set, tagging_header, tags_of
from tasks.otf_addons.listing import Found
from tasks.utils.s3_object import S3Object


@dataclass
class Attributes:
    """The attributes of an object that was read; its tags are asked for when they are needed.

    Attributes:
        reading: an `S3Requests` that may read it.
        seen: the `Found` that was read.
        answer: what S3 answered to HeadObject or GetObject.
        annotations: each `Annotation` of it that has arrived with a copy.
    """

    reading: Any
    seen: Found
    answer: dict
    annotations: frozenset = frozenset()

    def headers(self, *, with_class):
        """Returns what a request that writes a copy takes besides; the tags too, if they are not too long for it.

        Args:
            with_class: the storage class as well.
        """
        storage_class = self.answer.get("StorageClass") if with_class else None
        more = {"StorageClass": storage_class, "Tagging": self._tagging}
        return {**content_headers(self.answer), **{name: value for name, value in more.items() if value}}

    def put_long_tags(self, writing, target, version=None):
        """Sets the tags that did not go with the write.

        Args:
            writing: an `S3Requests` that may write the copy.
            target: the copy's `S3Object`.
            version: the copy's version, if it is known.
        """
        if self._tags and not self._tagging:
            address = S3Object(target.bucket, target.key, version)
            writing("put_object_tagging", destination=target, Tagging=tag_set(self._tags), **address.parameters)

    @cached_property
    def _tags(self):
        return tags_of(self.reading, self.seen.address) if self.answer.get("TagCount") else {}

    @property
    def _tagging(self):
        return tagging_header(self._tags, content_headers(self.answer))
