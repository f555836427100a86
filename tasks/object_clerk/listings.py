"""Listings of objects, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.object_clerk.s3_requests import S3Requests


def listed_objects(requests: S3Requests, bucket: str, prefix: str, *, page_size: int) -> Iterator[dict[str, Any]]:
    """Return an iterator over the objects below a prefix in order of their keys, in boto3's form.

    Args:
        requests: for the bucket.
        bucket: the bucket's name.
        prefix: the beginning of the keys.
        page_size: the number of keys in an answer, 1 to 1,000.

    Raises:
        ObjectClerkException: the first page cannot be read. The iterator requests the others when they are needed.
    """
    asked: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": page_size}
    first = requests("list_objects_v2", source=f"s3://{bucket}/{prefix}", **asked)
    return _pages(requests, asked, first)


def _pages(requests: S3Requests, asked: dict[str, Any], page: dict[str, Any]) -> Iterator[dict[str, Any]]:
    while True:
        yield from page.get("Contents", [])
        if not page.get("IsTruncated"):
            return
        rest = {**asked, "ContinuationToken": page["NextContinuationToken"]}
        page = requests("list_objects_v2", source=f"s3://{asked['Bucket']}/{asked['Prefix']}", **rest)
