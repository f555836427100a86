"""What becomes of the sources once they were copied: deleted, or moved elsewhere; that version and no other."""

from tasks.object_clerk.annotations import require_carried
from tasks.object_clerk.moves import delete_copied
from tasks.otf_addons import carried, plan
from tasks.otf_addons.bucket_copies import copy_inside


def planned(options, keys):
    """Returns where the sources go: key -> `S3Object`, or None for each that is deleted.

    Args:
        options: the source's `S3Options`.
        keys: the sources' keys.

    Raises:
        PlanError: as `plan` says; nothing was touched.
    """
    action = options.post_copy
    if action.action == "delete":
        return dict.fromkeys(keys)
    if not action.rename:
        plan.refuse_a_search_that_finds_what_was_moved(options.place, action.place)
    targets = plan.placed(keys, action.place, action.rename)
    plan.refuse_overlaps(options.place.bucket, targets)
    return targets


def remove(requests, found, target):
    """Moves an object, as it was found, to `target`, or deletes it where that is None.

    One whose annotations did not arrive there, or with its copy, stays.
    What somebody else has put in its place meanwhile stays there.

    Args:
        requests: an `S3Requests` that may write both.
        found: a `Found`, with its version where the bucket keeps versions, and with what has arrived of it.
        target: an `S3Object` or None.

    Raises:
        ObjectClerkException: S3 refuses it; the source is still there.
    """
    if target is None:
        carried.check(requests, found.address, found.annotations)
    else:
        copied = copy_inside(requests, found, target)
        require_carried(requests, found.address, copied.destination, etag=copied.etag)
    delete_copied(
        requests, found.address, {"ETag": found.etag, "VersionId": found.address.version_id}, destination=target
    )
