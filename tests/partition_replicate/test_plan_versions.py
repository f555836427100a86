"""The plan for every version: the rules of the task's README, each as a snapshot and the step that follows."""

import pytest

from tasks.object_clerk.versions import Version
from tasks.partition_replicate.outcome import Action
from tasks.partition_replicate.reconcile import steps
from tasks.partition_replicate.reconcile.plan import next_step
from tasks.partition_replicate.reconcile.policy import removed
from tasks.partition_replicate.reconcile.snapshot import Round, Snapshot
from tasks.partition_replicate.reconcile.survey import Past, Survey, VersionSnapshot
from tasks.utils.events import Kind
from tasks.utils.key_state import KeyState, OpenWork, Origin, ReplicaVersion, VersionRow
from tasks.utils.mirror_settings import MIRROR
from tests.partition_replicate import plans
from tests.partition_replicate.plans import (
    ALL,
    AT_S1,
    COPY_OF_2,
    CREATED,
    D1,
    MARKER,
    REMOVED,
    SEEN_COPY,
    V1,
    V2,
    V3,
    event,
    is_same,
    listing,
    seen,
    versioned,
)

ALL_MIRRORED = ALL._replace(version_deletes=MIRROR)

AT_V1 = KeyState(origin=Origin("s1", '"e1"'), replica=D1)
FAST = Survey(top=D1)
CAREFUL = Round(past=Past(careful=True))


def careful(*new, untracked=(), known=(D1,), **more):
    """What a careful round knows: source and destination were listed back to the first version and its replica."""
    records = versioned(*known)
    tracked = [Version(known[0].version, known[0].etag, 5)] if known[0] else []
    destination = listing({"d1": "s1", "d2": "s2"}, *untracked[::-1], *tracked)
    top = destination.newest or Version("")
    return Survey(
        records,
        listing(records.replicas, *new[::-1], V1),
        destination,
        ReplicaVersion(top.id, top.etag),
        **more,
    )


def gone(*versions, policy=ALL_MIRRORED, known=(), staying=()):
    """The source has no version any more, which is recorded; the destination has these, the newest first."""
    destination = listing(known, *versions)
    survey = Survey(versioned(), listing({}), destination, ReplicaVersion(versions[0].id, versions[0].etag))
    past = Past(careful=True, staying=frozenset(staying))
    return Snapshot(REMOVED, removed(AT_V1), round=Round(past=past), survey=survey), policy


SOURCE_2 = seen(plans.SOURCE, V2.etag, version="s2")

VERSION_RULES = {
    "nothing is known: the key row is read": (Snapshot(CREATED), ALL, steps.ReadState()),
    "the key row is known: list the source": (Snapshot(CREATED, AT_V1, survey=FAST), ALL, steps.ListSource()),
    "the event is a recheck: list with care": (
        Snapshot(event(Kind.RECHECK), AT_V1, survey=FAST),
        ALL,
        steps.StartRound(careful=True),
    ),
    "a new version: observe it": (
        Snapshot(CREATED, AT_V1, survey=FAST._replace(source=listing({"s1"}, V2, V1))),
        ALL,
        steps.ObserveVersion(V2, may_be_archived=False),
    ),
    "a new version was observed: copy it if the recorded ETag is there": (
        Snapshot(CREATED, AT_V1, SOURCE_2, survey=FAST._replace(source=listing({"s1"}, V2, V1))),
        ALL,
        steps.CopyVersion(V2, '"e1"', once=False, may_be_archived=False),
    ),
    "two new versions: the older one first, which may be archived": (
        Snapshot(CREATED, AT_V1, survey=FAST._replace(source=listing({"s1"}, V3, V2, V1))),
        ALL,
        steps.ObserveVersion(V2, may_be_archived=True),
    ),
    "a new marker: put one if the recorded ETag is there": (
        Snapshot(CREATED, AT_V1, survey=FAST._replace(source=listing({"s1"}, MARKER, V1))),
        ALL,
        steps.PutMarker('"e1"', once=False),
    ),
    "nothing new: observe whether the recorded version is the newest": (
        Snapshot(CREATED, AT_V1, survey=FAST._replace(source=listing({"s1"}, V1))),
        ALL,
        steps.ObserveNewest(),
    ),
    "nothing new, and the recorded version is the newest: settled": (
        Snapshot(
            CREATED,
            AT_V1,
            destination=seen(plans.MIRROR, '"e1"', version="d1"),
            survey=FAST._replace(source=listing({"s1"}, V1)),
        ),
        ALL,
        steps.Settle(),
    ),
    "nothing new, and another version is the newest: go on with care": (
        Snapshot(
            CREATED,
            AT_V1,
            destination=seen(plans.MIRROR, '"x"', version="d7"),
            survey=FAST._replace(source=listing({"s1"}, V1)),
        ),
        ALL,
        steps.StartRound(careful=True),
    ),
    "the recorded version is gone: go on with care": (
        Snapshot(CREATED, AT_V1, survey=FAST._replace(source=listing({"s1"}, V2))),
        ALL,
        steps.StartRound(careful=True),
    ),
    "the new version has the bytes of the recorded one: it may be there already, go on with care": (
        Snapshot(CREATED, AT_V1, survey=FAST._replace(source=listing({"s1"}, Version("s2", '"e1"', 5), V1))),
        ALL,
        steps.StartRound(careful=True),
    ),
    "with care: read all rows": (Snapshot(CREATED, AT_V1, round=CAREFUL), ALL, steps.ReadRecords()),
    "a pending delete is recorded: finish it first": (
        Snapshot(
            CREATED,
            AT_V1._replace(open=OpenWork(pending_delete="x")),
            round=CAREFUL,
            survey=Survey(versioned(D1)),
        ),
        ALL,
        steps.Undo(("x",)),
    ),
    "all rows were read: list the destination, then the source": (
        Snapshot(CREATED, AT_V1, round=CAREFUL, survey=Survey(versioned(D1))),
        ALL,
        steps.ListDestination(),
    ),
    "an own version could not be recorded: undo it": (
        Snapshot(
            CREATED,
            AT_V1,
            round=Round(past=Past(careful=True, unrecorded=ReplicaVersion("x", '"e2"'))),
            survey=Survey(versioned(D1)),
        ),
        ALL,
        steps.Undo(("x",)),
    ),
    "an untracked version has the size of the next new one: observe both": (
        Snapshot(CREATED, AT_V1, SOURCE_2, round=CAREFUL, survey=careful(V2, untracked=[COPY_OF_2])),
        ALL,
        steps.ObserveReplica("x", with_tags=True),
    ),
    "an untracked version equals the next new one: adopt it": (
        Snapshot(
            CREATED,
            AT_V1,
            SOURCE_2,
            round=CAREFUL,
            survey=careful(V2, untracked=[COPY_OF_2], replicas={"x": SEEN_COPY}),
        ),
        ALL,
        steps.RecordVersion(
            VersionRow("s2", ReplicaVersion("x", '"e2"'), {}),
            AT_V1._replace(origin=Origin("s2", '"e2"'), replica=ReplicaVersion("x", '"e2"')),
            not_carried=("ACL", "annotations"),
        ),
    ),
    "an untracked marker above the newest version: undo it": (
        Snapshot(CREATED, AT_V1, round=CAREFUL, survey=careful(untracked=[Version("x")])),
        ALL,
        steps.Undo(("x",)),
    ),
    "an untracked version of another writer: write the newest above it": (
        Snapshot(CREATED, AT_V1, round=CAREFUL, survey=careful(untracked=[Version("x", '"other"', 7)])),
        ALL,
        steps.ObserveVersion(V1, may_be_archived=False),
    ),
    "an orphan copy of a version that was removed for good: undo it": (
        Snapshot(
            CREATED,
            AT_V1,
            round=CAREFUL,
            survey=careful(untracked=[COPY_OF_2])._replace(records=versioned(D1, gone=["e2"])),
        ),
        ALL_MIRRORED,
        steps.Undo(("x",)),
    ),
    "both sides end with a pair: settled": (
        Snapshot(CREATED, AT_V1, round=CAREFUL, survey=careful()),
        ALL,
        steps.Settle(),
    ),
    "the source has no version, and its removal was reported: record that": (
        Snapshot(REMOVED, AT_V1, round=CAREFUL, survey=careful()._replace(source=listing({}))),
        ALL,
        steps.RecordRemoval(removed(AT_V1)),
    ),
    "the removal is recorded, and an object is the newest: hide it": (
        Snapshot(REMOVED, removed(AT_V1), round=CAREFUL, survey=careful()._replace(source=listing({}))),
        ALL,
        steps.Delete(replaces='"e1"'),
    ),
    "no version is left on either side, only untracked delete markers: undo them": (
        *gone(Version("y"), Version("x")),
        steps.Undo(("x", "y"), source_is_gone=True),
    ),
    "only untracked delete markers are left, and removed versions stay: settled": (
        *gone(Version("y"), Version("x"), policy=ALL),
        steps.Settle(),
    ),
    "an untracked delete marker hides an object of another writer: settled": (
        *gone(Version("y"), Version("x", '"other"', 7)),
        steps.Settle(),
    ),
    "an untracked delete marker is above one that a row names: settled": (
        *gone(Version("y"), Version("x"), known=["x"]),
        steps.Settle(),
    ),
    "an untracked delete marker was tried before and stays: settled": (
        *gone(Version("y"), staying=["y"]),
        steps.Settle(),
    ),
    "both sides were listed as before for the fifth time: observe what they serve": (
        Snapshot(CREATED, AT_V1, round=Round(past=Past(careful=True, views=5)), survey=careful()),
        ALL,
        steps.ObserveDestination(),
    ),
    "settled, the event is about tags: read what was made from the version": (
        Snapshot(event(Kind.TAGGED), AT_V1, round=Round(past=Past(settled=True))),
        ALL,
        steps.ReadVersionRow("s1"),
    ),
    "settled, a version was removed for good: observe that": (
        Snapshot(
            event(Kind.REMOVED, version="s0"),
            AT_V1,
            round=Round(past=Past(settled=True)),
            survey=Survey(single=VersionSnapshot("s0", True, D1)),
        ),
        ALL_MIRRORED,
        steps.CheckGone("s0", is_marker=False),
    ),
    "the version is gone: remove its replica": (
        Snapshot(
            event(Kind.REMOVED, version="s0"),
            AT_V1,
            round=Round(past=Past(settled=True)),
            survey=Survey(single=VersionSnapshot("s0", True, D1, is_gone=True)),
        ),
        ALL_MIRRORED,
        steps.RemoveVersion("s0", "d1", Action.DELETED),
    ),
    "settled, nothing more to do: done": (
        Snapshot(CREATED, AT_V1, round=Round(past=Past(settled=True))),
        ALL,
        steps.Done(Action.EQUAL, version="d1"),
    ),
}


@pytest.mark.parametrize("snapshot, policy, expected", VERSION_RULES.values(), ids=VERSION_RULES)
def test_next_step_for_every_version(snapshot, policy, expected):
    assert is_same(next_step(snapshot, policy), expected)


def test_uploads_are_swept_before_a_recheck_is_done():
    recheck = Snapshot(event(Kind.RECHECK), AT_V1, AT_S1, round=Round(past=Past(settled=True)))
    is_read = recheck.with_single(VersionSnapshot("s1", True, None))
    assert is_same(next_step(is_read, ALL), steps.SweepUploads())
    assert is_same(next_step(is_read.did(None, is_swept=True), ALL), steps.Done(Action.EQUAL, version="d1"))
