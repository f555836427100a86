"""Keeps an older version of the source from replacing a newer one in the archive.

S3 does not say from which version an object was copied, and a record of ours would cost each copy a request. So the
task looks for the archive's object among the source's versions, and only if it would replace that object. A version
matches the object by its ETag. If no version has that ETag, it matches by size, because a copy that KMS encrypts, or
whose source was uploaded in parts, has an ETag of its own. An object that may be newer stays.

The order of versions is that of their creation. An upload in parts counts from its beginning: S3 User Guide,
"Uploading and copying objects using multipart upload".
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tasks.object_clerk import checksums
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.versions import Version, versions_of
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.s3_object import S3Object

REFUSE, ALLOW = "refuse", "allow"

NEWER = "the archive holds a newer version already"
UNKNOWN = "the archive holds another object, which is no version of the source and may be newer"


class OlderVersionError(BucketBrigadeError):
    """A version of the source would replace an object of the archive that is newer, or may be newer."""


def refuse_older(
    requests: S3Requests,
    source: S3Object,
    destination: S3Object,
    source_head: Mapping[str, Any],
    archive_head: Mapping[str, Any],
) -> None:
    """Check that the archive's object does not come from a newer version of the source than the one to copy.

    Args:
        requests: requests to a client of `versions.in_order` that may list the source's versions.
        source: the object to copy.
        destination: the object that would be replaced.
        source_head: the HEAD answer of the source.
        archive_head: the HEAD answer of the destination.

    Raises:
        OlderVersionError: it does, or may.
        ObjectClerkException: the versions cannot be listed.
    """
    version_id = source_head.get("VersionId")
    # A bucket without versions has one object. A version that was created after the copy is newer than its source.
    if version_id is None or source_head["LastModified"] > archive_head["LastModified"]:
        return
    newer, others = _matches(versions_of(requests, source), version_id, archive_head)
    by = "ETag" if "ETag" in newer | others else "size"
    if by in newer or by not in others:
        reason = NEWER if by in newer else UNKNOWN
        raise OlderVersionError(
            f"{source} -> {destination}: {reason}; with OLDER_VERSIONS={ALLOW} this one would replace it"
        )


def _matches(
    versions: Iterable[Version], version_id: str, archive_head: Mapping[str, Any]
) -> tuple[set[str], set[str]]:
    """Return by which properties a version that is newer than `version_id`, and any other, matches the object."""
    newer: set[str] = set()
    others: set[str] = set()
    matches = newer
    for version in versions:
        if version.id == version_id:
            matches = others
        if checksums.bare(version.etag) == checksums.bare(archive_head["ETag"]):
            matches.add("ETag")
        if not version.is_marker and version.size == archive_head["ContentLength"]:
            matches.add("size")
    return newer, others
