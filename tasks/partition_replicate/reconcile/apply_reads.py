"""The steps that read: the table, the source and the destination."""

from __future__ import annotations

import logging

from tasks.object_clerk.errors import KeyNotFoundException, ObjectArchivedException
from tasks.object_clerk.part_copies import tags_of
from tasks.object_clerk.versions import versions_of
from tasks.partition_replicate.reconcile import observe, steps
from tasks.partition_replicate.reconcile.object_snapshot import TAKEN_ALONG, ObjectSnapshot
from tasks.partition_replicate.reconcile.snapshot import Snapshot
from tasks.partition_replicate.reconcile.survey import Listing
from tasks.partition_replicate.reconcile.tools import Tools

LOGGER = logging.getLogger("bucket_brigade")


def leave_archived(
    snapshot: Snapshot, step: steps.ObserveVersion | steps.CopyVersion, error: ObjectArchivedException
) -> Snapshot:
    """Return the snapshot once a version was found in an archive class, unless that is an error."""
    if not step.may_be_archived:
        raise error
    LOGGER.warning("an older version sleeps in an archive and is left out", extra={"reason": str(error)})
    progress = snapshot.survey.progress._replace(archived=step.version.id)
    return snapshot._replace(survey=snapshot.survey._replace(progress=progress))


# Reads of the table.


def read_state(tools: Tools, snapshot: Snapshot, _: steps.ReadState) -> Snapshot:
    """Perform `ReadState`."""
    return snapshot.with_state(tools.table.read_state(snapshot.event.object.key))


def read_records(tools: Tools, snapshot: Snapshot, _: steps.ReadRecords) -> Snapshot:
    """Perform `ReadRecords`."""
    return snapshot.with_records(*tools.table.read_all(snapshot.event.object.key))


def read_version_row(tools: Tools, snapshot: Snapshot, step: steps.ReadVersionRow) -> Snapshot:
    """Perform `ReadVersionRow`."""
    replica = tools.table.read_replica(snapshot.event.object.key, step.version)
    return snapshot.with_single(snapshot.single(step.version)._replace(is_read=True, replica=replica))


# Observations of the source.


def observe_source(tools: Tools, snapshot: Snapshot, step: steps.ObserveSource) -> Snapshot:
    """Perform `ObserveSource`."""
    reading, address = tools.sides.reading, tools.sides.source
    if step.most is None:
        return snapshot.with_source(observe.observe(reading, address))
    return snapshot.with_source(observe.observe_with_bytes(reading, address, most=step.most))


def observe_version(tools: Tools, snapshot: Snapshot, step: steps.ObserveVersion) -> Snapshot:
    """Perform `ObserveVersion`."""
    reading, address = tools.sides.reading, tools.sides.source_version(step.version.id)
    try:
        if step.version.size > TAKEN_ALONG:
            found = observe.observe(reading, address)
        else:
            found = observe.observe_with_bytes(reading, address, most=TAKEN_ALONG)
    except ObjectArchivedException as error:
        return leave_archived(snapshot, step, error)
    if not found.found:
        # It was removed for good since it was listed.
        return snapshot.after_version(step.version.id, was_written=False)
    return snapshot._replace(source=found)


def observe_tags(tools: Tools, snapshot: Snapshot, step: steps.ObserveTags) -> Snapshot:
    """Perform `ObserveTags`."""
    sides, single = tools.sides, snapshot.single(step.version)
    try:
        if step.replica:
            tags = tags_of(sides.writing, sides.replica(step.replica.version))
            return snapshot.with_single(single._replace(replica_tags=tags))
        tags = tags_of(sides.reading, sides.source_version(step.version))
        return snapshot.with_single(single._replace(tags=tags))
    except KeyNotFoundException:
        return snapshot.with_single(single._replace(lost=True))


def check_gone(tools: Tools, snapshot: Snapshot, step: steps.CheckGone) -> Snapshot:
    """Perform `CheckGone`."""
    address = tools.sides.source_version(step.version)
    is_gone = observe.is_gone(tools.sides.reading, address, is_marker=step.is_marker)
    return snapshot.with_single(snapshot.single(step.version)._replace(is_gone=is_gone))


def list_source(tools: Tools, snapshot: Snapshot, step: steps.ListSource) -> Snapshot:
    """Perform `ListSource`."""
    versions = versions_of(tools.sides.reading, tools.sides.source)
    return snapshot.with_source_listing(Listing.back_to({} if step.whole else snapshot.known_versions, versions))


# Observations of the destination.


def observe_destination(tools: Tools, snapshot: Snapshot, step: steps.ObserveDestination) -> Snapshot:
    """Perform `ObserveDestination`."""
    found = observe.observe(tools.sides.writing, tools.sides.destination, with_tags=step.with_tags)
    return snapshot._replace(destination=found)


def observe_newest(tools: Tools, snapshot: Snapshot, _: steps.ObserveNewest) -> Snapshot:
    """Perform `ObserveNewest`."""
    found = observe.observe_newest(tools.sides.writing, tools.sides.destination)
    return snapshot._replace(destination=found)


def observe_destination_tags(tools: Tools, snapshot: Snapshot, _: steps.ObserveDestinationTags) -> Snapshot:
    """Perform `ObserveDestinationTags`."""
    found = snapshot.destination or ObjectSnapshot(tools.sides.destination)
    return snapshot._replace(destination=observe.observe_tags(tools.sides.writing, found))


def observe_replica(tools: Tools, snapshot: Snapshot, step: steps.ObserveReplica) -> Snapshot:
    """Perform `ObserveReplica`."""
    address = tools.sides.replica(step.version)
    found = observe.observe(tools.sides.writing, address, with_tags=step.with_tags)
    return snapshot.with_replica(step.version, found)


def list_destination(tools: Tools, snapshot: Snapshot, step: steps.ListDestination) -> Snapshot:
    """Perform `ListDestination`."""
    versions = versions_of(tools.sides.writing, tools.sides.destination)
    return snapshot.with_destination_listing(Listing.back_to({} if step.whole else snapshot.known_replicas, versions))
