"""The message that makes `replicate` settle a difference, or why none is sent.

`replicate` observes both sides of any key that it gets a message about. After "Object Recheck" it makes the destination
equal to an object of the source, with its tags and annotations. It deletes at the destination only after an event that
reports a removal, so an object that only the destination has needs "Object Deleted".
"""

from __future__ import annotations

from tasks.mirror_check.causes import Cause, Circumstances, Why, is_recent
from tasks.mirror_check.findings import Finding, Sign
from tasks.utils.events import Kind, ObjectEvent
from tasks.utils.s3_object import S3Object

# A delete marker would not do: `replicate` removes a marker that hides what it made.
NEEDS_CARE = "the mirror takes both for equal: if the copy is damaged, remove its version for good and repair again"
NEEDS_CONSENT = "nothing shows that it was removed at the source on purpose: --delete-extra deletes it"


def needs_action(finding: Finding, why: Why, about: Circumstances, *, is_idle: bool) -> bool:
    """Return whether a difference stays unless it is repaired, or a person acts.

    It does not if the mirror is meant to differ so, if a message about the key may still come, or if the source has to
    be restored first.

    Args:
        finding: the key.
        why: why its sides differ.
        about: what is known of the mirror.
        is_idle: whether the mirror's queue holds no message: then no object is being uploaded.
    """
    if why.cause is Cause.HALF_UPLOADED:
        return is_idle and not is_recent(finding, about)
    if why.cause is Cause.UNKNOWN:
        # It may be on its way too.
        return not (about.waiting or is_recent(finding, about))
    return not (why.cause.is_expected or why.cause in (Cause.WAITING, Cause.ARCHIVED))


def repair_of(finding: Finding, why: Why, *, bucket: str, deletes_extra: bool) -> ObjectEvent | str:
    """Return the event to send for a key that is not equal, or why none is sent.

    Args:
        finding: the key.
        why: why its sides differ.
        bucket: the source's bucket.
        deletes_extra: whether an object that only the destination has may be deleted even if the mirror did not make
            it, or if it may have expired at the source.
    """
    if why.cause.is_expected:
        return why.detail
    if why.cause is Cause.ARCHIVED:
        return f"{why.detail}; then its event repairs it"
    if why.cause is Cause.DAMAGED:
        return NEEDS_CARE
    kind = Kind.RECHECK
    if finding.verdict.sign is Sign.EXTRA:
        if why.cause is Cause.OTHER_WRITER and not (deletes_extra or _is_marker(finding)):
            return NEEDS_CONSENT
        kind = Kind.RECHECK if _is_marker(finding) else Kind.REMOVED
    return ObjectEvent(kind, "", S3Object(bucket, finding.key))


def _is_marker(finding: Finding) -> bool:
    """Return whether the mirror recorded that the source's newest version is a delete marker.

    Then `replicate` puts a delete marker, and no version is lost.
    """
    state = finding.state
    return bool(state and state.origin.version and not state.origin.etag)
