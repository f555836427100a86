"""The writes to the destination. Each write of an object has a precondition: see `races`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from tasks.object_clerk.errors import (
    ObjectChangedException,
    ObjectClerkException,
    ObjectClerkServerInternalException,
)
from tasks.object_clerk.part_copies import tag_set
from tasks.object_clerk.races import conditional_write, precondition
from tasks.object_clerk.s3_requests import S3Requests, head
from tasks.object_clerk.streams import fetch, put
from tasks.partition_replicate.reconcile.object_snapshot import ObjectSnapshot
from tasks.partition_replicate.reconcile.tools import Sides
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object

LOGGER = logging.getLogger("bucket_brigade")

# What S3 answers to a write.
Answer = dict[str, Any]
# A request that takes the parameters of its precondition.
Write = Callable[[Mapping[str, Any]], Answer]


def put_object(sides: Sides, source: ObjectSnapshot, replaces: str, *, once: bool = False) -> Answer:
    """Write a small source in one request, without tags that are too long for a header.

    Args:
        sides: both sides.
        source: what was observed of the source.
        replaces: the ETag that the destination must have, or "" for nothing there.
        once: the precondition would hold again after the write, so the request is not repeated.

    Raises:
        ObjectChangedException: the precondition does not hold; or `once`, and whether it was written is not known.
        ObjectClerkException: as `s3_requests.request` says.
    """
    requests = _once(sides) if once else sides.writing
    pinned = source.pinned
    with sides.limits.buffers.buffer(pinned.size) as room:
        data = _read(sides, source, room) if source.data is None else source.data

        def write(parameters: Mapping[str, Any]) -> Answer:
            answer: Answer = put(requests, data, sides.destination, **parameters)
            return answer

        return _unless_unclear(once, lambda: send_with_headers(write, sides, source, precondition(replaces)))


def _read(sides: Sides, source: ObjectSnapshot, room: memoryview) -> memoryview:
    pinned = source.pinned
    _, data = fetch(sides.reading, pinned.address, etag=pinned.etag, most=pinned.size, into=room)
    if data is None:
        raise ObjectChangedException("it is larger than it was", operation="get_object", source=pinned.address)
    return data


def delete(sides: Sides, replaces: str | None, *, once: bool = False) -> Answer:
    """Delete the object, or put a delete marker there; without a precondition if `replaces` is None."""
    requests = _once(sides) if once else sides.writing

    def write(conditions: Mapping[str, Any]) -> Answer:
        answer: Answer = requests("delete_object", destination=sides.destination, **sides.place, **conditions)
        return answer

    conditions = {} if replaces is None else precondition(replaces)
    return _unless_unclear(once, lambda: _send(write, {}, conditions))


def remove(sides: Sides, version: str) -> bool:
    """Remove a version, or a delete marker, for good; return False if it stays because it is locked.

    S3 answers AccessDenied for a version under Object Lock, and for a caller without the permission. What the version
    itself says of its lock tells them apart; that takes s3:GetObjectRetention and s3:GetObjectLegalHold.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
    """
    address = sides.replica(version)
    try:
        sides.writing("delete_object", destination=address, **address.parameters)
    except ObjectClerkException as error:
        if error.retryable or not _is_locked(sides.writing, address):
            raise
        _log_that_it_stays(address)
        return False
    return True


def put_tags(sides: Sides, tags: Mapping[str, str], version: str | None) -> None:
    """Replace the tags of a version, or of the object if the bucket keeps no versions."""
    address = sides.replica(version)
    sides.writing("put_object_tagging", destination=address, Tagging=tag_set(tags), **address.parameters)


def send_with_headers(write: Write, sides: Sides, source: ObjectSnapshot, conditions: Mapping[str, str]) -> Answer:
    """Send a write with all but the bytes of a source; without a storage class that the destination does not know."""
    headers = source.to_write
    if sides.kms_key:
        headers |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": sides.kms_key}
    try:
        return _send(write, headers, conditions)
    except ObjectClerkException as error:
        if error.code != "InvalidStorageClass" or "StorageClass" not in headers:
            raise
    storage_class = headers.pop("StorageClass")
    log_once(f"the destination does not know the storage class {storage_class}: its own default is used")
    return _send(write, headers, conditions)


def _send(write: Write, headers: Mapping[str, Any], conditions: Mapping[str, str]) -> Answer:
    answer: Answer = conditional_write(lambda more: write({**headers, **more}), conditions)
    return answer


def _unless_unclear(once: bool, write: Callable[[], Answer]) -> Answer:
    try:
        return write()
    except ObjectClerkServerInternalException as error:
        if not once:
            raise
        raise ObjectChangedException(f"whether it was written is not known: {error.reason}") from error


def _once(sides: Sides) -> S3Requests:
    return replace(sides.writing, policy=RetryPolicy(tries=1))


def _is_locked(requests: S3Requests, address: S3Object) -> bool:
    try:
        found = head(requests, address) or {}
    except ObjectClerkException:
        # A delete marker, which has no lock; or a read is refused too, which says nothing of a lock either.
        return False
    until = found.get("ObjectLockRetainUntilDate")
    return found.get("ObjectLockLegalHoldStatus") == "ON" or bool(until and until > datetime.now(UTC))


# A container meets the same version with each event of its key.
@lru_cache(maxsize=1024)
def _log_that_it_stays(address: S3Object) -> None:
    LOGGER.warning("a version is under Object Lock and stays, as an older version", extra={"version": str(address)})


@cache
def log_once(sentence: str) -> None:
    """Log a warning once in the life of this container."""
    LOGGER.warning(sentence)
