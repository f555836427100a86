"""A page of ListObjectsV2 or ListObjectVersions, from its XML.

botocore needs ten times as long for a page, and gives versions and delete markers as two lists without their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree

# The elements of an entry, by the name of the page's root.
ENTRIES = {"ListBucketResult": ("Contents",), "ListVersionsResult": ("Version", "DeleteMarker")}


class UnreadablePage(ValueError):
    """The answer is no page of a listing."""


class Listed(NamedTuple):
    """An object, a version or a delete marker in a listing.

    Attributes:
        key: the key.
        size: bytes.
        etag: its ETag without quotes; "" for a delete marker.
        modified: when it was written, as the server has it: ISO 8601 in UTC.
        storage_class: its storage class, "" if the server names none.
        version: its version id, "" in a listing of objects.
        is_marker: whether it is a delete marker.
        older: in a history, the versions and delete markers before this one, the newest first.
    """

    key: str
    size: int = 0
    etag: str = ""
    modified: str = ""
    storage_class: str = ""
    version: str = ""
    is_marker: bool = False
    older: tuple[Listed, ...] = ()

    @property
    def history(self) -> tuple[Listed, ...]:
        """All versions and delete markers, the oldest first."""
        return (*self.older[::-1], self)

    @property
    def changed(self) -> datetime:
        """When it was written."""
        return datetime.fromisoformat(self.modified)


class Page(NamedTuple):
    """A page.

    Attributes:
        entries: its entries, in the server's order.
        following: the parameters of the request for the next page; None after the last page.
    """

    entries: list[Listed]
    following: dict[str, str] | None


def page_in(xml: bytes) -> Page:
    """Return the page that an answer holds.

    Raises:
        UnreadablePage: it holds none.
    """
    try:
        root = ElementTree.fromstring(xml)
        space, _, name = root.tag.rpartition("}")
        space += "}" if space else ""
        names = ENTRIES[name]
        decode = unquote_plus if root.findtext(f"{space}EncodingType") == "url" else str
        entries = [
            _entry(element, space, decode, is_marker=element.tag.endswith("DeleteMarker"))
            for element in root
            if element.tag.rpartition("}")[2] in names
        ]
        return Page(entries, _following(root, space, decode))
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise UnreadablePage(f"the listing cannot be read: {error}") from error


def _entry(element: ElementTree.Element, space: str, decode: Callable[[str], str], *, is_marker: bool) -> Listed:
    found = {child.tag: child.text or "" for child in element}.get
    key = found(f"{space}Key")
    if key is None:
        raise UnreadablePage("an entry has no key")
    return Listed(
        decode(key),
        int(found(f"{space}Size", "0")),
        found(f"{space}ETag", "").strip('"'),
        found(f"{space}LastModified", ""),
        found(f"{space}StorageClass", ""),
        found(f"{space}VersionId", ""),
        is_marker,
    )


def _following(root: ElementTree.Element, space: str, decode: Callable[[str], str]) -> dict[str, str] | None:
    if root.findtext(f"{space}IsTruncated") != "true":
        return None
    return dict(_markers(root, space, decode)) or None


def _markers(root: ElementTree.Element, space: str, decode: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    if token := root.findtext(f"{space}NextContinuationToken"):
        yield "ContinuationToken", token
    if key := root.findtext(f"{space}NextKeyMarker"):
        yield "KeyMarker", decode(key)
    if version := root.findtext(f"{space}NextVersionIdMarker"):
        yield "VersionIdMarker", version
