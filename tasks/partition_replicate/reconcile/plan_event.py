"""The part of the plan for what an event says about one version, once the newest versions belong together.

The version's tags or annotations changed, or it was removed for good. An event of a version that the source does not
have any more may also be the only trace of a copy that a killed worker did not record.
"""

# pylint: disable=too-many-return-statements  # a plan is a list of rules, and the first that applies returns its step

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tasks.object_clerk import checksums
from tasks.object_clerk.annotations import CARRY, NAME
from tasks.object_clerk.versions import Version
from tasks.partition_replicate.outcome import Action
from tasks.partition_replicate.reconcile.plan_untracked import is_copy_of_any
from tasks.partition_replicate.reconcile.policy import Policy
from tasks.partition_replicate.reconcile.single_version import retag
from tasks.partition_replicate.reconcile.snapshot import Snapshot
from tasks.partition_replicate.reconcile.steps import (
    AbandonUpload,
    CarryAnnotations,
    CheckGone,
    Done,
    ForgetVersion,
    ListDestination,
    ReadRecords,
    ReadVersionRow,
    RemoveVersion,
    StartRound,
    Step,
    Undo,
)
from tasks.utils.events import Kind
from tasks.utils.key_state import KeyState, ReplicaVersion
from tasks.utils.mirror_settings import MIRROR


def next_step(snapshot: Snapshot, policy: Policy, state: KeyState) -> Step:
    """Return the next step for the version that the event names, and at last `Done`."""
    return _about_version(snapshot, policy, state) or _finish(snapshot, state)


def _about_version(snapshot: Snapshot, policy: Policy, state: KeyState) -> Step | None:
    kind, newest = snapshot.event.kind, state.origin.version
    version = snapshot.event.object.version_id or newest
    carried = snapshot.progress.carried
    if version and (kind in (Kind.TAGGED, Kind.RECHECK) or (kind is Kind.REQUESTED and not carried)):
        return _mirror_all_of(snapshot, policy, state, version)
    # A delivery before this one may have been killed amid annotations.
    may_lack_some = state.annotated and kind is Kind.CREATED and not carried
    if version and (kind is Kind.ANNOTATED or may_lack_some):
        return _mirror_annotations(snapshot, policy, version)
    if not version or version == newest:
        return None
    if kind in (Kind.REMOVED, Kind.LIFECYCLE_EXPIRED):
        return _forget_if_gone(snapshot, policy, version)
    is_mirrored = kind is Kind.CREATED and policy.version_deletes == MIRROR
    return _clean_up(snapshot, state, version) if is_mirrored else None


def _mirror_all_of(snapshot: Snapshot, policy: Policy, state: KeyState, version: str) -> Step | None:
    """Return the next step that mirrors the tags of a version, its annotations, and its removal."""
    kind = snapshot.event.kind
    step = retag(snapshot, version, action=Action.TAGGED)
    if step is None and kind is not Kind.TAGGED:
        step = _mirror_annotations(snapshot, policy, version)
    if step is None and kind is Kind.RECHECK and version != state.origin.version and policy.version_deletes == MIRROR:
        step = _clean_up(snapshot, state, version)
    return step


def _mirror_annotations(snapshot: Snapshot, policy: Policy, version: str) -> Step | None:
    single = snapshot.single(version)
    if not single.is_read:
        return ReadVersionRow(version)
    is_object = single.replica is not None and bool(single.replica.etag)
    if policy.annotations != CARRY or not is_object or snapshot.round.annotations is not None:
        return None
    source = replace(snapshot.event.object, version_id=version)
    replica = single.replica or ReplicaVersion()
    return CarryAnnotations(source, replica, is_fresh=False, compares=True, may_be_gone=True)


def _forget_if_gone(snapshot: Snapshot, policy: Policy, version: str) -> Step | None:
    """Return the next step that forgets a version that is gone for good, and removes what was made from it."""
    single = snapshot.single(version)
    if not single.is_read:
        return ReadVersionRow(version)
    if single.replica is None:
        return None
    if single.is_gone is None:
        return CheckGone(version, is_marker=not single.replica.etag)
    if not single.is_gone:
        return None
    is_mirrored = policy.version_deletes == MIRROR and snapshot.event.kind is Kind.REMOVED
    if is_mirrored and single.is_removed is None:
        return RemoveVersion(version, single.replica.version, Action.DELETED)
    if not single.is_forgotten:
        return ForgetVersion(version, single.replica.etag if single.is_removed else "", single.replica.version)
    return StartRound(careful=True) if single.is_removed else None


def _clean_up(snapshot: Snapshot, state: KeyState, version: str) -> Step | None:
    """Return the next step that removes what was made from a version and not recorded before the version was gone.

    The worker that made it was killed, and with the version gone only the event tells what it was. What was written
    above it since, of equal content or to hide it, goes too.
    """
    survey, event = snapshot.survey, snapshot.event
    if survey.records is None:
        return ReadRecords()
    if survey.progress.sorted:
        return StartRound(careful=True)
    if version in survey.records.replicas:
        return None
    single = snapshot.single(version)
    if single.is_gone is None:
        return CheckGone(version, is_marker=not event.etag)
    if not single.is_gone:
        return None
    if event.etag and not single.is_forgotten:
        # A server may still hold a write of it.
        return ForgetVersion(version, event.etag)
    if survey.destination is None:
        return ListDestination(whole=True)
    return _undo_left_over(snapshot, state, survey.destination.unknown[::-1])


def _undo_left_over(snapshot: Snapshot, state: KeyState, newest_first: Sequence[Version]) -> Step | None:
    tracked = snapshot.known_replicas
    left_over: list[str] = []
    above = None
    for version in newest_first:
        verdict: bool | Step = False
        if version.id not in tracked and version.id not in snapshot.past.staying:
            verdict = _is_left_over(snapshot, version, above if above and above.id in tracked else None)
        if verdict is True:
            left_over.append(version.id)
        elif verdict:
            return verdict
        else:
            above = version
    if above and above.is_marker and above.id not in tracked:
        # The oldest version that stays is a marker with nothing below it to hide.
        left_over.append(above.id)
    pending = (state.open.pending_delete,) if state.open.pending_delete and left_over else ()
    return Undo((*pending, *left_over), source_is_gone=True) if left_over else None


def _is_left_over(snapshot: Snapshot, version: Version, above: Version | None) -> bool | Step:
    """Return whether a version is what the event names, was made from another one that is gone, or repeats `above`.

    Args:
        snapshot: what is known.
        version: a version of the destination that no row names.
        above: the version above it that stays, if a row names that; None otherwise.

    Returns:
        The answer, or the observation that is missing for it.
    """
    if version.is_marker:
        return above is not None and above.is_marker
    etag, records = checksums.bare(version.etag), snapshot.survey.records
    if (etag, version.size) == (snapshot.event.etag, snapshot.event.size) or (records and etag in records.gone):
        return True
    return is_copy_of_any(snapshot, version.id, [above.id] if above and above.etag == version.etag else [])


def _finish(snapshot: Snapshot, state: KeyState) -> Step:
    if state.open.upload:
        return AbandonUpload()
    progress, annotations = snapshot.progress, snapshot.round.annotations
    not_carried = (NAME,) if annotations and annotations.lacking else progress.not_carried
    return Done(progress.action, progress.reason, state.replica.version, not_carried)
