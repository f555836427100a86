"""The versions and delete markers of a key, in the order in which they were made.

S3 lists them from the newest, but boto3 returns versions and markers as two lists, and LastModified has whole seconds:
a put, a delete and a put within one second have the same time. So this module takes their order from the XML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tasks.object_clerk.s3_requests import S3Requests
    from tasks.utils.s3_object import S3Object

# Usually one version of a key is new, and the one before is known. So the first page is short; later ones are full.
FIRST_PAGE, PAGE = 10, 1000

ELEMENT = re.compile(rb"<(Version|DeleteMarker)[\s>]")

Client = TypeVar("Client")


@dataclass(frozen=True)
class Version:
    """A version or a delete marker in a listing.

    Attributes:
        id: its version id; "null" if the bucket did not keep versions then.
        etag: its ETag, or "" for a delete marker.
        size: bytes.
    """

    id: str
    etag: str = ""
    size: int = 0

    @property
    def is_marker(self) -> bool:
        """Whether this is a delete marker."""
        return not self.etag


def in_order(client: Client) -> Client:
    """Return the S3 client, whose listings of versions `versions_of` can read from now on."""
    # A boto3 client, or a direct one; the caller gets the same type back.
    anything: Any = client
    anything.meta.events.register("before-parse.s3.ListObjectVersions", _keep_order)
    return client


def versions_of(requests: S3Requests, address: S3Object) -> Iterator[Version]:
    """Yield each version of exactly this key, the newest first; each page is requested when it is needed.

    Args:
        requests: its client comes from `in_order`.
        address: the key.

    Raises:
        ObjectClerkException: as `s3_requests.request` says.
    """
    after: dict[str, Any] | None = {"MaxKeys": FIRST_PAGE}
    while after:
        page = requests("list_object_versions", source=address, Bucket=address.bucket, Prefix=address.key, **after)
        for listed in _in_order(page):
            # Keys come in order, and a key comes before all others that begin with it.
            if listed["Key"] != address.key:
                return
            yield Version(listed["VersionId"], listed.get("ETag", ""), listed.get("Size", 0))
        after = _next_page(page)


def _next_page(page: dict[str, Any]) -> dict[str, Any] | None:
    if not page.get("IsTruncated"):
        return None
    return {"MaxKeys": PAGE, "KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}


def _keep_order(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    customized_response_dict["Order"] = ELEMENT.findall(response_dict["body"])


def _in_order(page: dict[str, Any]) -> list[dict[str, Any]]:
    versions, markers = iter(page.get("Versions", [])), iter(page.get("DeleteMarkers", []))
    return [next(versions if element == b"Version" else markers) for element in page["Order"]]
