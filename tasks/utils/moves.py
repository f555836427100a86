"""An object copied as it is now, or moved: copied, verified, and only then deleted, that version and no other."""

import logging

from tasks.utils import checksums
from tasks.utils.annotations import require_carried
from tasks.utils.copies import ROUNDS, copy_object, pinned_by
from tasks.utils.errors import (
    ConditionNotSupportedException,
    ObjectChangedException,
    ObjectNotFoundException,
    SourceReplacedException,
)
from tasks.utils.part_copies import CopyLimits
from tasks.utils.s3_requests import head

LOGGER = logging.getLogger("bucket_brigade")


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
    for _ in range(ROUNDS - 1):
        try:
            return _copy_as_found(requests, source, destination, prove, limits)
        except SourceReplacedException:
            requests.retries += 1
    return _copy_as_found(requests, source, destination, prove, limits)


def move_object(requests, source, destination, *, prove=True, limits=CopyLimits()):
    """Copies an object as `copy_current` does, and then deletes the version that was copied, and no other.

    Right before that, the copy is made to have every annotation that the source has; where it cannot, the source stays.
    What somebody else has put in the source's place meanwhile stays: it came after the move. Onto itself an object is
    not moved, and stays.

    Args:
        requests: as for `copy_current`, and so are the others.
        source: see there.
        destination: see there.
        prove: see there.
        limits: see there.

    Raises:
        ObjectClerkException: as for `copy_current`; the source is then still there.
    """
    found, copied = copy_current(requests, source, destination, prove=prove, limits=limits)
    if copied:
        require_carried(requests, pinned_by(source, found), copied.destination, etag=copied.etag)
        delete_copied(requests, source, found, destination=destination)


def delete_copied(requests, source, found, *, destination=None):
    """Deletes the version of an object that was copied, and no other.

    What somebody else has put in its place meanwhile stays, and so it is no error that it is gone already.

    Args:
        requests: as for `copy_current`.
        source: the `S3Object` that was copied.
        found: S3's answer about it from before the copy: `ETag` and, where the bucket keeps versions, `VersionId`.
        destination: where the copy is, for the error's text.

    Raises:
        ObjectClerkException: it could not be deleted.
    """
    pinned = pinned_by(source, found)
    where = {"source": source, "destination": destination, **pinned.parameters}
    if pinned.version_id:
        requests("delete_object", **where)
        return
    try:
        requests("delete_object", IfMatch=found["ETag"], **where)
    except (ObjectChangedException, ObjectNotFoundException):
        _settle_refused_delete(requests, source, found)
    except ConditionNotSupportedException:
        LOGGER.warning("this server does not know conditional deletes: each move looks first and then deletes")
        if _is_still_there(requests, source, found):
            requests("delete_object", **where)


def _copy_as_found(requests, source, destination, prove, limits):
    found = head(requests, source)
    if found is None:
        raise ObjectNotFoundException(
            "the source is not there", operation="copy_object", source=source, destination=destination
        )
    if source == destination:
        return found, None
    copied = copy_object(
        requests,
        pinned_by(source, found),
        destination,
        etag=found["ETag"],
        size=found["ContentLength"],
        storage_class=found.get("StorageClass", "STANDARD"),
        prove=prove,
        limits=limits,
    )
    return found, copied


def _settle_refused_delete(requests, source, found):
    """An earlier try whose answer was lost may have deleted it; or another object has taken its place."""
    if _is_still_there(requests, source, found):
        reason = "it could not be deleted, though it is unchanged"
        raise ObjectChangedException(reason, operation="move_object", source=source)


def _is_still_there(requests, source, found):
    current = head(requests, source)
    if current and checksums.bare(current["ETag"]) == checksums.bare(found["ETag"]):
        return True
    if current:
        LOGGER.warning("another object has taken a moved one's place, and stays there", extra={"object": str(source)})
    return False
