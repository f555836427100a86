"""Annotations of sources, and which of them have arrived with a copy, so that the source may be deleted.

The framework hands over the copying and the deleting as two steps: what has arrived is kept with the `Found` of a file,
or with the `Attributes` of one that was downloaded.
"""

import logging

from tasks.object_clerk.annotations import AnnotationCopy, annotations_of
from tasks.object_clerk.errors import (
    KeyNotFoundException,
    ObjectClerkException,
    ObjectClerkServerAuthException,
    ObjectNotFoundException,
)
from tasks.object_clerk.pinned import pinned_address
from tasks.object_clerk.s3_requests import head

LOGGER = logging.getLogger("bucket_brigade")


def carry(reading, source, writing, target, *, written=None):
    """Puts the annotations of a source on its copy.

    Args:
        reading: an `S3Requests` that may read the source.
        source: the source's `S3Object`, with its version where the bucket keeps versions.
        writing: an `S3Requests` that may write the copy.
        target: the copy's `S3Object`.
        written: what S3 answered about the copy; None to look.

    Returns:
        A set of each `Annotation` of the source that the copy has.

    Raises:
        ObjectClerkException: they cannot be listed, read or put, for another reason than that it is not allowed: that
            is logged, the copy is good without them, and the source will stay.
    """
    try:
        return _carried(reading, source, writing, target, written)
    except ObjectClerkServerAuthException as error:
        LOGGER.warning("the annotations of %s, if it has any, were not carried: %s", source, error)
        return frozenset()


def _carried(reading, source, writing, target, written):
    if not annotations_of(reading, source):
        return frozenset()
    written = written or head(writing, target)
    if written is None:
        raise KeyNotFoundException("the copy is gone", operation="carry annotations", destination=target)
    work = AnnotationCopy(reading, source, writing, pinned_address(target, written), written["ETag"])
    work.run()
    if work.lacking:
        LOGGER.warning("%s has annotations, and the server of %s does not take any", source, target)
    return frozenset(work.carried.values())


def check(requests, source, arrived):
    """Makes sure that every annotation of a source has arrived with a copy.

    Args:
        requests: an `S3Requests` that may read the source.
        source: the source's `S3Object`, with its version where the bucket keeps versions.
        arrived: a set of each `Annotation` that a copy has.

    Raises:
        ObjectClerkException: one has not, or that cannot be known; the source has to stay.
    """
    try:
        found = annotations_of(requests, source) or {}
    except ObjectNotFoundException:
        raise
    except ObjectClerkException as error:
        error.reason = f"the source stays, for its annotations could not be looked at: {error.reason}"
        raise
    missing = [one.name for one in found.values() if one not in arrived]
    if missing:
        reason = f"the source stays, for {len(missing)} of its annotations did not arrive: {', '.join(missing[:10])}"
        raise ObjectClerkException(reason, operation="delete_object", source=source)
