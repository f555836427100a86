"""Versions in S3."""

import re
from types import SimpleNamespace
from typing import Any

from moto.s3.models import FakeKey, S3Backend
from moto.s3.responses import S3Response

from local.patches.patching import patch

# An element of a listing: a version or a delete marker.
LISTED = re.compile(rb"<(Version|DeleteMarker)>.*?</\1>", re.DOTALL)


@patch(S3Backend, "_set_delete_marker")
def mark_absent_keys_as_deleted(original: Any, backend: Any, bucket_name: str, key_name: str) -> Any:
    """A delete of a key that never was gets a delete marker in a versioned bucket; moto makes none."""
    keys = backend.get_bucket(bucket_name).keys
    if key_name in keys:
        return original(backend, bucket_name, key_name)
    # Moto's marker refers to what was there before, and asks it for its name alone.
    keys[key_name] = SimpleNamespace(name=key_name)
    marker = original(backend, bucket_name, key_name)
    keys.setlist(key_name, [marker])
    return marker


@patch(S3Backend, "delete_object")
def remove_one_version_while_versioning_is_suspended(
    original: Any, backend: Any, bucket_name: str, key_name: str, **how: Any
) -> Any:
    """A bucket whose versioning is suspended keeps its versions, and each is removed by its id; moto removes all of the
    key, or fails with status 500 where one is a delete marker (S3 User Guide, "Deleting object versions from a
    versioning-suspended bucket").
    """
    bucket = backend.get_bucket(bucket_name)
    if not how.get("version_id") or bucket.versioning_status != "Suspended":
        return original(backend, bucket_name, key_name, **how)
    bucket.versioning_status = "Enabled"
    try:
        return original(backend, bucket_name, key_name, **how)
    finally:
        bucket.versioning_status = "Suspended"


@patch(S3Backend, "list_object_versions")
def list_versions_in_the_order_of_their_making(original: Any, backend: Any, bucket_name: str, **asked: Any) -> Any:
    """The newest version of a key comes first; moto goes by milliseconds, and turns those around that share one.

    Moto also copies every object of the bucket, bytes included, each time.
    """
    if asked.get("delimiter"):
        return original(backend, bucket_name, **asked)
    keys = backend.get_bucket(bucket_name).keys
    found = [
        version
        for name in sorted(name for name in keys if name.startswith(asked.get("prefix") or ""))
        for version in reversed(keys.getlist(name))
    ]
    for number, version in enumerate(found):
        version.is_latest = not number or found[number - 1].name != version.name
    rest = found[_first_after(found, asked.get("key_marker"), asked.get("version_id_marker")) :]
    page = rest[: asked["max_keys"]]
    versions = [version for version in page if isinstance(version, FakeKey)]
    markers = [version for version in page if not isinstance(version, FakeKey)]
    backend.listed_as_versions = [isinstance(version, FakeKey) for version in page]
    last = page[-1] if page and len(rest) > len(page) else None
    return versions, [], markers, last and last.name, last and (last.version_id or "null")


@patch(S3Response, "list_object_versions")
def list_versions_and_delete_markers_together(original: Any, response: Any) -> Any:
    """Versions and delete markers of a key come in one order; moto lists all of the former, then the latter."""
    status, headers, body = original(response)
    text = body.encode() if isinstance(body, str) else body
    elements = list(LISTED.finditer(text))
    if "delimiter" in response.querystring or not elements:
        return status, headers, body
    versions = (one.group() for one in elements if one.group(1) == b"Version")
    markers = (one.group() for one in elements if one.group(1) == b"DeleteMarker")
    together = [next(versions if is_version else markers) for is_version in response.backend.listed_as_versions]
    rest = LISTED.sub(b"", text)
    return status, headers, rest.replace(b"</ListVersionsResult>", b"".join(together) + b"</ListVersionsResult>")


def _first_after(found: list[Any], key: str | None, version_id: str | None) -> int:
    """Find where a page begins that follows on a key, or on a version of it."""
    if not key:
        return 0
    for number, version in enumerate(found):
        if version.name > key or (version.name == key and (version.version_id or "null") == version_id):
            return number + (version.name == key)
    return len(found)
