"""The attributes of an object besides its bytes: metadata, content headers, storage class and tags."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tasks.object_clerk.annotation_lists import Annotation
from tasks.object_clerk.part_copies import content_headers, tag_set, tagging_header, tags_of
from tasks.object_clerk.s3_requests import S3Requests
from tasks.otf_addons.listing import SourceObject
from tasks.utils.s3_object import S3Object


@dataclass
class Attributes:
    """The attributes of an object that was read. Its tags are requested when they are needed.

    Attributes:
        reading: requests that may read it.
        source: the object.
        answer: the answer to HeadObject or GetObject.
        annotations: its annotations that the copy has.
    """

    reading: S3Requests
    source: SourceObject
    answer: Mapping[str, Any]
    annotations: frozenset[Annotation] = frozenset()

    def headers(self, *, with_class: bool) -> dict[str, Any]:
        """Return the parameters that a write of a copy takes, with the tags if they fit into a header.

        Args:
            with_class: include the storage class.
        """
        storage_class = self.answer.get("StorageClass") if with_class else None
        more = {"StorageClass": storage_class, "Tagging": self._tagging}
        return {**content_headers(self.answer), **{name: value for name, value in more.items() if value}}

    def put_long_tags(self, writing: S3Requests, target: S3Object, version: str | None = None) -> None:
        """Put the tags that do not fit into a header on the copy.

        Args:
            writing: requests that may write the copy.
            target: the copy.
            version: the copy's version, if it is known.
        """
        if self._tags and not self._tagging:
            address = S3Object(target.bucket, target.key, version)
            writing("put_object_tagging", destination=target, Tagging=tag_set(self._tags), **address.parameters)

    @cached_property
    def _tags(self) -> dict[str, str]:
        return tags_of(self.reading, self.source.address) if self.answer.get("TagCount") else {}

    @property
    def _tagging(self) -> str | None:
        return tagging_header(self._tags, content_headers(self.answer))
