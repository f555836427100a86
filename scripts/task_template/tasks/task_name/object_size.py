"""The size of an object, as S3 reports it."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.object_clerk.errors import KeyNotFoundException
from tasks.object_clerk.s3_requests import S3Requests
from tasks.utils.events import Kind, ObjectEvent, Unreadable, check_source
from tasks.utils.s3_object import S3Object


@dataclass(frozen=True)
class ObjectSize:
    """The size of one version of an object.

    Attributes:
        object: the address.
        bytes: the number of bytes.
        storage_class: the storage class.
    """

    object: S3Object
    bytes: int
    storage_class: str


def measure(requests: S3Requests, event: ObjectEvent | Unreadable, *, source_bucket: str) -> ObjectSize | None:
    """Return the size of the object that an event reports.

    Args:
        requests: requests to S3 that may read the bucket.
        event: the event.
        source_bucket: the only bucket whose objects are measured.

    Returns:
        The size, or None if the event reports no new object, or if the object is already gone.

    Raises:
        EventError: the event cannot be read, or is from another bucket.
        ObjectClerkException: S3 gives no answer, or refuses one.
    """
    checked = check_source(event, source_bucket)
    if checked.kind is not Kind.CREATED:
        return None
    try:
        answer = requests("head_object", source=checked.object, **checked.object.parameters)
    except KeyNotFoundException:
        return None
    # S3 names no class for STANDARD (S3 API Reference, HeadObject).
    return ObjectSize(checked.object, answer["ContentLength"], answer.get("StorageClass", "STANDARD"))
