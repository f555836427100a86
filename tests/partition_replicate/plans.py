"""Snapshots as a test writes them, and a perfect world in which no request fails and no other worker is at work."""

import re
from dataclasses import replace
from datetime import UTC, datetime

from tasks.object_clerk.annotations import IGNORE
from tasks.object_clerk.versions import Version
from tasks.partition_replicate.reconcile.object_snapshot import ObjectSnapshot
from tasks.partition_replicate.reconcile.policy import Policy
from tasks.partition_replicate.reconcile.snapshot import CarriedAnnotations
from tasks.partition_replicate.reconcile.survey import Listing
from tasks.utils.events import Kind, ObjectEvent
from tasks.utils.key_state import (
    KeyState,
    Origin,
    Records,
    ReplicaVersion,
)
from tasks.utils.s3_object import S3Object

SOURCE, MIRROR = S3Object("source", "a.txt"), S3Object("mirror", "a.txt")


def event(kind=Kind.CREATED, **about):
    """An event of the key."""
    version = about.pop("version", None)
    return ObjectEvent(kind, kind.value, replace(SOURCE, version_id=version), **about)


def state(source="", replica="", **more):
    """A key state that names a source ETag and what was made from it."""
    return KeyState(origin=Origin(etag=source), replica=ReplicaVersion(etag=replica), **more)


def seen(address, etag=None, **more):
    """An observation of an object, or of nothing if there is no ETag."""
    version, tags = more.pop("version", None), more.pop("tags", {})
    if etag is None:
        return ObjectSnapshot(replace(address, version_id=version), **more)
    found = {"ETag": etag, "ContentLength": 5, "LastModified": datetime(2026, 1, 1, tzinfo=UTC)}
    found |= {"VersionId": version} if version else {}
    return ObjectSnapshot(replace(address, version_id=version), found, tags=tags, **more)


def versioned(*replicas, gone=()):
    """The records of source versions "s1", "s2", ...: what was made from each, or None."""
    known = {f"s{number}": replica for number, replica in enumerate(replicas, start=1)}
    return Records(known, frozenset(gone))


def listing(known, *versions):
    """A listing of versions, which are given from the newest, back to the first known one."""
    return Listing.back_to(known, versions)


class PerfectWorld:  # pylint: disable=too-few-public-methods  # it performs steps, and that is all
    """Both sides of a key as lists of versions, the oldest first, and what the table has of them.

    Attributes:
        source: the source's versions; a version without an ETag is a delete marker.
        mirror: those of the destination.
        state: the key state.
        replicas: source version -> what was made from it, None if it was left out on purpose.
    """

    def __init__(self, source):
        self.source, self.mirror = list(source), []
        self.state, self.replicas = KeyState(), {}

    def perform(self, step, snapshot):
        """Return the snapshot after a step, as `apply` does."""
        name = re.sub("(?<!^)(?=[A-Z])", "_", type(step).__name__).lower()
        return getattr(self, f"_{name}")(step, snapshot)

    # Reads.

    def _read_state(self, _, snapshot):
        return snapshot.with_state(self.state)

    def _read_records(self, _, snapshot):
        return snapshot.with_records(self.state, Records(dict(self.replicas), frozenset()))

    def _read_version_row(self, step, snapshot):
        replica = self.replicas.get(step.version)
        return snapshot.with_single(snapshot.single(step.version)._replace(is_read=True, replica=replica))

    def _observe_source(self, _, snapshot):
        return snapshot.with_source(self._newest(SOURCE, self.source))

    def _observe_destination(self, _, snapshot):
        return snapshot._replace(destination=self._newest(MIRROR, self.mirror))

    _observe_newest = _observe_destination

    def _observe_version(self, step, snapshot):
        return snapshot._replace(source=seen(SOURCE, step.version.etag, version=step.version.id))

    def _observe_replica(self, step, snapshot):
        (found,) = [version for version in self.mirror if version.id == step.version]
        return snapshot.with_replica(step.version, seen(MIRROR, found.etag, version=found.id, tags_asked=True))

    def _observe_tags(self, step, snapshot):
        single = snapshot.single(step.version)
        return snapshot.with_single(single._replace(**{"replica_tags" if step.replica else "tags": {}}))

    def _check_gone(self, step, snapshot):
        is_gone = all(version.id != step.version for version in self.source)
        return snapshot.with_single(snapshot.single(step.version)._replace(is_gone=is_gone))

    def _list_source(self, _, snapshot):
        return snapshot.with_source_listing(listing(snapshot.known_versions, *self.source[::-1]))

    def _list_destination(self, step, snapshot):
        known = {} if step.whole else snapshot.known_replicas
        return snapshot.with_destination_listing(listing(known, *self.mirror[::-1]))

    # Writes.

    def _copy(self, step, snapshot):
        assert step.replaces == (self.mirror[-1].etag if self.mirror else "")
        replica = self._write(snapshot.source.etag)
        return snapshot.with_round(replica=replica, changed=True)

    def _copy_version(self, step, snapshot):
        assert step.replaces == (self.mirror[-1].etag if self.mirror else "")
        return snapshot.with_past(unrecorded=self._write(step.version.etag))

    def _put_marker(self, _, snapshot):
        return snapshot.with_past(unrecorded=self._write(""))

    def _delete(self, step, snapshot):
        assert step.replaces == self.mirror[-1].etag
        self._write("")
        return snapshot.with_round(changed=True)

    def _remove_version(self, step, snapshot):
        self.mirror = [version for version in self.mirror if version.id != step.replica]
        return snapshot.with_single(snapshot.single(step.source)._replace(is_removed=True))

    def _undo(self, step, snapshot):
        self.mirror = [version for version in self.mirror if version.id not in step.versions]
        return snapshot.after_untracked(step.versions)

    def _carry_annotations(self, _, snapshot):
        return snapshot.with_round(annotations=CarriedAnnotations())

    def _sweep_uploads(self, _, snapshot):
        return snapshot.did(None, is_swept=True)

    # Records.

    def _record_state(self, step, snapshot):
        self.state = step.state
        return snapshot._replace(state=step.state)

    def _record_removal(self, step, snapshot):
        named, self.state = snapshot.state.replica.etag, step.state
        return snapshot._replace(state=step.state).with_round(unrecorded=named)

    def _record_version(self, step, snapshot):
        version, replica = step.row.version, step.row.replica
        self.state, self.replicas[version] = step.state, replica
        done = snapshot._replace(state=step.state).with_round(annotations=None)
        if replica is None:
            return done.after_version(version, was_written=False)
        done = done._replace(survey=done.survey._replace(top=replica))
        if step.action is None:
            return done.after_adoption(version, replica.version)
        return done.after_version(version, was_written=True).with_past(unrecorded=None).did(step.action, carried=1)

    def _forget_state(self, _, snapshot):
        self.state = KeyState()
        return snapshot._replace(state=self.state).with_round(changed=True)

    def _forget_version(self, step, snapshot):
        self.replicas.pop(step.version, None)
        return snapshot.with_single(snapshot.single(step.version)._replace(is_forgotten=True))

    # Steps without a request.

    def _start_round(self, step, snapshot):
        return snapshot.next_round(careful=step.careful)

    def _settle(self, step, snapshot):
        return snapshot.settled().did(step.action)

    def _write(self, etag):
        self.mirror.append(Version(f"d{len(self.mirror) + 100}", etag, 5 if etag else 0))
        return ReplicaVersion(self.mirror[-1].id, etag)

    def _newest(self, address, versions):
        newest = versions[-1] if versions else Version("")
        marker = newest.id if newest.is_marker else ""
        return seen(address, newest.etag or None, version=newest.id or None, marker=marker)


def is_same(step, expected):
    """Whether two steps are the same: named tuples of different types are equal if their attributes are."""
    return type(step) is type(expected) and step == expected


ALL = Policy(every_version=True, annotations=IGNORE)

CREATED, REMOVED = event(etag="s2", size=5), event(Kind.REMOVED)
AT_S1, AT_D1 = seen(SOURCE, '"s1"'), seen(MIRROR, '"d1"')

V1, V2, V3 = (Version(f"s{number}", f'"e{number}"', 5) for number in (1, 2, 3))
D1, D2 = ReplicaVersion("d1", '"e1"'), ReplicaVersion("d2", '"e2"')
MARKER = Version("s9")


def copy_of(version):
    """A version of the destination, and its observation."""
    replica = Version("x", version.etag, version.size)
    return replica, seen(MIRROR, version.etag, version="x", tags_asked=True)


COPY_OF_2, SEEN_COPY = copy_of(V2)
