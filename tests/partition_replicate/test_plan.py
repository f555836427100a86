"""The plan of a reconcile loop: the rules of the task's README, each as a snapshot and the step that follows."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.object_clerk.annotations import IGNORE
from tasks.object_clerk.versions import Version
from tasks.partition_replicate.key_state import KeyState, OpenWork, Origin, ReplicaVersion, Revision, Upload, VersionRow
from tasks.partition_replicate.outcome import Action
from tasks.partition_replicate.reconcile import steps
from tasks.partition_replicate.reconcile.plan import next_step
from tasks.partition_replicate.reconcile.policy import Policy, expires, removed
from tasks.partition_replicate.reconcile.snapshot import CarriedAnnotations, Progress, Round, Snapshot
from tasks.partition_replicate.reconcile.survey import Listing, Past, Survey, SurveyProgress, VersionSnapshot
from tasks.partition_replicate.settings import KEEP, MIRROR
from tasks.utils.events import Kind
from tests.partition_replicate import plans
from tests.partition_replicate.plans import PerfectWorld, event, is_same, listing, seen, state, versioned

# Annotations are tested by their requests, in test_annotations.py.
CURRENT = Policy(annotations=IGNORE)
ALL = Policy(every_version=True, annotations=IGNORE)
ALL_MIRRORED = ALL._replace(version_deletes=MIRROR)

CREATED, REMOVED = event(etag="s2", size=5), event(Kind.REMOVED)
EXPIRED_FIRST = event(Kind.LIFECYCLE_EXPIRED, sequencer="01")
OLDER = state('"s1"', '"d1"')
NEWER = seen(plans.SOURCE, '"s2"')
AT_S1, AT_D1 = seen(plans.SOURCE, '"s1"'), seen(plans.MIRROR, '"d1"')
NO_SOURCE, NO_MIRROR = seen(plans.SOURCE), seen(plans.MIRROR)
LATER = Round(2)
RECORDED = OLDER._replace(origin=Origin(etag='"s2"'), replica=ReplicaVersion(etag='"d2"'))
COPIED = Round(replica=ReplicaVersion(etag='"d2"'), changed=True)

CURRENT_RULES = {
    "nothing is known: the key row is read": (Snapshot(CREATED), steps.ReadState()),
    "the event is newer than the record: the source is observed at once, with its bytes": (
        Snapshot(CREATED, OLDER),
        steps.ObserveSource(most=5),
    ),
    "the event is of a large object: its bytes are read later": (
        Snapshot(replace(CREATED, size=1 << 30), OLDER),
        steps.ObserveSource(),
    ),
    "the event is of the recorded state: the destination is observed first": (
        Snapshot(event(etag="s1", size=5), OLDER),
        steps.ObserveDestination(),
    ),
    "an upload is under way: the destination is observed first": (
        Snapshot(CREATED, OLDER._replace(open=OpenWork(upload=Upload("u", "stamp", 5)))),
        steps.ObserveDestination(),
    ),
    "tags changed: the destination is observed with its tags": (
        Snapshot(event(Kind.TAGGED), OLDER),
        steps.ObserveDestination(with_tags=True),
    ),
    "source newer than recorded, destination as recorded: copy if the recorded ETag is there": (
        Snapshot(CREATED, OLDER, NEWER),
        steps.Copy(replaces='"d1"'),
    ),
    "source newer than recorded, nothing recorded: copy if nothing is there": (
        Snapshot(CREATED, KeyState(), NEWER),
        steps.Copy(replaces=""),
    ),
    "source as recorded, destination not observed: the event is late, observe both": (
        Snapshot(CREATED, OLDER, AT_S1),
        steps.StartRound(),
    ),
    "no destination: copy if nothing is there": (
        Snapshot(CREATED, OLDER, NEWER, NO_MIRROR),
        steps.Copy(replaces=""),
    ),
    "destination differs: copy if the observed ETag is there": (
        Snapshot(CREATED, KeyState(), NEWER, AT_D1, LATER),
        steps.Copy(replaces='"d1"'),
    ),
    "destination made from this source: recorded already, done": (
        Snapshot(CREATED, OLDER, AT_S1, AT_D1),
        steps.Done(Action.EQUAL),
    ),
    "only tags differ, and the destination counts none: its tags are observed": (
        Snapshot(CREATED, OLDER, replace(AT_S1, tags={"a": "b"}), AT_D1),
        steps.ObserveDestinationTags(),
    ),
    "only tags differ: put the tags": (
        Snapshot(CREATED, OLDER, replace(AT_S1, tags={"a": "b"}), replace(AT_D1, tags_asked=True)),
        steps.PutTags({"a": "b"}, None),
    ),
    "copied: the source is observed again": (Snapshot(CREATED, OLDER, NEWER, None, COPIED), steps.ObserveSource()),
    "copied, and the source is still the same: record": (
        Snapshot(CREATED, OLDER, NEWER, None, COPIED._replace(later=NEWER)),
        steps.RecordState(RECORDED),
    ),
    "copied and recorded: done": (
        Snapshot(CREATED, RECORDED, NEWER, None, COPIED._replace(later=NEWER)),
        steps.Done(Action.EQUAL),
    ),
    "copied, and the source changed: observe both again": (
        Snapshot(CREATED, OLDER, NEWER, None, COPIED._replace(later=AT_S1)),
        steps.StartRound(),
    ),
    "source removed and reported: record the removal before anything is deleted": (
        Snapshot(REMOVED, OLDER, NO_SOURCE),
        steps.RecordRemoval(removed(OLDER)),
    ),
    "removal just recorded: delete if the ETag that was recorded is there": (
        Snapshot(REMOVED, removed(OLDER), NO_SOURCE, None, Round(unrecorded='"d1"')),
        steps.Delete(replaces='"d1"'),
    ),
    "removal recorded earlier: delete if the observed ETag is there": (
        Snapshot(REMOVED, removed(OLDER), NO_SOURCE, AT_D1, LATER),
        steps.Delete(replaces='"d1"'),
    ),
    "deleted: the source is observed again": (
        Snapshot(REMOVED, removed(OLDER), NO_SOURCE, None, Round(unrecorded='"d1"', changed=True)),
        steps.ObserveSource(),
    ),
    "source gone, no removal reported: leave the destination": (
        Snapshot(CREATED, OLDER, NO_SOURCE),
        steps.Done(Action.NOTHING, "the source is gone; the event of its removal says whether it was meant"),
    ),
    "the reported removal is older than what was handled: leave the destination": (
        Snapshot(event(Kind.REMOVED, sequencer="01"), OLDER._replace(sequencer="02"), NO_SOURCE),
        steps.Done(Action.NOTHING, "the source is gone; the event of its removal says whether it was meant"),
    ),
    "source expired before it was removed: mirror the removal": (
        Snapshot(EXPIRED_FIRST, removed(OLDER._replace(sequencer="02")), NO_SOURCE, AT_D1, LATER),
        steps.Delete(replaces='"d1"'),
    ),
    "source expired: forget the key row": (
        Snapshot(event(Kind.LIFECYCLE_EXPIRED), OLDER, NO_SOURCE, AT_D1),
        steps.ForgetState(),
    ),
    "upload of another state: abandon it": (
        Snapshot(CREATED, OLDER._replace(open=OpenWork(upload=Upload("u", "stamp", 5))), NEWER, AT_D1),
        steps.AbandonUpload(),
    ),
    "eight rounds lost: give up": (
        Snapshot(CREATED, OLDER, round=Round(9)),
        steps.GiveUp("other writers got in between 8 times in a row"),
    ),
}


@pytest.mark.parametrize("snapshot, expected", CURRENT_RULES.values(), ids=CURRENT_RULES)
def test_next_step_for_the_newest_state(snapshot, expected):
    assert is_same(next_step(snapshot, CURRENT), expected)


V1, V2, V3 = (Version(f"s{number}", f'"e{number}"', 5) for number in (1, 2, 3))
D1, D2 = ReplicaVersion("d1", '"e1"'), ReplicaVersion("d2", '"e2"')
MARKER = Version("s9")
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


def copy_of(version):
    """A version of the destination, and its observation."""
    replica = Version("x", version.etag, version.size)
    return replica, seen(plans.MIRROR, version.etag, version="x", tags_asked=True)


COPY_OF_2, SEEN_COPY = copy_of(V2)
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


# The plan knows an answer for each snapshot, and the same one each time.

KINDS = st.sampled_from([kind for kind in Kind if kind not in (Kind.RESTORED, Kind.OTHER)])
ETAGS = st.sampled_from(['"e1"', '"e2"', '"e3"'])
IDS = st.sampled_from(["s1", "s2", "s3", "s9"])
REPLICAS = st.sampled_from([D1, D2, ReplicaVersion("x"), ReplicaVersion()])
VERSIONS = st.lists(st.sampled_from([V1, V2, V3, MARKER, COPY_OF_2]), unique=True, max_size=4)
LISTINGS = st.builds(lambda versions, known: listing({known}, *versions), VERSIONS, IDS)
TAGS = st.sampled_from([{}, {"a": "b"}])


def observations(address):
    """Observations of one side, or None for one that was not made."""
    made = st.builds(
        lambda etag, version, tags, asked: seen(address, etag, version=version, tags=tags, tags_asked=asked),
        st.none() | ETAGS,
        st.none() | IDS,
        TAGS,
        st.booleans(),
    )
    return st.none() | made


STATES = st.none() | st.builds(
    KeyState,
    origin=st.builds(Origin, IDS | st.just(""), ETAGS | st.just(""), st.booleans()),
    replica=REPLICAS,
    removed=st.booleans(),
    annotated=st.booleans(),
    sequencer=st.just(""),
    open=st.builds(
        OpenWork,
        st.sampled_from(["", "x"]),
        st.sampled_from(["", "s1"]),
        st.sampled_from([None, Upload("", "stamp", 5), Upload("u", "stamp", 5)]),
    ),
    revision=st.just(Revision()),
)
RECORDS = st.none() | st.builds(versioned, st.none() | REPLICAS, st.none() | REPLICAS, gone=st.just(["e2"]))
ROUNDS = st.builds(
    Round,
    number=st.sampled_from([1, 2, 9, 33]),
    replica=st.none() | REPLICAS,
    changed=st.booleans(),
    later=observations(plans.SOURCE),
    annotations=st.sampled_from([None, CarriedAnnotations(), CarriedAnnotations(1, True)]),
    unrecorded=st.sampled_from([None, "", '"e1"']),
    past=st.builds(
        Past,
        careful=st.booleans(),
        settled=st.booleans(),
        sure=st.booleans(),
        listed=st.sampled_from([(), (V2,)]),
        view=st.just(()),
        views=st.sampled_from([0, 4, 5]),
        staying=st.sampled_from([frozenset(), frozenset(["x"])]),
        stale=st.none(),
        unrecorded=st.none() | REPLICAS,
    ),
)
BOOLS = st.sampled_from([None, False, True])
SURVEYS = st.builds(
    Survey,
    records=RECORDS,
    source=st.none() | LISTINGS,
    destination=st.none() | LISTINGS,
    top=REPLICAS,
    single=st.builds(
        VersionSnapshot,
        version=IDS,
        is_read=st.booleans(),
        replica=st.none() | REPLICAS,
        is_gone=BOOLS,
        is_removed=BOOLS,
        is_forgotten=st.booleans(),
        tags=st.none() | TAGS,
        replica_tags=st.none() | TAGS,
        retags=st.sampled_from([0, 8]),
        lost=st.booleans(),
    ),
    replicas=st.sampled_from([{}, {"x": SEEN_COPY}]),
    progress=st.builds(SurveyProgress, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["", "s2"])),
)
EVENTS = st.builds(event, KINDS, version=st.none() | IDS, etag=st.none() | st.just("e2"), size=st.none() | st.just(5))
SNAPSHOTS = st.builds(
    Snapshot,
    event=EVENTS,
    state=STATES,
    source=observations(plans.SOURCE),
    destination=observations(plans.MIRROR),
    round=ROUNDS,
    progress=st.just(Progress()),
    survey=SURVEYS,
)
POLICIES = st.builds(
    Policy,
    st.booleans(),
    st.sampled_from([KEEP, MIRROR]),
    st.sampled_from([KEEP, MIRROR]),
    st.sampled_from([IGNORE, "carry"]),
)


@settings(max_examples=300, deadline=None)
@given(SNAPSHOTS, POLICIES)
def test_each_snapshot_has_one_next_step(snapshot, policy):
    step = next_step(snapshot, policy)
    assert isinstance(step, steps.Step)
    assert step, "a step is never taken for no step"
    assert is_same(next_step(snapshot, policy), step)


# In a perfect world each run ends, and the destination is as the policy asks.

SHORT_HISTORIES = st.lists(st.sampled_from([V1, V2, V3, MARKER, Version("s8")]), unique=True, max_size=4)


def run(world, happened, policy):
    """Let the plan run in a perfect world; return its last step and the number of steps."""
    snapshot = Snapshot(happened)
    for number in range(200):
        step = next_step(snapshot, policy)
        if isinstance(step, (steps.Done, steps.GiveUp)):
            return step, number
        snapshot = world.perform(step, snapshot)
    raise AssertionError(f"no end: {step}")


@settings(max_examples=200, deadline=None)
@given(SHORT_HISTORIES, EVENTS, st.booleans(), st.sampled_from([KEEP, MIRROR]))
def test_run_in_a_perfect_world_ends_with_equal_sides(source, happened, every_version, version_deletes):
    world = PerfectWorld(source)
    policy = Policy(every_version, version_deletes=version_deletes)
    last, _ = run(world, happened, policy)
    assert isinstance(last, steps.Done)
    newest = source[-1] if source else Version("")
    is_expiry = happened.kind is Kind.LIFECYCLE_EXPIRED and (newest.is_marker or expires(happened, newest))
    mirrored = world.mirror[-1].etag if world.mirror else ""
    assert is_expiry or mirrored == newest.etag
    if every_version and not is_expiry and not happened.object.version_id:
        assert [version.etag for version in world.mirror] == [version.etag for version in source]


@settings(max_examples=200, deadline=None)
@given(SHORT_HISTORIES, st.integers(0, 3), EVENTS)
def test_second_run_in_a_perfect_world_writes_nothing(source, number, happened):
    world = PerfectWorld(source)
    created = event()
    run(world, created, ALL)
    written = list(world.mirror)
    for _ in range(number):
        run(world, created, ALL)
    assert world.mirror == written
    last, taken = run(world, happened, ALL)
    assert isinstance(last, steps.Done)
    assert taken < 40


def test_listing_ends_at_the_first_known_version():
    assert listing({"s1"}, V3, V2, V1) == Listing(V3, (V2, V3), True, (V2, V3))
