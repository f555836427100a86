"""The plan with VERSIONS=current: the destination's object is made equal to the source's newest state.

A round observes the destination, then the source, writes under a precondition, and observes the source again. In the
first round the key state stands for the observation of the destination if it is likely to be still right: the
precondition of the write proves it. A first observation of a small source brings its bytes along.
"""

# pylint: disable=too-many-return-statements  # a plan is a list of rules, and the first that applies returns its step

from __future__ import annotations

from tasks.object_clerk import checksums
from tasks.object_clerk.annotations import CARRY
from tasks.partition_replicate.outcome import Action
from tasks.partition_replicate.reconcile.object_snapshot import TAKEN_ALONG, ObjectSnapshot
from tasks.partition_replicate.reconcile.policy import Policy, removed
from tasks.partition_replicate.reconcile.snapshot import Snapshot
from tasks.partition_replicate.reconcile.steps import (
    AbandonUpload,
    CarryAnnotations,
    Copy,
    Delete,
    Done,
    ForgetState,
    GiveUp,
    ObserveDestination,
    ObserveDestinationTags,
    ObserveSource,
    PutTags,
    ReadState,
    RecordRemoval,
    RecordState,
    StartRound,
    Step,
)
from tasks.utils.events import Kind
from tasks.utils.key_state import KeyState, ReplicaVersion, has_expired

# Events after which tags and annotations are observed even if neither side counts any.
ABOUT_TAGS = (Kind.TAGGED, Kind.RECHECK)
ABOUT_ANNOTATIONS = (Kind.ANNOTATED, Kind.REQUESTED, Kind.RECHECK)

# Each lost race means that another writer got through in the milliseconds between an observation and a write. Several
# in a row mean a key that is written all the time; its next event comes anyway.
ROUNDS = 8


def next_step(snapshot: Snapshot, policy: Policy) -> Step:
    """Return the next step for a key of which only the newest state counts."""
    state, source = snapshot.state, snapshot.source
    if state is None:
        return ReadState()
    if snapshot.round.number > ROUNDS:
        return GiveUp(f"other writers got in between {ROUNDS} times in a row")
    if source is None:
        return _observe(snapshot, state)
    if _is_obsolete(state, source):
        return AbandonUpload()
    if snapshot.round.later:
        return _finish(snapshot, policy, state, source) if source.is_still(snapshot.round.later) else StartRound()
    if not source.found:
        return _mirror_absence(snapshot, policy, state)
    if snapshot.round.replica:
        return _complete_copy(snapshot, policy, state, source)
    return _make_equal(snapshot, policy, state, source)


def _observe(snapshot: Snapshot, state: KeyState) -> Step:
    if snapshot.destination is None and not _may_rely_on(state, snapshot):
        return ObserveDestination(with_tags=snapshot.event.kind in ABOUT_TAGS)
    size = snapshot.event.size
    comes_along = snapshot.destination is None and snapshot.event.kind is Kind.CREATED
    return ObserveSource(most=size if comes_along and size is not None and size <= TAKEN_ALONG else None)


def _may_rely_on(state: KeyState, snapshot: Snapshot) -> bool:
    """Return whether the key state stands for an observation of the destination."""
    event = snapshot.event
    if snapshot.round.number > 1:
        return False
    if event.kind is Kind.CREATED:
        return checksums.bare(state.origin.etag) != event.etag and not state.open.upload
    return event.kind is Kind.REMOVED and not state.removed


def _is_obsolete(state: KeyState, source: ObjectSnapshot) -> bool:
    """Return whether the upload under way is of another state of the source, or its id was never recorded."""
    upload = state.open.upload
    return upload is not None and not upload.is_of(source.stamp)


def _make_equal(snapshot: Snapshot, policy: Policy, state: KeyState, source: ObjectSnapshot) -> Step:
    destination = snapshot.destination
    if destination is None:
        # The event of a state that was mirrored already is late.
        is_new = source.etag != state.origin.etag
        return Copy(replaces=state.replica.etag) if is_new else StartRound()
    if not destination.found:
        return Copy(replaces="")
    if source.headers != destination.headers or not destination.has_content_of(source, state):
        return Copy(replaces=destination.etag)
    if source.tags != destination.tags:
        return _mirror_tags(source, destination)
    if policy.annotations == CARRY and snapshot.round.annotations is None:
        return _carry_annotations(snapshot, source, destination.replica, is_fresh=False)
    if snapshot.round.changed:
        return ObserveSource()
    # The object was found at the destination after all of its parts had been carried.
    return AbandonUpload() if state.open.upload else _finish(snapshot, policy, state, source)


def _mirror_tags(source: ObjectSnapshot, destination: ObjectSnapshot) -> Step:
    """Put the tags that differ. They take no precondition: the source is observed again after them."""
    if source.tags and not destination.tags and not destination.tags_asked:
        return ObserveDestinationTags()
    return PutTags(source.tags, destination.pinned.address.version_id)


def _complete_copy(snapshot: Snapshot, policy: Policy, state: KeyState, source: ObjectSnapshot) -> Step:
    """Carry what does not go with the bytes, and observe the source again."""
    replica = snapshot.round.replica or ReplicaVersion()
    if source.tags_follow and (state.origin.etag, state.replica.etag) != (source.etag, replica.etag):
        # Recorded first, so that the bytes are not sent again if the tags fail.
        origin, made = state.origin._replace(etag=source.etag), state.replica._replace(etag=replica.etag)
        return RecordState(state._replace(origin=origin, replica=made))
    if policy.annotations == CARRY and snapshot.round.annotations is None:
        return _carry_annotations(snapshot, source, replica, is_fresh=True)
    return StartRound() if source.tags_follow else ObserveSource()


def _carry_annotations(snapshot: Snapshot, source: ObjectSnapshot, replica: ReplicaVersion, *, is_fresh: bool) -> Step:
    compares = snapshot.event.kind in ABOUT_ANNOTATIONS
    return CarryAnnotations(source.pinned.address, replica, is_fresh, compares)


def _mirror_absence(snapshot: Snapshot, policy: Policy, state: KeyState) -> Step:
    reason = policy.reason_to_keep(snapshot, state)
    if has_expired(snapshot.event, state) and not snapshot.round.changed:
        return ForgetState()
    if reason:
        return Done(Action.NOTHING, reason)
    if snapshot.round.changed:
        return ObserveSource()
    if not state.removed:
        return RecordRemoval(removed(state))
    if snapshot.destination is None and snapshot.round.unrecorded:
        return Delete(replaces=snapshot.round.unrecorded)
    if snapshot.destination is None or snapshot.round.unrecorded is not None:
        return StartRound()
    if not snapshot.destination.found:
        return Done(Action.NOTHING, "the source is gone, and so is the destination")
    return Delete(replaces=snapshot.destination.etag)


def _finish(snapshot: Snapshot, policy: Policy, state: KeyState, source: ObjectSnapshot) -> Step:
    action = snapshot.progress.action
    if not source.found:
        return Done(action)
    replica = snapshot.round.replica or (snapshot.destination.replica if snapshot.destination else ReplicaVersion())
    finished = state.open._replace(upload=None)
    equal = state._replace(origin=source.origin, replica=replica, removed=False, open=finished)
    if equal != state:
        return RecordState(equal)
    says_what_is_lacking = action is Action.REPLICATED or snapshot.event.kind is Kind.ANNOTATED
    not_carried = policy.not_carried(snapshot, source) if says_what_is_lacking else ()
    return Done(action, "", replica.version, not_carried)
