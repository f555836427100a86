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
from tasks.partition_replicate.reconcile.plan_untracked import is_copy_of_any, is_superfluous
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
    ListSource,
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
    return _clean_up(snapshot, policy, state, version) if is_mirrored else None


def _mirror_all_of(snapshot: Snapshot, policy: Policy, state: KeyState, version: str) -> Step | None:
    """Return the next step that mirrors the tags of a version, its annotations, and its removal."""
    kind = snapshot.event.kind
    step = retag(snapshot, version, action=Action.TAGGED)
    if step is None and kind is not Kind.TAGGED:
        step = _mirror_annotations(snapshot, policy, version)
    if step is None and kind is Kind.RECHECK and policy.version_deletes == MIRROR:
        step = _clean_up(snapshot, policy, state, version)
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


def _clean_up(snapshot: Snapshot, policy: Policy, state: KeyState, version: str) -> Step | None:
    """Return the next step that removes what no row names and the history of the source does not have.

    A worker that was killed before it recorded its write, or a server that carried out a write late, may have left it
    anywhere in the history. If its version is gone, only the event tells what it was; what was written above it since,
    of equal content or to hide it, goes too. A creation's event looks only for what its version left once that is gone;
    a recheck looks in any case.
    """
    survey, event = snapshot.survey, snapshot.event
    if survey.records is None:
        return ReadRecords()
    if survey.progress.sorted:
        return StartRound(careful=True)
    single = snapshot.single(version)
    if version not in survey.records.replicas:
        if single.is_gone is None:
            return CheckGone(version, is_marker=not event.etag)
        if single.is_gone and event.etag and not single.is_forgotten:
            # A server may still hold a write of it.
            return ForgetVersion(version, event.etag)
    if not single.is_gone and event.kind is not Kind.RECHECK:
        return None
    if survey.destination is None:
        return ListDestination(whole=True)
    if survey.source is None:
        return ListSource(whole=True)
    return _undo_left_over(snapshot, policy, state, survey.destination.unknown[::-1])


def _undo_left_over(
    snapshot: Snapshot, policy: Policy, state: KeyState, newest_first: Sequence[Version]
) -> Step | None:
    tracked, is_gone = snapshot.known_replicas, bool(snapshot.survey.single.is_gone)
    between = _between_mirrored(snapshot, state, newest_first)
    left_over: list[str] = []
    above = None
    for place, version in enumerate(newest_first):
        verdict: bool | Step = False
        if version.id not in tracked and version.id not in snapshot.past.staying:
            named_above = above if above and above.id in tracked else None
            verdict = _is_left_over(snapshot, policy, version, named_above, is_between=place in between)
        if verdict is True:
            left_over.append(version.id)
        elif verdict:
            return verdict
        else:
            above = version
    if is_gone and above and above.is_marker and above.id not in tracked:
        # The oldest version that stays is a marker with nothing below it to hide.
        left_over.append(above.id)
    pending = (state.open.pending_delete,) if state.open.pending_delete and left_over else ()
    return Undo((*pending, *left_over), source_is_gone=is_gone) if left_over else None


def _between_mirrored(snapshot: Snapshot, state: KeyState, newest_first: Sequence[Version]) -> range:
    """Return the places in a listing at which only versions that rows name are mirrored ones.

    They begin below the newest such version. What is below the oldest one may have been mirrored before the table kept
    rows; if rows name every version of the source, it was not. Versions that are newer than the one in the key row are
    not mirrored yet.
    """
    survey, tracked = snapshot.survey, snapshot.known_replicas
    places = [place for place, version in enumerate(newest_first) if version.id in tracked]
    if not places:
        return range(0)
    known = survey.records.replicas if survey.records else {}
    oldest_first = [version.id for version in survey.source.unknown] if survey.source else []
    if state.origin.version in oldest_first:
        oldest_first = oldest_first[: oldest_first.index(state.origin.version)]
    is_all = survey.source is not None and known.keys() >= set(oldest_first)
    return range(places[0], len(newest_first) if is_all else places[-1])


def _is_left_over(
    snapshot: Snapshot, policy: Policy, version: Version, above: Version | None, *, is_between: bool
) -> bool | Step:
    """Return whether a version was left by a kill or a late write, as far as its place and its content prove that.

    Args:
        snapshot: what is known.
        policy: what the settings ask for.
        version: a version of the destination that no row names.
        above: the version above it that stays, if a row names that; None otherwise.
        is_between: only versions that rows name are mirrored ones at its place.

    Returns:
        The answer, or the observation that is missing for it.
    """
    event, is_gone = snapshot.event, bool(snapshot.survey.single.is_gone)
    if version.is_marker:
        return is_between or (is_gone and above is not None and above.is_marker)
    if is_gone and (checksums.bare(version.etag), version.size) == (event.etag, event.size):
        return True
    if is_between or (is_gone and not snapshot.known_replicas):
        return is_superfluous(snapshot, policy, version)
    is_alike = is_gone and above is not None and above.etag == version.etag
    return is_copy_of_any(snapshot, version.id, [above.id] if above and is_alike else [])


def _finish(snapshot: Snapshot, state: KeyState) -> Step:
    if state.open.upload:
        return AbandonUpload()
    progress, annotations = snapshot.progress, snapshot.round.annotations
    not_carried = (NAME,) if annotations and annotations.lacking else progress.not_carried
    return Done(progress.action, progress.reason, state.replica.version, not_carried)
