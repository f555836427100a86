"""What belongs to an object besides its bytes: metadata, content headers, storage class and tags."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from tasks.otf_addons.listing import Found
from tasks.utils.part_copies import CONTENT_HEADERS, TAGGING_HEADER_LIMIT, tags_of
from tasks.utils.s3_object import S3Object

# Names the framing of an upload and not the object's encoding; some servers store it as if it were one.
FRAMING = "aws-chunked"


@dataclass
class Attributes:
    """The attributes of an object that was read; its tags are asked for when they are needed.

    Attributes:
        reading: an `S3Requests` that may read it.
        seen: the `Found` that was read.
        answer: what S3 answered to HeadObject or GetObject.
    """

    reading: Any
    seen: Found
    answer: dict

    def headers(self, *, with_class):
        """Returns what a request that writes a copy takes besides; the tags too, if they are not too long for it.

        Args:
            with_class: the storage class as well.
        """
        names = (*CONTENT_HEADERS, "StorageClass") if with_class else CONTENT_HEADERS
        carried = {name: self.answer[name] for name in names if self.answer.get(name)}
        encodings = [part.strip() for part in carried.pop("ContentEncoding", "").split(",")]
        encoding = ",".join(part for part in encodings if part and part.lower() != FRAMING)
        tagging = {} if self._has_long_tags else {"Tagging": self._tagging}
        return {**carried, **{name: text for name, text in {"ContentEncoding": encoding, **tagging}.items() if text}}

    def put_long_tags(self, writing, target, version=None):
        """Sets the tags that did not go with the write.

        Args:
            writing: an `S3Requests` that may write the copy.
            target: the copy's `S3Object`.
            version: the copy's version, if it is known.
        """
        if self._has_long_tags:
            tags = [{"Key": name, "Value": value} for name, value in self._tags.items()]
            address = S3Object(target.bucket, target.key, version)
            writing("put_object_tagging", destination=target, Tagging={"TagSet": tags}, **address.parameters)

    @cached_property
    def _tags(self):
        return tags_of(self.reading, self.seen.address) if self.answer.get("TagCount") else {}

    @property
    def _tagging(self):
        return urlencode(self._tags, quote_via=quote)

    @property
    def _has_long_tags(self):
        return len(self._tagging) > TAGGING_HEADER_LIMIT
