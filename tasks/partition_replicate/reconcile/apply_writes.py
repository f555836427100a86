"""The steps that write to the destination."""

from __future__ import annotations

import logging
from dataclasses import replace

from tasks.object_clerk.annotations import AnnotationCopy
from tasks.object_clerk.errors import DeadlineException, KeyNotFoundException, ObjectArchivedException
from tasks.partition_replicate.outcome import Action, Unfinished
from tasks.partition_replicate.reconcile import destination, steps, uploads
from tasks.partition_replicate.reconcile.apply_reads import leave_archived
from tasks.partition_replicate.reconcile.object_snapshot import ObjectSnapshot
from tasks.partition_replicate.reconcile.snapshot import CarriedAnnotations, Snapshot
from tasks.partition_replicate.reconcile.tools import Tools
from tasks.utils.key_state import KeyState, ReplicaVersion

LOGGER = logging.getLogger("bucket_brigade")


def _write(tools: Tools, snapshot: Snapshot, replaces: str, *, once: bool = False) -> tuple[KeyState, ReplicaVersion]:
    """Write the observed source, and return the key state and what was made."""
    source = snapshot.source or ObjectSnapshot(tools.sides.source)
    row, size = tools.row(snapshot), source.head["ContentLength"]
    if size < tools.sides.limits.threshold:
        answer = destination.put_object(tools.sides, source, replaces, once=once)
    else:
        answer = uploads.write_in_parts(tools.sides, row, source, replaces)
    return row.state, ReplicaVersion.by(answer)


def _size_with(snapshot: Snapshot) -> int:
    """Return the bytes that were carried once the observed source was written."""
    return snapshot.progress.size + (snapshot.source.head["ContentLength"] if snapshot.source else 0)


def copy(tools: Tools, snapshot: Snapshot, step: steps.Copy) -> Snapshot:
    """Perform `Copy`."""
    state, replica = _write(tools, snapshot, step.replaces)
    written = snapshot._replace(state=state).with_round(replica=replica, changed=True)
    return written.did(Action.REPLICATED, size=_size_with(snapshot))


def copy_version(tools: Tools, snapshot: Snapshot, step: steps.CopyVersion) -> Snapshot:
    """Perform `CopyVersion`."""
    try:
        state, replica = _write(tools, snapshot, step.replaces, once=step.once)
    except ObjectArchivedException as error:
        return leave_archived(snapshot, step, error)
    return snapshot._replace(state=state).with_past(unrecorded=replica).did(None, size=_size_with(snapshot))


def delete(tools: Tools, snapshot: Snapshot, step: steps.Delete) -> Snapshot:
    """Perform `Delete`."""
    destination.delete(tools.sides, step.replaces)
    return snapshot.with_round(changed=True).did(Action.DELETED)


def put_marker(tools: Tools, snapshot: Snapshot, step: steps.PutMarker) -> Snapshot:
    """Perform `PutMarker`."""
    answer = destination.delete(tools.sides, step.replaces, once=step.once)
    return snapshot.with_past(unrecorded=ReplicaVersion.by(answer))


def put_tags(tools: Tools, snapshot: Snapshot, step: steps.PutTags) -> Snapshot:
    """Perform `PutTags`."""
    destination.put_tags(tools.sides, step.tags, step.version)
    found = snapshot.destination or ObjectSnapshot(tools.sides.destination)
    tagged = snapshot._replace(destination=replace(found, tags=step.tags))
    return tagged.with_round(changed=True).did(Action.TAGGED)


def retag(tools: Tools, snapshot: Snapshot, step: steps.Retag) -> Snapshot:
    """Perform `Retag`."""
    single = snapshot.single(step.row.version)
    replica = step.row.replica or ReplicaVersion()
    try:
        destination.put_tags(tools.sides, step.row.tags, replica.version)
    except KeyNotFoundException:
        return snapshot.with_single(single._replace(lost=True))
    tools.table.write_tags(snapshot.event.object.key, step.row.version, replica, step.row.tags)
    again = single._replace(tags=None, replica_tags=step.row.tags, retags=single.retags + 1)
    return snapshot.with_single(again).did(step.action)


def carry_annotations(tools: Tools, snapshot: Snapshot, step: steps.CarryAnnotations) -> Snapshot:
    """Perform `CarryAnnotations`."""
    sides, row = tools.sides, tools.row(snapshot)
    work = AnnotationCopy(
        sides.reading,
        step.source,
        sides.writing,
        sides.replica(step.replica.version),
        step.replica.etag,
        fresh=step.is_fresh,
        exact=True,
        look=step.compares or row.state.annotated,
        before_writes=row.write_annotated,
    )
    try:
        work.run()
    except DeadlineException as error:
        raise Unfinished(
            error.reason,
            carried=work.writes,
            operation="replicate annotations",
            source=step.source,
            destination=work.destination,
        ) from error
    except KeyNotFoundException:
        if not step.may_be_gone:
            raise
        return snapshot.with_round(annotations=CarriedAnnotations())
    carried = CarriedAnnotations(work.writes, work.lacking)
    changed = snapshot.round.changed or bool(work.writes)
    done = snapshot._replace(state=row.state).with_round(annotations=carried, changed=changed)
    return done.did(step.action) if work.writes else done


def remove_version(tools: Tools, snapshot: Snapshot, step: steps.RemoveVersion) -> Snapshot:
    """Perform `RemoveVersion`."""
    is_removed = destination.remove(tools.sides, step.replica)
    done = snapshot.with_single(snapshot.single(step.source)._replace(is_removed=is_removed))
    return done.did(step.action if is_removed else None)


def undo(tools: Tools, snapshot: Snapshot, step: steps.Undo) -> Snapshot:
    """Perform `Undo`."""
    row, staying = tools.row(snapshot), set(snapshot.past.staying)
    for version in step.versions:
        if step.source_is_gone:
            LOGGER.info("an untracked version goes with its source version", extra={"version_id": version})
        # Another worker may be about to record what it is. One of the two changes the row first.
        row.write_open(pending_delete=version)
        if not destination.remove(tools.sides, version):
            staying.add(version)
        row.write_open(pending_delete="", required=False)
    unrecorded = snapshot.past.unrecorded
    is_undone = unrecorded is not None and unrecorded.version in step.versions
    done = snapshot._replace(state=row.state).after_untracked(step.versions)
    return done.with_past(staying=frozenset(staying), unrecorded=None if is_undone else unrecorded)


def abandon_upload(tools: Tools, snapshot: Snapshot, _: steps.AbandonUpload) -> Snapshot:
    """Perform `AbandonUpload`."""
    row = tools.row(snapshot)
    uploads.abandon(tools.sides, row)
    return snapshot._replace(state=row.state)


def sweep_uploads(tools: Tools, snapshot: Snapshot, _: steps.SweepUploads) -> Snapshot:
    """Perform `SweepUploads`."""
    upload = snapshot.state.open.upload if snapshot.state else None
    uploads.abort_unrecorded(tools.sides, keep=upload.id if upload else "")
    return snapshot.did(None, is_swept=True)
