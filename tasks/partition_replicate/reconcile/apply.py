"""Performs one step of a plan and returns the snapshot after it.

Nothing is decided here but whether a precondition held. Each function performs one kind of step; those that read are in
`apply_reads`, those that write to the destination in `apply_writes`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tasks.object_clerk.errors import KeyNotFoundException, ObjectChangedException
from tasks.partition_replicate.errors import LostRace, RowChanged
from tasks.partition_replicate.reconcile import apply_reads, apply_writes, steps
from tasks.partition_replicate.reconcile.snapshot import Snapshot
from tasks.partition_replicate.reconcile.steps import Step
from tasks.partition_replicate.reconcile.tools import Tools
from tasks.utils.key_state import KeyState


def apply(step: Step, snapshot: Snapshot, tools: Tools) -> Snapshot:
    """Perform one step, and return the snapshot after it.

    Raises:
        LostRace: a precondition did not hold, or an object or version is gone.
        Unfinished: time ran out amid the step; what was carried stays.
        ObjectClerkException: S3 refuses something.
        TableError: the table did not answer.
    """
    try:
        return PERFORM[type(step)](tools, snapshot, step)
    except (ObjectChangedException, KeyNotFoundException, RowChanged) as error:
        raise LostRace(error) from error


# Writes to the table.


def _record_state(tools: Tools, snapshot: Snapshot, step: steps.RecordState) -> Snapshot:
    row = tools.row(snapshot)
    row.write(step.state, required=step.required)
    return snapshot._replace(state=row.state)


def _record_removal(tools: Tools, snapshot: Snapshot, step: steps.RecordRemoval) -> Snapshot:
    row = tools.row(snapshot)
    named = row.state.replica.etag
    row.write(step.state, required=True)
    return snapshot._replace(state=row.state).with_round(unrecorded=named)


def _record_version(tools: Tools, snapshot: Snapshot, step: steps.RecordVersion) -> Snapshot:
    row, version, replica = tools.row(snapshot), step.row.version, step.row.replica
    row.write_version(step.state, step.row)
    done = snapshot._replace(state=row.state).with_round(annotations=None)
    if step.not_carried is not None:
        done = done.did(None, not_carried=step.not_carried)
    if replica is None:
        done = done.did(None, reason=step.reason or done.progress.reason)
        return done.after_version(version, was_written=False)
    done = done._replace(survey=done.survey._replace(top=replica))
    if step.action is None:
        return done.after_adoption(version, replica.version)
    written = done.after_version(version, was_written=True).with_past(unrecorded=None)
    return written.did(step.action, carried=written.progress.carried + 1)


def _forget_state(tools: Tools, snapshot: Snapshot, _: steps.ForgetState) -> Snapshot:
    tools.table.forget_state(snapshot.event.object.key, snapshot.state or KeyState())
    return snapshot._replace(state=KeyState()).with_round(changed=True)


def _forget_version(tools: Tools, snapshot: Snapshot, step: steps.ForgetVersion) -> Snapshot:
    key = snapshot.event.object.key
    if step.gone_etag:
        tools.table.write_gone(key, step.version, step.gone_etag, step.replica)
    else:
        tools.table.forget(key, step.version)
    return snapshot.with_single(snapshot.single(step.version)._replace(is_forgotten=True))


# Steps without a request.


def _start_round(_: Tools, snapshot: Snapshot, step: steps.StartRound) -> Snapshot:
    return snapshot.next_round(careful=step.careful)


def _settle(_: Tools, snapshot: Snapshot, step: steps.Settle) -> Snapshot:
    return snapshot.settled().did(step.action, reason=step.reason or snapshot.progress.reason)


# By the type of the step, which is that of each function's last parameter.
PERFORM: dict[type, Callable[[Tools, Snapshot, Any], Snapshot]] = {
    steps.ReadState: apply_reads.read_state,
    steps.ReadRecords: apply_reads.read_records,
    steps.ReadVersionRow: apply_reads.read_version_row,
    steps.ObserveSource: apply_reads.observe_source,
    steps.ObserveVersion: apply_reads.observe_version,
    steps.ObserveTags: apply_reads.observe_tags,
    steps.CheckGone: apply_reads.check_gone,
    steps.ListSource: apply_reads.list_source,
    steps.ObserveDestination: apply_reads.observe_destination,
    steps.ObserveNewest: apply_reads.observe_newest,
    steps.ObserveDestinationTags: apply_reads.observe_destination_tags,
    steps.ObserveReplica: apply_reads.observe_replica,
    steps.ListDestination: apply_reads.list_destination,
    steps.Copy: apply_writes.copy,
    steps.CopyVersion: apply_writes.copy_version,
    steps.Delete: apply_writes.delete,
    steps.PutMarker: apply_writes.put_marker,
    steps.PutTags: apply_writes.put_tags,
    steps.Retag: apply_writes.retag,
    steps.CarryAnnotations: apply_writes.carry_annotations,
    steps.RemoveVersion: apply_writes.remove_version,
    steps.Undo: apply_writes.undo,
    steps.AbandonUpload: apply_writes.abandon_upload,
    steps.SweepUploads: apply_writes.sweep_uploads,
    steps.RecordState: _record_state,
    steps.RecordRemoval: _record_removal,
    steps.RecordVersion: _record_version,
    steps.ForgetState: _forget_state,
    steps.ForgetVersion: _forget_version,
    steps.StartRound: _start_round,
    steps.Settle: _settle,
}
