"""The part of the plan for versions of the destination that no row names: adopt, undo, or keep them.

Such a version is what a worker made from the next new version before it was killed. Or it is an orphan copy of a worker
that lost a race and was killed before it removed the copy. Or it is of another writer, and stays.
"""

# pylint: disable=too-many-return-statements  # a plan is a list of rules, and the first that applies returns its step

from __future__ import annotations

from collections.abc import Sequence

from tasks.object_clerk import checksums
from tasks.object_clerk.annotations import CARRY
from tasks.object_clerk.versions import Version
from tasks.partition_replicate.reconcile.object_snapshot import ObjectSnapshot
from tasks.partition_replicate.reconcile.policy import Policy
from tasks.partition_replicate.reconcile.single_version import Pair, record
from tasks.partition_replicate.reconcile.snapshot import Snapshot
from tasks.partition_replicate.reconcile.steps import (
    CarryAnnotations,
    ObserveReplica,
    ObserveVersion,
    Step,
    Undo,
)
from tasks.utils.key_state import KeyState, ReplicaVersion
from tasks.utils.mirror_settings import MIRROR


def next_step(snapshot: Snapshot, policy: Policy, state: KeyState) -> Step | None:
    """Return the next step for the untracked versions, the oldest first; None if those that are left are kept."""
    source, destination = snapshot.survey.source, snapshot.survey.destination
    new = source.left if source else ()
    for untracked in destination.left if destination else ():
        step = None
        if new and not policy.leaves_out(snapshot, new[0]):
            step = _adopt(snapshot, policy, state, new, untracked)
        if step is None:
            step = _undo(snapshot, policy, state, untracked)
        if step:
            return step
    return None


def _adopt(
    snapshot: Snapshot, policy: Policy, state: KeyState, new: Sequence[Version], untracked: Version
) -> Step | None:
    """Return the next step that adopts a version as made from the next new one; None if it was not."""
    version, replica = new[0], ReplicaVersion(untracked.id, untracked.etag)
    if version.is_marker or untracked.is_marker:
        return record(state, Pair(version, replica)) if version.is_marker and untracked.is_marker else None
    if version.size != untracked.size or snapshot.survey.progress.archived == version.id:
        return None
    source, found = snapshot.source, snapshot.survey.replicas.get(untracked.id)
    if source is None or source.address.version_id != version.id:
        return ObserveVersion(version, may_be_archived=len(new) > 1)
    if found is None or not found.tags_asked:
        return ObserveReplica(untracked.id, with_tags=True)
    if not found.found or source.headers != found.headers or not found.has_content_of(source, state):
        return None
    if policy.annotations == CARRY and snapshot.round.annotations is None:
        return CarryAnnotations(source.pinned.address, replica, is_fresh=False, compares=True, action=None)
    # Only the worker whose record succeeds puts tags, after it, and then observes the source again. A late worker would
    # put older tags over those of a later event.
    untagged = source.tags != found.tags
    lacks = policy.not_carried(snapshot, source)
    return record(state, Pair(version, replica, source), untagged=untagged, not_carried=lacks)


def _undo(snapshot: Snapshot, policy: Policy, state: KeyState, untracked: Version) -> Step | None:
    """Return the next step that removes a version with which nothing is lost; None if it has to stay.

    That is a delete marker, a copy of a tracked version, or a copy of a version that was removed for good.
    """
    source = snapshot.survey.source
    if untracked.id in snapshot.past.staying:
        return None
    if untracked.is_marker:
        # What it hides is to be seen again, or is hidden by what is new. The marker that says that the source has no
        # version any more is an exception.
        has_new = bool(source and source.left)
        return Undo((untracked.id,)) if not has_new or state.origin.version else None
    return undo_copy(snapshot, policy, untracked)


def undo_copy(snapshot: Snapshot, policy: Policy, version: Version) -> Step | None:
    """Return the next step that removes a version that is superfluous; None if it has to stay."""
    if version.id in snapshot.known_replicas or version.id in snapshot.past.staying:
        return None
    verdict = is_superfluous(snapshot, policy, version)
    return Undo((version.id,)) if verdict is True else verdict or None


def is_superfluous(snapshot: Snapshot, policy: Policy, untracked: Version) -> bool | Step:
    """Return whether an untracked version is a copy of a tracked one, or of a version that was removed for good.

    Returns:
        The answer, or the observation that is missing for it.
    """
    records = snapshot.survey.records
    gone, tracked = (records.gone, records.replicas.values()) if records else (frozenset[str](), ())
    if policy.version_deletes == MIRROR and checksums.bare(untracked.etag) in gone:
        return True
    alike = [one.version for one in tracked if one and one.etag == untracked.etag]
    return is_copy_of_any(snapshot, untracked.id, alike)


def is_copy_of_any(snapshot: Snapshot, version: str, others: Sequence[str]) -> bool | Step:
    """Return whether a version of the destination has the headers of another one, whose ETag is the same.

    Returns:
        The answer, or the observation that is missing for it.
    """
    if not others:
        return False
    known = snapshot.survey.replicas
    mine = known.get(version)
    if mine is None:
        return ObserveReplica(version)
    for each in others if mine.found else ():
        other = known.get(each)
        if other is None:
            return ObserveReplica(each)
        if _has_same_headers(mine, other):
            return True
    return False


def _has_same_headers(left: ObjectSnapshot, right: ObjectSnapshot) -> bool:
    return bool(right.found) and left.headers == right.headers
