"""Two buckets, listed and compared object by object."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from tasks.object_clerk.versions import in_order

# What an object has besides its bytes, as HeadObject names it.
HEADERS = ("ContentType", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "Metadata")


def differences(source: Any, source_bucket: str, destination: Any, destination_bucket: str) -> Iterator[str]:
    """Yields each difference between two buckets: in keys, bytes, content headers, metadata and tags.

    Args:
        source: a boto3 S3 client for the first bucket.
        source_bucket: its name.
        destination: a boto3 S3 client for the second.
        destination_bucket: its name.
    """
    here, there = _keys(source, source_bucket), _keys(destination, destination_bucket)
    yield from (f"{key}: is not in {destination_bucket}" for key in sorted(here - there))
    yield from (f"{key}: is not in {source_bucket}" for key in sorted(there - here))
    for key in sorted(here & there):
        ours, theirs = _state(source, source_bucket, key), _state(destination, destination_bucket, key)
        differing = [name for name in ours if ours[name] != theirs[name]]
        if differing:
            yield f"{key}: differs in {', '.join(differing)}"


def histories_differ(source: Any, source_bucket: str, destination: Any, destination_bucket: str) -> Iterator[str]:
    """Yields each key whose versions and delete markers do not read alike on both sides, as `differences` does."""
    here, there = _histories(source, source_bucket), _histories(destination, destination_bucket)
    for key in sorted(here.keys() | there.keys()):
        if here.get(key) != there.get(key):
            yield f"{key}: its history differs: {here.get(key)} and {there.get(key)}"


def _histories(s3: Any, bucket: str) -> dict[str, list[str]]:
    """Lists of each key its versions, the newest first: size and ETag of each, or that it is a delete marker."""
    found: dict[str, list[str]] = {}
    # Of versions and markers S3 gives two lists: their common order is that of its answer.
    pages = in_order(s3).get_paginator("list_object_versions").paginate(Bucket=bucket)
    for page in pages:
        versions, markers = iter(page.get("Versions", [])), iter(page.get("DeleteMarkers", []))
        for element in page["Order"]:
            one = next(versions if element == b"Version" else markers)
            state = f"{one['Size']} bytes {one['ETag']}" if element == b"Version" else "a delete marker"
            found.setdefault(one["Key"], []).append(state)
    return found


def _keys(s3: Any, bucket: str) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {found["Key"] for page in pages for found in page.get("Contents", [])}


def _state(s3: Any, bucket: str, key: str) -> dict[str, Any]:
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
