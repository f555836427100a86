"""Comparison of two buckets, object by object."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tasks.object_clerk.versions import in_order

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Properties of an object besides its bytes, as HeadObject names them.
HEADERS = ("ContentType", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "Metadata")


def differences(
    source: "S3Client", source_bucket: str, destination: "S3Client", destination_bucket: str
) -> Iterator[str]:
    """Yield each difference between two buckets: in keys, bytes, content headers, metadata and tags.

    Args:
        source: A boto3 S3 client for the first bucket.
        source_bucket: The name of the first bucket.
        destination: A boto3 S3 client for the second bucket.
        destination_bucket: The name of the second bucket.
    """
    source_keys, destination_keys = _keys(source, source_bucket), _keys(destination, destination_bucket)
    yield from (f"{key}: is not in {destination_bucket}" for key in sorted(source_keys - destination_keys))
    yield from (f"{key}: is not in {source_bucket}" for key in sorted(destination_keys - source_keys))
    for key in sorted(source_keys & destination_keys):
        first, second = _state(source, source_bucket, key), _state(destination, destination_bucket, key)
        differing = [name for name in first if first[name] != second[name]]
        if differing:
            yield f"{key}: differs in {', '.join(differing)}"


def history_differences(
    source: "S3Client", source_bucket: str, destination: "S3Client", destination_bucket: str
) -> Iterator[str]:
    """Yield each key whose history of versions and delete markers differs between two buckets.

    Args:
        source: A boto3 S3 client for the first bucket.
        source_bucket: The name of the first bucket.
        destination: A boto3 S3 client for the second bucket.
        destination_bucket: The name of the second bucket.
    """
    first, second = _histories(source, source_bucket), _histories(destination, destination_bucket)
    for key in sorted(first.keys() | second.keys()):
        if first.get(key) != second.get(key):
            yield f"{key}: its history differs: {first.get(key)} and {second.get(key)}"


def _histories(s3: "S3Client", bucket: str) -> dict[str, list[str]]:
    """Return the history of each key, newest first: size and ETag of a version, or "a delete marker"."""
    histories: dict[str, list[str]] = {}
    # S3 lists versions and markers in one order, and botocore parses them into two lists; `Order` has the common order.
    pages = in_order(s3).get_paginator("list_object_versions").paginate(Bucket=bucket)
    page: Any
    for page in pages:
        versions, markers = iter(page.get("Versions", [])), iter(page.get("DeleteMarkers", []))
        for element in page["Order"]:
            entry = next(versions if element == b"Version" else markers)
            state = f"{entry['Size']} bytes {entry['ETag']}" if element == b"Version" else "a delete marker"
            histories.setdefault(entry["Key"], []).append(state)
    return histories


def _keys(s3: "S3Client", bucket: str) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {found["Key"] for page in pages for found in page.get("Contents", [])}


def _state(s3: "S3Client", bucket: str, key: str) -> dict[str, Any]:
    found = s3.get_object(Bucket=bucket, Key=key)
    digest = hashlib.sha256()
    with closing(found["Body"]) as body:
        for block in body.iter_chunks(1024 * 1024):
            digest.update(block)
    tags = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    return {
        "bytes": digest.hexdigest(),
        "tags": sorted((tag["Key"], tag["Value"]) for tag in tags),
        **{name: found.get(name) for name in HEADERS},
    }
