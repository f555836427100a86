"""A page of ListObjectsV2 or ListObjectVersions, from its XML.

botocore gives versions and delete markers as two lists without their order, and needs much longer for a page: entries
in the form of `PLAIN_ENTRY` are read by the regular expression, all others by Python's XML parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree

# The elements of an entry, by the name of the page's root.
MARKER = "DeleteMarker"
ENTRIES = {"ListBucketResult": frozenset({"Contents"}), "ListVersionsResult": frozenset({"Version", MARKER})}

# Printable ASCII without `&` and `<`: it means the same in XML and out of it.
TEXT = "[ -%'-;=-~]*"
CHILDREN = (
    f"Key>({TEXT})</Key",
    "Size>([0-9]+)</Size",
    'ETag>(?:&quot;|&#34;|")?([0-9A-Za-z-]*)(?:&quot;|&#34;|")?</ETag',
    f"LastModified>({TEXT})</LastModified",
    f"StorageClass>({TEXT})</StorageClass",
    f"VersionId>({TEXT})</VersionId",
    f"(?:IsLatest>{TEXT}</IsLatest|Checksum(?:Algorithm>{TEXT}</ChecksumAlgorithm|Type>{TEXT}</ChecksumType))",
    f"Owner>(?:<ID>{TEXT}</ID>|<DisplayName>{TEXT}</DisplayName>)*</Owner",
)
# An entry, whose elements are in another order from server to server. After its name, its groups are those of `Listed`.
PLAIN_ENTRY = re.compile(rf"<(Contents|Version|{MARKER})>(?:<(?:{'|'.join(CHILDREN)})>)*</\1>")


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
        folders: the common prefixes of a request with a delimiter.
    """

    entries: list[Listed]
    following: dict[str, str] | None
    folders: list[str]


def page_in(xml: bytes) -> Page:
    """Return the page that an answer holds.

    Raises:
        UnreadablePage: it holds none.
    """
    try:
        rest, plain = _without_plain_entries(xml)
        page = _Tree(rest)
        if plain and (page.entries or not page.names.issuperset(map(itemgetter(0), plain))):
            page, plain = _Tree(xml), []
        entries = _plain_entries(plain, page.decode) or [page.entry(element) for element in page.entries]
        return Page(entries, page.following, page.folders)
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise UnreadablePage(f"the listing cannot be read: {error}") from error


# The groups of `PLAIN_ENTRY`.
_Row = tuple[str, str, str | None, str | None, str | None, str | None, str | None]


def _without_plain_entries(xml: bytes) -> tuple[bytes | str, list[_Row]]:
    """Return a page without its entries, and their groups; if not all are plain, the page as it is and no groups."""
    # `<!` begins a comment or a section of characters, which may hold the text of an entry.
    if not xml.isascii() or b"<!" in xml:
        return xml, []
    texts: list[Any] = PLAIN_ENTRY.split(xml.decode())
    between, *groups = (texts[start :: PLAIN_ENTRY.groups + 1] for start in range(PLAIN_ENTRY.groups + 1))
    if any(between[1:-1]) or None in groups[1]:
        return xml, []
    return "".join(between), list(zip(*groups, strict=False))


def _plain_entries(rows: list[_Row], decode: Callable[[str], str]) -> list[Listed]:
    return [
        Listed(
            decode(key) if "%" in key or "+" in key else key,
            int(size or 0),
            etag or "",
            modified or "",
            storage_class or "",
            version or "",
            name == MARKER,
        )
        for name, key, size, etag, modified, storage_class, version in rows
    ]


class _Tree:
    """A page as Python's XML parser reads it.

    Attributes:
        decode: returns a key as it is.
        names: the names of the elements that are entries.
        entries: the elements of its entries.
    """

    def __init__(self, xml: bytes | str) -> None:
        self._root = ElementTree.fromstring(xml)
        space, _, name = self._root.tag.rpartition("}")
        self._space = f"{space}}}" if space else ""
        self.decode = unquote_plus if self._text("EncodingType") == "url" else str
        self.names = ENTRIES[name]
        self.entries = [element for element in self._root if element.tag.rpartition("}")[2] in self.names]

    def entry(self, element: ElementTree.Element) -> Listed:
        """Return an entry."""
        found = {child.tag.removeprefix(self._space): child.text or "" for child in element}.get
        key = found("Key")
        if key is None:
            raise UnreadablePage("an entry has no key")
        return Listed(
            self.decode(key),
            int(found("Size", "0")),
            found("ETag", "").strip('"'),
            found("LastModified", ""),
            found("StorageClass", ""),
            found("VersionId", ""),
            element.tag.endswith(MARKER),
        )

    @property
    def folders(self) -> list[str]:
        """The common prefixes."""
        found = self._root.iterfind(f"{self._space}CommonPrefixes/{self._space}Prefix")
        return [self.decode(each.text or "") for each in found]

    @property
    def following(self) -> dict[str, str] | None:
        """The parameters of the request for the next page; None after the last page."""
        if self._text("IsTruncated") != "true":
            return None
        return dict(self._markers()) or None

    def _markers(self) -> Iterator[tuple[str, str]]:
        if token := self._text("NextContinuationToken"):
            yield "ContinuationToken", token
        if key := self._text("NextKeyMarker"):
            yield "KeyMarker", self.decode(key)
        if version := self._text("NextVersionIdMarker"):
            yield "VersionIdMarker", version

    def _text(self, name: str) -> str | None:
        return self._root.findtext(self._space + name)
