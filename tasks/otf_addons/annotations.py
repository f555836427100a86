"""Annotations of sources, and which of them a copy has, so that the source may be deleted.

The framework copies and deletes in two steps. `SourceObject`, or the `Attributes` of a downloaded file, holds the
annotations that the copy has, from the first step to the second.
"""

import logging
from collections.abc import Mapping
from typing import Any

from tasks.object_clerk.annotation_lists import Annotation, annotations_of
from tasks.object_clerk.annotations import AnnotationCopy
from tasks.object_clerk.errors import (
    KeyNotFoundException,
    ObjectClerkException,
    ObjectClerkServerAuthException,
    ObjectNotFoundException,
)
from tasks.object_clerk.pinned import pinned_address
from tasks.object_clerk.s3_requests import S3Requests, head
from tasks.utils.s3_object import S3Object

LOGGER = logging.getLogger("bucket_brigade")


def copy_annotations(
    reading: S3Requests,
    source: S3Object,
    writing: S3Requests,
    target: S3Object,
    *,
    written: Mapping[str, Any] | None = None,
) -> frozenset[Annotation]:
    """Put the annotations of a source on its copy.

    Args:
        reading: requests that may read the source.
        source: the source, with its version if the bucket keeps versions.
        writing: requests that may write the copy.
        target: the copy.
        written: the answer to the write of the copy; None to observe the copy.

    Returns:
        The annotations of the source that the copy has.

    Raises:
        ObjectClerkException: they cannot be listed, read or put. If the reason is a missing permission, it is logged
            and not raised: the copy is good without them, and the source will stay.
    """
    try:
        return _copy(reading, source, writing, target, written)
    except ObjectClerkServerAuthException as error:
        LOGGER.warning("the annotations of %s, if it has any, were not carried: %s", source, error)
        return frozenset()


def _copy(
    reading: S3Requests, source: S3Object, writing: S3Requests, target: S3Object, written: Mapping[str, Any] | None
) -> frozenset[Annotation]:
    if not annotations_of(reading, source):
        return frozenset()
    written = written or head(writing, target)
    if written is None:
        raise KeyNotFoundException("the copy is gone", operation="carry annotations", destination=target)
    copy = AnnotationCopy(reading, source, writing, pinned_address(target, written), written["ETag"])
    copy.run()
    if copy.lacking:
        LOGGER.warning("%s has annotations, and the server of %s does not take any", source, target)
    return frozenset(copy.carried.values())


def require_copied(requests: S3Requests, source: S3Object, copied: frozenset[Annotation]) -> None:
    """Check that the copy of a source has each of its annotations.

    Args:
        requests: requests that may read the source.
        source: the source, with its version if the bucket keeps versions.
        copied: the annotations of the copy.

    Raises:
        ObjectClerkException: the copy lacks an annotation, or the source's cannot be listed. The source has to stay.
    """
    try:
        found = annotations_of(requests, source) or {}
    except ObjectNotFoundException:
        raise
    except ObjectClerkException as error:
        error.reason = f"the source stays, for its annotations could not be looked at: {error.reason}"
        raise
    missing = [annotation.name for annotation in found.values() if annotation not in copied]
    if missing:
        reason = f"the source stays, for {len(missing)} of its annotations did not arrive: {', '.join(missing[:10])}"
        raise ObjectClerkException(reason, operation="delete_object", source=source)
