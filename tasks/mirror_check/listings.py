"""The listing of one side: its pages in order, the next ones requested while one is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tasks.mirror_check.key_ranges import DELIMITER, KeyRange
from tasks.mirror_check.pages import Listed, Page, UnreadablePage, page_in
from tasks.mirror_check.side_by_side import Ahead
from tasks.object_clerk.errors import ObjectClerkException, ObjectClerkServerInternalException
from tasks.object_clerk.s3_requests import S3Requests, request
from tasks.utils.s3_object import S3Object

# The most that S3 answers with.
PAGE = 1000

# Pages of a listing that are requested before they are used: they bridge the slow answers of either side.
AHEAD = 4

# The member of an answer that holds its XML.
XML = "ListingXML"


class UnorderedListing(ObjectClerkException):
    """The server lists keys in another order than S3 does, so two listings cannot be merged."""


def keep_xml(client: Any) -> Any:
    """Return the S3 client, whose listings `Side` can read from now on."""
    for operation in ("ListObjectsV2", "ListObjectVersions"):
        # botocore parses each answer twice: for an error with status 200 before all handlers whose pattern names S3.
        client.meta.events.register_first(f"before-parse.*.{operation}", _keep_body)
    return client


def _keep_body(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    if response_dict["status_code"] == 200:
        customized_response_dict[XML] = response_dict["body"]
        response_dict["body"] = b"<Kept/>"


@dataclass
class Side:
    """A bucket that is compared.

    Attributes:
        requests: for the bucket; its client comes from `keep_xml`.
        bucket: the bucket's name.
        lists_versions: list versions and delete markers too, and not only the current objects.
        listed: the number of list requests so far.
    """

    requests: S3Requests
    bucket: str
    lists_versions: bool = False
    listed: list[str] = field(default_factory=list)

    def address(self, listed: Listed) -> S3Object:
        """Return the address of an entry."""
        return S3Object(self.bucket, listed.key, listed.version or None)

    def page(self, prefix: str, position: Mapping[str, str], size: int = PAGE, **more: str) -> Page:
        """Request a page.

        Args:
            prefix: the beginning of the keys.
            position: what `Page.following` or `start_after` returned.
            size: the most entries.
            more: parameters of the request besides.

        Raises:
            ObjectClerkException: the bucket cannot be listed.
        """
        operation = "list_object_versions" if self.lists_versions else "list_objects_v2"
        asked: dict[str, Any] = {
            "Bucket": self.bucket,
            "Prefix": prefix,
            "MaxKeys": size,
            "EncodingType": "url",
            **position,
            **more,
        }

        def ask() -> Page:
            self.listed.append("")
            answer = request(self.requests.client, operation, source=f"s3://{self.bucket}/{prefix}", **asked)
            try:
                return page_in(answer[XML])
            except UnreadablePage as error:
                where = f"s3://{self.bucket}/{prefix}"
                raise ObjectClerkServerInternalException(str(error), operation=operation, source=where) from error

        return self.requests.run(ask)

    def start_after(self, key: str) -> dict[str, str]:
        """Return the position after a key."""
        return {"KeyMarker" if self.lists_versions else "StartAfter": key} if key else {}

    def first_after(self, prefix: str, key: str) -> str | None:
        """Return the first key after a text, or None if there is none."""
        found = self.page(prefix, self.start_after(key), 1).entries
        return found[0].key if found else None

    def folders_after(self, folder: str, key: str) -> list[str]:
        """Return folders in a folder that come after a key, at most a page of them, in order."""
        found = self.page(folder, self.start_after(key), Delimiter=DELIMITER).folders
        # Servers differ in whether the key's own folder is among them.
        return sorted(name for name in found if name > key)

    def entry(self, key: str) -> Listed | None:
        """Return the entry of a key, with its older versions if they are listed; None if the bucket has no such key."""
        found = list(self._entries_of(key))
        return found[0]._replace(older=tuple(found[1:])) if found else None

    def _entries_of(self, key: str) -> Iterator[Listed]:
        position: Mapping[str, str] | None = {}
        while position is not None:
            page = self.page(key, position, PAGE if self.lists_versions else 1)
            for entry in page.entries:
                # Of all keys that begin with this one it is the first.
                if entry.key != key:
                    return
                yield entry
            position = page.following if self.lists_versions else None


@dataclass
class Listing:
    """The entries of one side in a range, in order; pages are requested ahead, from the start and until `stop`.

    Attributes:
        side: the side.
        prefix: the beginning of the keys.
        key_range: the range; its end may come nearer meanwhile.
        ahead: has a thread for each listing.
        has_more: whether there are more pages than those requested so far.
    """

    side: Side
    prefix: str
    key_range: KeyRange
    ahead: Executor
    has_more: bool = True

    def __post_init__(self) -> None:
        self._pages = Ahead(self._requested(), AHEAD, self.ahead)

    def __iter__(self) -> Iterator[Listed]:
        latest = self.key_range.after
        for page in self._pages:
            self._check_order(page, latest)
            latest = page.entries[-1].key if page.entries else latest
            yield from page.entries

    def stop(self) -> None:
        """Request no more pages."""
        self._pages.stop()

    def _requested(self) -> Iterator[Page]:
        position: Mapping[str, str] | None = self.side.start_after(self.key_range.after)
        while position is not None:
            page = self.side.page(self.prefix, position)
            position = None if self._is_beyond(page) else page.following
            self.has_more = position is not None
            yield page

    def _is_beyond(self, page: Page) -> bool:
        last = self.key_range.last
        return last is not None and bool(page.entries) and page.entries[-1].key > last

    def _check_order(self, page: Page, latest: str) -> None:
        keys = [entry.key for entry in page.entries]
        if keys and (keys[0] < latest or keys != sorted(keys)):
            before, after = next((pair for pair in pairwise([latest, *keys]) if pair[0] > pair[1]), (latest, keys[0]))
            places = f"{S3Object(self.side.bucket, after)} after {S3Object(self.side.bucket, before)}"
            reason = f"lists {places}: its keys are not in the order of their UTF-8 bytes, as those of S3 are"
            raise UnorderedListing(reason, source=f"s3://{self.side.bucket}")
