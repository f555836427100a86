"""Keeps an older version of the source from replacing a newer one in the archive.

S3 does not say from which version an object was copied, and a note of ours would cost each copy a request. So the
archive's object is looked for among the source's versions, and only where it would be replaced. It is known by its
ETag; if no version has that one, by its size, because a copy that is encrypted by KMS or whose source was uploaded in
parts has an ETag of its own. An object that may be newer stays.

The order of versions is that of their creation. An upload in parts counts from its beginning: S3 User Guide,
"Uploading and copying objects using multipart upload".
"""

from tasks.object_clerk import checksums
from tasks.object_clerk.versions import versions_of
from tasks.utils.errors import BucketBrigadeError

REFUSE, ALLOW = "refuse", "allow"

NEWER = "the archive holds a newer version already"
UNKNOWN = "the archive holds another object, which is no version of the source and may be newer"


class OlderVersionError(BucketBrigadeError):
    """The archive's object would be replaced by a version of its source that is older, or may be."""


def refuse_older(requests, source, destination, theirs, ours):
    """Makes sure that the archive's object does not come from a newer version of the source than the one to copy.

    Args:
        requests: an `S3Requests` whose client is one of `versions.in_order`'s and may list the source's versions.
        source: the `S3Object` to copy.
        destination: the `S3Object` that would be replaced.
        theirs: the source's HEAD answer.
        ours: the HEAD answer of what the archive holds.

    Raises:
        OlderVersionError: it does, or may.
        ObjectClerkException: the versions cannot be listed.
    """
    version = theirs.get("VersionId")
    # A bucket without versions has one object. A version that was made after the copy is newer than what was copied.
    if version is None or theirs["LastModified"] > ours["LastModified"]:
        return
    newer, others = _alike(versions_of(requests, source), version, ours)
    by = "ETag" if "ETag" in newer | others else "size"
    if by in newer or by not in others:
        reason = NEWER if by in newer else UNKNOWN
        raise OlderVersionError(
            f"{source} -> {destination}: {reason}; with OLDER_VERSIONS={ALLOW} this one would replace it"
        )


def _alike(listed, version, ours):
    """Returns by what the archive's object is alike to a version that is newer than `version`, and to any other."""
    newer, others = set(), set()
    found = newer
    for one in listed:
        if one.id == version:
            found = others
        if checksums.bare(one.etag) == checksums.bare(ours["ETag"]):
            found.add("ETag")
        if not one.is_marker and one.size == ours["ContentLength"]:
            found.add("size")
    return newer, others
