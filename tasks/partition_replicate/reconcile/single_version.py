"""The parts of a plan that are about one version of the source, and what was made from it."""

# pylint: disable=too-many-return-statements  # a plan is a list of rules, and the first that applies returns its step

from __future__ import annotations

from typing import Any, NamedTuple

from tasks.object_clerk.versions import Version
from tasks.partition_replicate.outcome import Action
from tasks.partition_replicate.reconcile.object_snapshot import ObjectSnapshot
from tasks.partition_replicate.reconcile.policy import Policy, expires
from tasks.partition_replicate.reconcile.snapshot import Snapshot
from tasks.partition_replicate.reconcile.steps import (
    CheckGone,
    ForgetVersion,
    GiveUp,
    ObserveTags,
    ReadVersionRow,
    RecordVersion,
    RemoveVersion,
    Retag,
    StartRound,
    Step,
)
from tasks.utils.key_state import KeyState, Origin, ReplicaVersion, VersionRow
from tasks.utils.mirror_settings import MIRROR

# How often the tags of one version are put again while they are changed all the time.
ROUNDS = 8


class Pair(NamedTuple):
    """A version of the source, and what was made from it.

    Attributes:
        version: the source's version, as it was listed.
        replica: what was made from it.
        source: the version as it was observed; None for a delete marker.
    """

    version: Version
    replica: ReplicaVersion
    source: ObjectSnapshot | None = None


def record(
    state: KeyState,
    pair: Pair,
    *,
    action: Action | None = None,
    untagged: bool = False,
    not_carried: tuple[str, ...] = (),
) -> Step:
    """Return the step that records what was made from a version.

    Args:
        state: the key state.
        pair: the version, and what was made from it.
        action: the word for it if this work wrote the replica; None if it is adopted.
        untagged: the replica does not have the tags of its source yet.
        not_carried: what the replica does not have of its source.
    """
    version, replica, source = pair
    changes: dict[str, Any] = {"untagged": version.id if untagged else ""}
    upload = state.open.upload
    if source and upload and upload.source == source.stamp:
        # It is completed; an upload of another state is still to be aborted.
        changes["upload"] = None
    new = state.with_open(**changes)._replace(origin=Origin(version.id, version.etag), replica=replica, removed=False)
    tags = source.tags if source and not untagged else {}
    return RecordVersion(VersionRow(version.id, replica, tags), new, action, not_carried=not_carried)


def leave_out(snapshot: Snapshot, state: KeyState, version: Version) -> Step:
    """Return the step that records that a version is left out on purpose."""
    reason = ""
    if version.is_marker:
        reason = "the source has expired" if expires(snapshot.event, version) else "deletes are not mirrored"
    new = state._replace(origin=Origin(version.id, "", True), replica=snapshot.survey.top, removed=False)
    return RecordVersion(VersionRow(version.id, None, {}), new, reason=reason)


def retag(snapshot: Snapshot, version: str, *, action: Action | None) -> Step | None:
    """Return the next step that mirrors the tags of a version; None if nothing is left to do.

    Tags take no precondition, so the source is observed again after they were put.
    """
    single = snapshot.single(version)
    if not single.is_read:
        return ReadVersionRow(version)
    if single.lost or not single.replica or not single.replica.etag:
        return None
    if single.tags is None:
        return ObserveTags(version)
    if single.replica_tags is None:
        return ObserveTags(version, single.replica)
    if single.tags == single.replica_tags:
        return None
    if single.retags == ROUNDS:
        return GiveUp(f"they were changed {ROUNDS} times in a row", "replicate tags")
    return Retag(VersionRow(version, single.replica, single.tags), action)


def remove_newest(snapshot: Snapshot, policy: Policy, *, action: Action | None) -> Step | None:
    """Return the next step that removes the destination's newest version because its source was removed for good.

    None if it is not such a version, or if Object Lock keeps it: then it has to be hidden.
    """
    top = snapshot.survey.top
    source = snapshot.known_replicas.get(top.version)
    if policy.version_deletes != MIRROR or not source:
        return None
    single = snapshot.single(source)
    if single.is_gone is None:
        return CheckGone(source, is_marker=not top.etag)
    if not single.is_gone or single.is_removed is False:
        return None
    if single.is_removed is None:
        return RemoveVersion(source, top.version, action)
    return StartRound(careful=True) if single.is_forgotten else ForgetVersion(source, top.etag, top.version)
