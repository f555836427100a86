"""The reads: what is at the source and at the destination now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tasks.object_clerk.errors import KeyNotFoundException
from tasks.object_clerk.part_copies import tags_of
from tasks.object_clerk.s3_requests import S3Requests, head
from tasks.object_clerk.streams import fetch
from tasks.object_clerk.versions import versions_of
from tasks.partition_replicate.reconcile.object_snapshot import ObjectSnapshot
from tasks.utils.s3_object import S3Object


def observe(requests: S3Requests, address: S3Object, *, with_tags: bool = False) -> ObjectSnapshot:
    """Observe an object.

    Args:
        requests: the requests of its side.
        address: its address.
        with_tags: request the tags even if the object counts none: some servers do not count them.
    """
    found = head(requests, address)
    tags = _tags(requests, address, found, is_asked=with_tags)
    return ObjectSnapshot(address, found, tags, tags_asked=with_tags)


def observe_with_bytes(requests: S3Requests, address: S3Object, *, most: int) -> ObjectSnapshot:
    """Observe an object by a request that brings its bytes along, if there are at most so many."""
    try:
        found, data = fetch(requests, address, most=most)
    except KeyNotFoundException:
        return ObjectSnapshot(address)
    return ObjectSnapshot(address, found, _tags(requests, address, found, is_asked=False), data=data)


def observe_newest(requests: S3Requests, address: S3Object) -> ObjectSnapshot:
    """Observe which version is the newest, which may be a delete marker; without checksums and tags."""
    try:
        return ObjectSnapshot(address, requests("head_object", source=address, **address.parameters))
    except KeyNotFoundException as error:
        response = getattr(error.__cause__, "response", {})
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return ObjectSnapshot(address, marker=headers.get("x-amz-version-id", ""))


def observe_tags(requests: S3Requests, snapshot: ObjectSnapshot) -> ObjectSnapshot:
    """Observe the tags of an object that was observed without them."""
    return replace(snapshot, tags=tags_of(requests, snapshot.address), tags_asked=True)


def is_gone(requests: S3Requests, address: S3Object, *, is_marker: bool) -> bool:
    """Return whether a bucket has a version, or a delete marker, no more.

    HeadObject answers 405 for a delete marker on AWS, and 404 on some servers, as for one that is gone. So a marker is
    looked for in the listing. S3 User Guide, "Working with delete markers".

    Args:
        requests: the requests of its side.
        address: its address, with the version.
        is_marker: whether the version is, or may be, a delete marker.
    """
    if not is_marker:
        return head(requests, address) is None
    listed = versions_of(requests, replace(address, version_id=None))
    return all(version.id != address.version_id for version in listed)


def _tags(
    requests: S3Requests, address: S3Object, found: Mapping[str, Any] | None, *, is_asked: bool
) -> dict[str, str]:
    if not found or not (is_asked or found.get("TagCount")):
        return {}
    try:
        tags: dict[str, str] = tags_of(requests, address)
        return tags
    except KeyNotFoundException:
        # It went away just now, which the next observation will find.
        return {}
