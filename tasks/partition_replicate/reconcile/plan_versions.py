"""The plan with VERSIONS=all: the destination's history of a key reads like the source's.

The source's versions are listed back to the last one that was mirrored. What is newer is appended, the oldest first,
each on the condition that the destination's newest version is still the recorded one. A version never changes, so the
record that one was made from the other stays true; it is written in one transaction with the key row.

That is all while no other worker is at work. After a lost race, or if the recorded version is gone, the work goes on
with care: each round reads all rows and lists both sides.
"""

# pylint: disable=too-many-return-statements  # a plan is a list of rules, and the first that applies returns its step

from __future__ import annotations

from tasks.object_clerk.annotations import CARRY
from tasks.object_clerk.versions import Version
from tasks.partition_replicate.outcome import Action
from tasks.partition_replicate.reconcile import plan_event, plan_untracked
from tasks.partition_replicate.reconcile.object_snapshot import ObjectSnapshot
from tasks.partition_replicate.reconcile.policy import Policy, expires, removed
from tasks.partition_replicate.reconcile.single_version import Pair, leave_out, record, remove_newest, retag
from tasks.partition_replicate.reconcile.snapshot import Snapshot
from tasks.partition_replicate.reconcile.steps import (
    CarryAnnotations,
    CopyVersion,
    Delete,
    GiveUp,
    ListDestination,
    ListSource,
    ObserveDestination,
    ObserveNewest,
    ObserveSource,
    ObserveVersion,
    PutMarker,
    ReadRecords,
    ReadState,
    RecordRemoval,
    RecordState,
    RemoveVersion,
    Settle,
    StartRound,
    Step,
    Undo,
)
from tasks.partition_replicate.reconcile.survey import Listing
from tasks.utils.events import Kind
from tasks.utils.key_state import KeyState, Origin
from tasks.utils.mirror_settings import MIRROR

# Rounds follow a lost race, a removal and an adoption. More of them mean a key that others work on as well; the message
# comes back, and nothing that was done is done again.
ROUNDS = 32

# How often in a row both sides may be listed as they were, though something was done about it. A worker that lost a
# race, or recorded a removal first, sees the same once or twice more.
SAME_VIEWS = 4


def next_step(snapshot: Snapshot, policy: Policy) -> Step:
    """Return the next step for a key of which every version counts."""
    state = snapshot.state
    if snapshot.round.number > ROUNDS:
        return GiveUp(f"others worked on it {ROUNDS} times in a row")
    if state is None:
        return ReadRecords() if snapshot.past.careful else ReadState()
    if state.open.untagged:
        tags = retag(snapshot, state.open.untagged, action=None)
        return tags or RecordState(state.with_open(untagged=""))
    if snapshot.past.settled:
        return plan_event.next_step(snapshot, policy, state)
    if snapshot.past.careful:
        return _with_care(snapshot, policy, state)
    if snapshot.round.number == 1 and snapshot.survey.source is None and _needs_care(snapshot, state):
        return StartRound(careful=True)
    return _append_new(snapshot, policy, state)


def _needs_care(snapshot: Snapshot, state: KeyState) -> bool:
    """Return whether the work is about what is at the destination already, and not about what is new."""
    is_about_the_present = snapshot.event.kind in (Kind.LIFECYCLE_EXPIRED, Kind.RECHECK)
    return is_about_the_present or state.removed or bool(state.open.pending_delete)


# While no other worker is at work.


def _append_new(snapshot: Snapshot, policy: Policy, state: KeyState) -> Step:
    listing = snapshot.survey.source
    if listing is None:
        return ListSource()
    if listing.left == listing.unknown and _is_doubtful(snapshot, state, listing):
        return StartRound(careful=True)
    if listing.left:
        return _append(snapshot, policy, state, listing.left[0], is_newest=len(listing.left) == 1)
    if listing.unknown:
        return StartRound()
    if snapshot.past.sure or state.origin.skipped:
        return Settle()
    if snapshot.destination is None:
        return ObserveNewest()
    return Settle() if _is_as_recorded(snapshot.destination, state) else StartRound(careful=True)


def _is_doubtful(snapshot: Snapshot, state: KeyState, listing: Listing) -> bool:
    """Return whether the source's listing alone does not say what has to be appended.

    The recorded version is gone, nothing of the round before was appended, or the first new version may have been
    written already by a worker that was killed.
    """
    new = listing.unknown
    if not listing.is_linked and (state.origin.version or not new):
        return True
    if not new:
        return False
    return new == snapshot.past.listed or (snapshot.progress.carried == 0 and _is_indistinct(snapshot, state, new[0]))


def _is_as_recorded(destination: ObjectSnapshot, state: KeyState) -> bool:
    if destination.found:
        return destination.replica.version == state.replica.version
    # A server that does not name the marker in its headers leaves one marker as good as another.
    return not state.replica.etag and (destination.marker or state.replica.version) == state.replica.version


def _is_indistinct(snapshot: Snapshot, state: KeyState, version: Version) -> bool:
    """Return whether the precondition of a version's write would hold after the write as well."""
    top = snapshot.survey.top
    if version.is_marker:
        return not top.etag
    return bool(top.etag) and version.etag in (top.etag, state.origin.etag)


def _append(snapshot: Snapshot, policy: Policy, state: KeyState, version: Version, *, is_newest: bool) -> Step:
    """Return the next step that appends a version to the destination's history, or leaves it out."""
    survey = snapshot.survey
    unrecorded = snapshot.past.unrecorded
    is_once = _is_indistinct(snapshot, state, version)
    if version.is_marker:
        if policy.leaves_out(snapshot, version):
            return leave_out(snapshot, state, version)
        if unrecorded is None:
            return PutMarker(survey.top.etag or None, is_once)
        return record(state, Pair(version, unrecorded), action=Action.DELETED)
    if survey.progress.archived == version.id:
        return leave_out(snapshot, state, version)
    source = snapshot.source
    if source is None or source.address.version_id != version.id:
        return ObserveVersion(version, may_be_archived=not is_newest)
    if unrecorded is None:
        return CopyVersion(version, survey.top.etag, is_once, may_be_archived=not is_newest)
    if policy.annotations == CARRY and snapshot.round.annotations is None:
        return CarryAnnotations(source.pinned.address, unrecorded, is_fresh=True, compares=False, action=None)
    lacks = policy.not_carried(snapshot, source)
    pair, untagged = Pair(version, unrecorded, source), source.tags_follow
    return record(state, pair, action=Action.REPLICATED, untagged=untagged, not_carried=lacks)


# After a lost race, or if a version is gone.


def _with_care(snapshot: Snapshot, policy: Policy, state: KeyState) -> Step:
    survey, past = snapshot.survey, snapshot.past
    if survey.records is None:
        return ReadRecords()
    if state.open.pending_delete:
        return Undo((state.open.pending_delete,))
    if past.unrecorded and survey.source is None:
        # Another worker was faster with the record of that version.
        return Undo((past.unrecorded.version,))
    if survey.destination is None:
        return StartRound(careful=True) if survey.progress.sorted else ListDestination()
    if survey.source is None:
        return ListSource()
    if past.views > SAME_VIEWS:
        return _report_contradiction(snapshot)
    newest = survey.source.newest
    if newest is None:
        return _mirror_absence(snapshot, policy, state)
    return _sort_out_and_append(snapshot, policy, state, newest)


def _sort_out_and_append(snapshot: Snapshot, policy: Policy, state: KeyState, newest: Version) -> Step:
    survey = snapshot.survey
    progress = survey.progress
    left = survey.source.left if survey.source else ()
    if not progress.appended:
        step = plan_untracked.next_step(snapshot, policy, state)
        if step or progress.sorted:
            return step or StartRound(careful=True)
    if left:
        return _append(snapshot, policy, state, left[0], is_newest=len(left) == 1)
    if progress.appended:
        return StartRound(careful=True)
    return _put_newest_on_top(snapshot, policy, state, newest)


def _put_newest_on_top(snapshot: Snapshot, policy: Policy, state: KeyState, newest: Version) -> Step:
    """Make what was made from the source's newest version the destination's newest."""
    survey = snapshot.survey
    wanted = survey.records.replicas.get(newest.id) if survey.records else None
    if wanted is None:
        # The newest version is left out, so the one before it is on top, without what was above them.
        step = remove_newest(snapshot, policy, action=None)
        return step or (Settle() if state.origin.version == newest.id else leave_out(snapshot, state, newest))
    if expires(snapshot.event, newest):
        if snapshot.single(newest.id).is_removed is None:
            return RemoveVersion(newest.id, wanted.version, action=None)
        return leave_out(snapshot, state, newest)
    if survey.top.version == wanted.version:
        same = state._replace(origin=Origin(newest.id, newest.etag), replica=wanted, removed=False)
        return Settle() if same == state else RecordState(same)
    step = remove_newest(snapshot, policy, action=None)
    return step or _append(snapshot, policy, state, newest, is_newest=True)


def _mirror_absence(snapshot: Snapshot, policy: Policy, state: KeyState) -> Step:
    """Mirror that the source has no version any more."""
    reason = policy.reason_to_keep(snapshot, state)
    if reason:
        return Settle(Action.NOTHING, reason)
    if snapshot.round.changed or snapshot.round.unrecorded is not None:
        return StartRound(careful=True)
    if not state.removed:
        return RecordRemoval(removed(state))
    survey = snapshot.survey
    if survey.progress.sorted:
        return StartRound(careful=True)
    listing = survey.destination
    if listing is None or listing.newest is None:
        return Settle()
    if not survey.top.etag:
        markers = _bare_markers(snapshot, listing) if policy.version_deletes == MIRROR else ()
        return Undo(markers, source_is_gone=True) if markers else Settle()
    step = remove_newest(snapshot, policy, action=Action.DELETED)
    return step or plan_untracked.undo_copy(snapshot, policy, listing.newest) or Delete(survey.top.etag)


def _bare_markers(snapshot: Snapshot, listing: Listing) -> tuple[str, ...]:
    """Return the destination's versions if all are delete markers that no row names, and so hide nothing."""
    is_bare = not listing.is_linked and all(version.is_marker for version in listing.unknown)
    return tuple(one.id for one in listing.unknown if one.id not in snapshot.past.staying) if is_bare else ()


def _report_contradiction(snapshot: Snapshot) -> Step:
    """End work whose rounds change nothing: a listing is behind, and each round would do the same again."""
    if snapshot.destination is None:
        return ObserveDestination()
    if snapshot.source is None:
        return ObserveSource()
    survey = snapshot.survey
    sides = (
        ("destination", survey.destination, snapshot.destination),
        ("source", survey.source, snapshot.source),
    )
    seen = "; ".join(_contrast(side, listing, served) for side, listing, served in sides)
    return GiveUp(f"{SAME_VIEWS} rounds changed nothing: {seen}", stuck=True)


def _contrast(side: str, listing: Listing | None, served: ObjectSnapshot) -> str:
    """Return a sentence about the newest version of a side: as it is listed, and as it is served."""

    def version(version_id: str, etag: str) -> str:
        return f"the {'version' if etag else 'delete marker'} {version_id}" if version_id else "nothing"

    listed = listing.newest if listing else None
    newest = version(listed.id, listed.etag) if listed else "nothing"
    found = served.replica
    return f"the {side} lists {newest} as the newest and serves {version(found.version, found.etag)}"
