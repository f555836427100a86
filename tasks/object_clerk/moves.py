"""An object copied as it is now, or moved: copied, verified, and only then deleted, that version and no other."""

import logging
from functools import partial

from tasks.object_clerk import checksums
from tasks.object_clerk.annotations import require_carried
from tasks.object_clerk.copies import ROUNDS, copy_object
from tasks.object_clerk.errors import (
    KeyNotFoundException,
    ObjectChangedException,
    ObjectNotFoundException,
    SourceReplacedException,
)
from tasks.object_clerk.part_copies import CopyLimits, content_headers, tags_of
from tasks.object_clerk.pinned import pinned_address
from tasks.object_clerk.races import conditional_write, precondition, retry_lost_races
from tasks.object_clerk.s3_requests import head, request

LOGGER = logging.getLogger("bucket_brigade")


class _SourceChanged(ObjectChangedException):
    """The source, or its tags, are no longer what was copied."""


def copy_current(requests, source, destination, *, prove=True, limits=CopyLimits()):
    """Copies the version of an object that is current now, in its storage class.

    Args:
        requests: an `S3Requests`.
        source: the `S3Object` to copy.
        destination: the `S3Object` to write; where it is the source, nothing is done.
        prove: as for `copies.copy_object`.
        limits: a `CopyLimits`.

    Returns:
        The source's HEAD answer: what was copied; and the `Copied`, or None where nothing was done.

    Raises:
        ObjectClerkException: as `copies.copy_object` says.
    """

    def copy_as_found():
        found = head(requests, source)
        if found is None:
            raise _absent(source, destination)
        return found, _copy_found(requests, source, destination, found, prove=prove, limits=limits)

    places = {"operation": "copy_object", "source": source, "destination": destination}
    return _retry(requests, copy_as_found, reason="the source was changed", **places)


def move_object(  # pylint: disable=too-many-arguments  # what `copy_current` takes, and the ETag
    requests, source, destination, *, etag=None, prove=True, limits=CopyLimits()
):
    """Copies an object as `copy_current` does, and then deletes the version that was copied, and no other.

    Before the delete, the copy gets every annotation that the source has; if it cannot, the source stays. If the
    source's tags have changed since the copy, the copy gets them too. `delete_copied` says what is compared and what
    can still be lost. An object that another writer has put in the source's place stays there, for it came after the
    move. A move onto itself does nothing.

    With `etag`, a move can be repeated after a crash: if that object is not at the source, and the destination has its
    ETag, it was moved already. Without `etag` nothing proves that, and the source is reported as absent.

    Args:
        requests: as for `copy_current`, and so are the others.
        source: see there.
        destination: see there.
        etag: the ETag of the object to move, if the caller knows it; no other object is moved then.
        prove: see there.
        limits: see there.

    Raises:
        SourceReplacedException: the source has another ETag than `etag`, and so has the destination.
        ObjectClerkException: as for `copy_current`; the source is then still there.
    """

    def move_as_found():
        found = head(requests, source)
        if found is None or checksums.bare(etag) not in (None, checksums.bare(found["ETag"])):
            _require_moved_already(requests, source, destination, checksums.bare(etag), found)
            return
        pinned = pinned_address(source, found)
        tags = _tags(requests, pinned, found)
        copied = _copy_found(requests, source, destination, found, prove=prove, limits=limits)
        if copied:
            require_carried(requests, pinned, copied.destination, etag=copied.etag)
            delete_copied(requests, source, found, tags=tags, destination=destination)

    reason = "the source stays, because it was changed after the copy"
    _retry(requests, move_as_found, reason=reason, operation="move_object", source=source)


def delete_copied(requests, source, found, *, tags=None, destination=None):
    """Deletes the version of an object that was copied, and no other.

    In a bucket with versions the version is named, and its bytes and metadata cannot have changed. Without versions,
    `If-Match` pins the ETag, which another write of the same bytes may share. So the object is looked at right before
    each try of the delete: if its LastModified, metadata or content headers are not those of `found`, it stays. Its
    absence is no error.

    What can still be lost, because S3 has no condition for it (`x-amz-if-match-last-modified-time` is for directory
    buckets alone, whose ETags are unique to each write anyway; S3 API Reference, DeleteObject):
    - without versions, the metadata, tags and times of a write of the same bytes between the look and the delete, or
      before the delete's first try arrives if its connection broke and it arrives late;
    - tags that were put between the look and the delete; with versions, tags put since the copy on an object that had
      none, for it is not looked at again;
    - without versions, a storage class, lock or ACL that a write of the same bytes, metadata and tags set within the
      second in which the object was written before: LastModified has whole seconds.

    Args:
        requests: as for `copy_current`.
        source: the `S3Object` that was copied.
        found: S3's answer to HeadObject from before the copy. With `ETag` alone, and `VersionId` if the bucket keeps
            versions, there is no look.
        tags: the tags that the source had before the copy, name -> value; None if they do not matter.
        destination: where the copy is, for the error's text.

    Raises:
        ObjectChangedException: the tags are no longer `tags`.
        ObjectClerkException: it could not be deleted.
    """
    pinned = pinned_address(source, found)
    where = {"source": source, "destination": destination, **pinned.parameters}
    if pinned.version_id:
        if tags:
            _require_tags(requests, pinned, {"TagCount": len(tags)}, tags)
        requests("delete_object", **where)
        return
    # Look and delete are repeated together: between two tries another object may have come.
    requests.run(lambda: _delete_unversioned(partial(request, requests.client), source, found, tags, where))


def _retry(requests, attempt, **about):
    return retry_lost_races(attempt, requests=requests, rounds=ROUNDS, lost=_SourceChanged, **about)


def _require_moved_already(requests, source, destination, etag, found):
    copy = head(requests, destination) if etag and source != destination else None
    if copy and checksums.bare(copy["ETag"]) == etag:
        LOGGER.info("already moved", extra={"object": str(source), "destination": str(destination)})
        return
    if found is None:
        raise _absent(source, destination)
    reason = f'another object has taken the source\'s place: ETag {found["ETag"]} instead of "{etag}"'
    raise SourceReplacedException(reason, operation="move_object", source=source, destination=destination)


def _absent(source, destination):
    reason = "the source is not there"
    return KeyNotFoundException(reason, operation="copy_object", source=source, destination=destination)


def _copy_found(requests, source, destination, found, **how):
    if source == destination:
        return None
    try:
        return copy_object(
            requests,
            pinned_address(source, found),
            destination,
            etag=found["ETag"],
            size=found["ContentLength"],
            storage_class=found.get("StorageClass", "STANDARD"),
            **how,
        )
    except SourceReplacedException as error:
        raise _SourceChanged(error.reason, **error.places) from error


def _delete_unversioned(send, source, found, tags, where):
    is_looked_at = "LastModified" in found
    if is_looked_at:
        current = head(send, source)
        if not _is_unchanged(source, found, current):
            return
        if tags is not None:
            _require_tags(send, source, current, tags)

    def delete(condition):
        if condition or is_looked_at or _is_unchanged(source, found, head(send, source)):
            send("delete_object", **condition, **where)

    try:
        conditional_write(delete, precondition(found["ETag"]))
    except (ObjectChangedException, ObjectNotFoundException) as error:
        # An earlier try whose answer was lost may have deleted it; or another object has taken its place.
        if _is_unchanged(source, found, head(send, source)):
            error.reason = f"it could not be deleted, though it is unchanged: {error.reason}"
            raise


def _is_unchanged(source, found, current):
    """Returns whether an object is still what was copied, as far as `found` says what that was."""
    if current is None:
        return False
    if checksums.bare(current["ETag"]) == checksums.bare(found["ETag"]) and (
        "LastModified" not in found or _described(current) == _described(found)
    ):
        return True
    LOGGER.warning("another object has taken a moved one's place, and stays there", extra={"object": str(source)})
    return False


def _described(found):
    return found["LastModified"], content_headers(found)


def _tags(requests, address, found):
    return tags_of(requests, address) if found.get("TagCount") else {}


def _require_tags(requests, address, found, tags):
    if _tags(requests, address, found) != tags:
        reason = "its tags were changed after the copy"
        raise _SourceChanged(reason, operation="move_object", source=address)
