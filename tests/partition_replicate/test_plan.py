"""The plan as a whole: each snapshot has one next step, and each run in a perfect world ends as the policy asks."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.object_clerk.annotations import IGNORE
from tasks.object_clerk.versions import Version
from tasks.partition_replicate.reconcile import steps
from tasks.partition_replicate.reconcile.plan import next_step
from tasks.partition_replicate.reconcile.policy import Policy, expires
from tasks.partition_replicate.reconcile.snapshot import CarriedAnnotations, Progress, Round, Snapshot
from tasks.partition_replicate.reconcile.survey import Listing, Past, Survey, SurveyProgress, VersionSnapshot
from tasks.utils.events import Kind
from tasks.utils.key_state import KeyState, OpenWork, Origin, ReplicaVersion, Revision, Upload
from tasks.utils.mirror_settings import KEEP, MIRROR
from tests.partition_replicate import plans
from tests.partition_replicate.plans import (
    ALL,
    COPY_OF_2,
    D1,
    D2,
    MARKER,
    SEEN_COPY,
    V1,
    V2,
    V3,
    PerfectWorld,
    event,
    is_same,
    listing,
    seen,
    versioned,
)

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
