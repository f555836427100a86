"""Copies of an object's current version, and moves: copied, verified, and only then deleted, that version alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

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

if TYPE_CHECKING:
    from tasks.object_clerk.copies import Copied
    from tasks.object_clerk.errors import Places
    from tasks.object_clerk.s3_requests import S3Requests
    from tasks.utils.s3_object import S3Object

Result = TypeVar("Result")
Answer = dict[str, Any]
Send = Callable[..., dict[str, Any]]

LOGGER = logging.getLogger("bucket_brigade")


class _SourceChanged(ObjectChangedException):
    """The source, or its tags, are no longer what was copied."""


def copy_current(
    requests: S3Requests,
    source: S3Object,
    destination: S3Object,
    *,
    prove: bool = True,
    limits: CopyLimits = CopyLimits(),
) -> tuple[Answer, Copied | None]:
    """Copy the current version of an object, in its storage class.

    Args:
        requests: may read the source and write the destination.
        source: the object to copy.
        destination: the address to write; if it is the source, nothing is done.
        prove: as for `copies.copy_object`.
        limits: as for `copies.copy_object`.

    Returns:
        The source's HEAD answer, and the copy, or None if nothing was done.

    Raises:
        ObjectClerkException: as `copies.copy_object` says.
    """

    def copy_as_found() -> tuple[Answer, Copied | None]:
        found = head(requests, source)
        if found is None:
            raise _absent(source, destination)
        return found, _copy_found(requests, source, destination, found, prove=prove, limits=limits)

    places: Places = {"operation": "copy_object", "source": source, "destination": destination}
    return _retry(requests, copy_as_found, reason="the source was changed", **places)


def move_object(  # pylint: disable=too-many-arguments  # those of `copy_current`, and the ETag
    requests: S3Requests,
    source: S3Object,
    destination: S3Object,
    *,
    etag: str | None = None,
    prove: bool = True,
    limits: CopyLimits = CopyLimits(),
) -> None:
    """Copy an object as `copy_current` does, and then delete the version that was copied, and no other.

    Before the delete, the copy gets every annotation of the source; if it cannot, the source stays. If the source's
    tags have changed since the copy, the copy gets them too. `delete_copied` says what is compared and what can still
    be lost. An object that another writer put at the source meanwhile stays there. A move onto itself does nothing.

    With `etag`, a move can be repeated after a crash: if that object is not at the source, and the destination has its
    ETag, it was moved already. Without `etag` nothing proves that, and the source is reported as absent.

    Args:
        requests: as for `copy_current`, and so are the others.
        source: see there.
        destination: see there.
        etag: the ETag of the object to move, if the caller knows it; then no other object is moved.
        prove: see there.
        limits: see there.

    Raises:
        SourceReplacedException: both the source and the destination have another ETag than `etag`.
        ObjectClerkException: as for `copy_current`; the source is then still there.
    """

    def move_as_found() -> None:
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


def delete_copied(
    requests: S3Requests,
    source: S3Object,
    found: Mapping[str, Any],
    *,
    tags: Mapping[str, str] | None = None,
    destination: S3Object | None = None,
) -> None:
    """Delete the version of an object that was copied, and no other.

    In a bucket with versions the request names the version, whose bytes and metadata cannot have changed. Without
    versions, `If-Match` pins the ETag, which another write of the same bytes may share. So the object is observed right
    before each attempt of the delete: if its LastModified, metadata or content headers differ from `found`, it stays.
    Its absence is no error.

    What can still be lost, because S3 has no condition for it (`x-amz-if-match-last-modified-time` is for directory
    buckets alone, whose ETags are unique to each write anyway; S3 API Reference, DeleteObject):
    - without versions, the metadata, tags and times of a write of the same bytes between the observation and the
      delete, or before the delete's first attempt arrives, if its connection broke and it arrives late;
    - tags that were put between the observation and the delete; with versions, tags put since the copy on an object
      that had none, because it is not observed again;
    - without versions, a storage class, lock or ACL that a write of the same bytes, metadata and tags set within the
      second in which the object was written before: LastModified has whole seconds.

    Args:
        requests: as for `copy_current`.
        source: the object that was copied.
        found: S3's answer to HeadObject from before the copy. With `ETag` alone, and `VersionId` if the bucket keeps
            versions, the object is not observed.
        tags: the tags that the source had before the copy, name -> value; None if they do not matter.
        destination: the copy, for the error's text.

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
    # Observation and delete are repeated together: another object may arrive between two attempts.
    requests.run(lambda: _delete_unversioned(partial(request, requests.client), source, found, tags, where))


def _retry(requests: S3Requests, attempt: Callable[[], Result], *, reason: str, **places: Unpack[Places]) -> Result:
    return retry_lost_races(attempt, requests=requests, rounds=ROUNDS, lost=_SourceChanged, reason=reason, **places)


def _require_moved_already(
    requests: S3Requests, source: S3Object, destination: S3Object, etag: str | None, found: Answer | None
) -> None:
    copy = head(requests, destination) if etag and source != destination else None
    if copy and checksums.bare(copy["ETag"]) == etag:
        LOGGER.info("already moved", extra={"object": str(source), "destination": str(destination)})
        return
    if found is None:
        raise _absent(source, destination)
    reason = f'another object has taken the source\'s place: ETag {found["ETag"]} instead of "{etag}"'
    raise SourceReplacedException(reason, operation="move_object", source=source, destination=destination)


def _absent(source: S3Object, destination: S3Object) -> KeyNotFoundException:
    reason = "the source is not there"
    return KeyNotFoundException(reason, operation="copy_object", source=source, destination=destination)


def _copy_found(
    requests: S3Requests, source: S3Object, destination: S3Object, found: Answer, **how: Any
) -> Copied | None:
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


def _delete_unversioned(
    send: Send, source: S3Object, found: Mapping[str, Any], tags: Mapping[str, str] | None, where: Mapping[str, Any]
) -> None:
    is_observed = "LastModified" in found
    if is_observed:
        current = head(send, source)
        if current is None or not _verify_unchanged(source, found, current):
            return
        if tags is not None:
            _require_tags(send, source, current, tags)

    def delete(condition: Mapping[str, str]) -> None:
        if condition or is_observed or _verify_unchanged(source, found, head(send, source)):
            send("delete_object", **condition, **where)

    try:
        conditional_write(delete, precondition(found["ETag"]))
    except (ObjectChangedException, ObjectNotFoundException) as error:
        # An earlier attempt whose answer was lost may have deleted it, or another writer may have replaced it.
        if _verify_unchanged(source, found, head(send, source)):
            error.reason = f"it could not be deleted, though it is unchanged: {error.reason}"
            raise


def _verify_unchanged(source: S3Object, found: Mapping[str, Any], current: Answer | None) -> bool:
    """Return whether an object is still what was copied, as far as `found` describes that; log if it is not."""
    if current is None:
        return False
    if checksums.bare(current["ETag"]) == checksums.bare(found["ETag"]) and (
        "LastModified" not in found or _described(current) == _described(found)
    ):
        return True
    LOGGER.warning("another object has taken a moved one's place, and stays there", extra={"object": str(source)})
    return False


def _described(found: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    return found["LastModified"], content_headers(found)


def _tags(requests: S3Requests | Send, address: S3Object, found: Mapping[str, Any]) -> dict[str, str]:
    return tags_of(requests, address) if found.get("TagCount") else {}


def _require_tags(
    requests: S3Requests | Send, address: S3Object, found: Mapping[str, Any], tags: Mapping[str, str]
) -> None:
    if _tags(requests, address, found) != tags:
        reason = "its tags were changed after the copy"
        raise _SourceChanged(reason, operation="move_object", source=address)
