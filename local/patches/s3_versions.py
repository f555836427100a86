"""Versions in S3."""

import re
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from moto.core.responses import ActionResult
from moto.s3.models import FakeKey, S3Backend
from moto.s3.responses import S3Response

from local.patches.patching import patch

# An element of a listing: a version or a delete marker.
LISTED = re.compile(rb"<(Version|DeleteMarker)>.*?</\1>", re.DOTALL)

# What else of a listing is URL-encoded (S3 API Reference, ListObjectVersions, encoding-type).
ENCODED = ("Delimiter", "KeyMarker", "NextKeyMarker", "Prefix")


@patch(S3Backend, "_set_delete_marker")
def mark_absent_keys_as_deleted(original: Any, backend: Any, bucket_name: str, key_name: str) -> Any:
    """In a versioned bucket, a delete of a key that never existed creates a delete marker; moto creates none."""
    keys = backend.get_bucket(bucket_name).keys
    if key_name in keys:
        return original(backend, bucket_name, key_name)
    # Moto's marker refers to the version before it, of which it reads only the name.
    keys[key_name] = SimpleNamespace(name=key_name)
    marker = original(backend, bucket_name, key_name)
    keys.setlist(key_name, [marker])
    return marker


@patch(S3Backend, "delete_object")
def remove_one_version_while_suspended(original: Any, backend: Any, bucket_name: str, key_name: str, **how: Any) -> Any:
    """A bucket with suspended versioning keeps its versions, and a delete by id removes one; moto removes all versions
    of the key, or fails with status 500 if one is a delete marker (S3 User Guide, "Deleting object versions from a
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
def list_newest_version_first(original: Any, backend: Any, bucket_name: str, **options: Any) -> Any:
    """The newest version of a key is listed first; moto sorts by milliseconds, and reverses versions of the same one.

    Each of moto's listings also copies every object of the bucket, bytes included.
    """
    if options.get("delimiter"):
        return original(backend, bucket_name, **options)
    keys = backend.get_bucket(bucket_name).keys
    found = [
        version
        for name in sorted(name for name in keys if name.startswith(options.get("prefix") or ""))
        for version in reversed(keys.getlist(name))
    ]
    for number, version in enumerate(found):
        version.is_latest = not number or found[number - 1].name != version.name
    rest = found[_first_after(found, options.get("key_marker"), options.get("version_id_marker")) :]
    page = rest[: options["max_keys"]]
    versions = [version for version in page if isinstance(version, FakeKey)]
    markers = [version for version in page if not isinstance(version, FakeKey)]
    backend.listed_as_versions = [isinstance(version, FakeKey) for version in page]
    last = page[-1] if page and len(rest) > len(page) else None
    return versions, [], markers, last and last.name, last and (last.version_id or "null")


@patch(S3Response, "list_object_versions")
def encode_keys_of_versions(original: Any, response: Any) -> Any:
    """With `encoding-type=url`, which SDKs send, keys are URL-encoded; moto fails with status 500 at a key with control
    characters, which XML cannot hold.
    """
    if response.querystring.get("encoding-type") == ["url"]:
        serialized = response.serialized
        response.serialized = lambda answer: serialized(ActionResult(_encoded(answer.result)))
    try:
        return original(response)
    finally:
        vars(response).pop("serialized", None)


def _encoded(found: dict[str, Any]) -> dict[str, Any]:
    """Return a listing whose keys are URL-encoded."""
    changed = {name: quote(found[name], safe="/") for name in ENCODED if found.get(name)}
    lists = {
        name: [{**each, field: quote(each[field], safe="/")} for each in found.get(name, [])]
        for name, field in (("Versions", "Key"), ("DeleteMarkers", "Key"), ("CommonPrefixes", "Prefix"))
        if found.get(name)
    }
    return {**found, **changed, **lists, "EncodingType": "url"}


@patch(S3Response, "list_object_versions")
def interleave_versions_and_delete_markers(original: Any, response: Any) -> Any:
    """Versions and delete markers are listed in one order; moto lists all versions, then all delete markers."""
    status, headers, body = original(response)
    text = body.encode() if isinstance(body, str) else body
    elements = list(LISTED.finditer(text))
    if "delimiter" in response.querystring or not elements:
        return status, headers, body
    versions = (element.group() for element in elements if element.group(1) == b"Version")
    markers = (element.group() for element in elements if element.group(1) == b"DeleteMarker")
    ordered = [next(versions if is_version else markers) for is_version in response.backend.listed_as_versions]
    rest = LISTED.sub(b"", text)
    return status, headers, rest.replace(b"</ListVersionsResult>", b"".join(ordered) + b"</ListVersionsResult>")


def _first_after(found: list[Any], key: str | None, version_id: str | None) -> int:
    """Return the index of the first version after a key, or after a version of it."""
    if not key:
        return 0
    for number, version in enumerate(found):
        if version.name > key:
            return number
        if version.name == key and (version.version_id or "null") == version_id:
            return number + 1
    return len(found)
