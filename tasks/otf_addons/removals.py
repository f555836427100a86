"""How sources are deleted or moved after their copy: the version that was copied, and no other."""

from collections.abc import Sequence

from tasks.object_clerk.annotations import require_carried
from tasks.object_clerk.moves import delete_copied
from tasks.object_clerk.s3_requests import S3Requests
from tasks.otf_addons import plan
from tasks.otf_addons.annotations import require_copied
from tasks.otf_addons.bucket_copies import copy_inside
from tasks.otf_addons.listing import SourceObject
from tasks.otf_addons.options import S3Options
from tasks.utils.s3_object import S3Object


def plan_removals(options: S3Options, keys: Sequence[str]) -> dict[str, S3Object | None]:
    """Return where each source goes, by its key; None for a source that is deleted. {} if sources stay.

    Args:
        options: the options of the source.
        keys: the keys of the sources.

    Raises:
        PlanError: see `plan`; no object was touched.
    """
    post_copy = options.post_copy
    if post_copy is None:
        return {}
    if post_copy.place is None:
        return dict.fromkeys(keys)
    if not post_copy.rename:
        plan.refuse_a_search_that_finds_what_was_moved(options.place, post_copy.place)
    targets = plan.targets_of(keys, post_copy.place, post_copy.rename)
    plan.refuse_overlaps(options.place.bucket, targets)
    return {**targets}


def remove(requests: S3Requests, source: SourceObject, target: S3Object | None) -> None:
    """Move a source to `target`, or delete it if `target` is None.

    A source whose copy lacks an annotation stays. So does an object that has replaced the source.

    Args:
        requests: requests that may write both.
        source: the source, with its version if the bucket keeps versions, and with the annotations of its copy.
        target: the new address, or None.

    Raises:
        ObjectClerkException: S3 refuses it; the source is still there.
    """
    if target is None:
        require_copied(requests, source.address, source.annotations)
    else:
        copied = copy_inside(requests, source, target)
        require_carried(requests, source.address, copied.destination, etag=copied.etag)
    delete_copied(
        requests, source.address, {"ETag": source.etag, "VersionId": source.address.version_id}, destination=target
    )
