"""Versions at the destination that the table does not name: of killed workers, of other workers, of other writers."""

import itertools

import pytest

from tasks.partition_replicate import handler as handler_module
from tests.partition_replicate.conftest import MIRROR, SOURCE
from tests.partition_replicate.events import event_of
from tests.partition_replicate.version_history import DELETED, history, killed_before_its_record, made_from, version_of
from tests.support.dying_client import Killed

pytestmark = pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids=["Enabled-Enabled"], indirect=True)


@pytest.mark.parametrize("how", ["other bytes", "the same bytes", "delete"])
def test_version_written_by_a_killed_worker_is_not_written_twice(world, how):
    world.replicate(world.put("a.txt", b"1", Metadata={"of": "first"}))
    event = {
        "other bytes": lambda: world.put("a.txt", b"2"),
        "the same bytes": lambda: world.put("a.txt", b"1", Metadata={"of": "second"}),
        "delete": lambda: world.delete("a.txt"),
    }[how]()
    with killed_before_its_record(), pytest.raises(Killed):
        world.replicate(event)
    assert history(MIRROR) == history(SOURCE)
    assert world.replicate(event) == []
    assert history(MIRROR) == history(SOURCE)


@pytest.mark.first_cases(4)
@pytest.mark.parametrize("order", [*itertools.permutations(("put", "remove", "other"))], ids="-".join)
@pytest.mark.parametrize(
    "other",
    [
        "tag what was before",
        "put",
        pytest.param("delete", marks=pytest.mark.long),
        pytest.param("the same once more", marks=pytest.mark.long),
    ],
)
def test_copy_that_a_killed_worker_did_not_record_goes_with_its_version(world, environment, other, order):
    environment(VERSION_DELETES="mirror")
    if other == "tag what was before":
        world.replicate(world.put("a.txt", b"1"))
    put = world.put("a.txt", b"2")
    with killed_before_its_record(), pytest.raises(Killed):
        world.replicate(put)
    assert history(MIRROR)[-1] == b"2"
    removed = world.delete("a.txt", version_of(put))
    others = {
        "tag what was before": lambda: world.tag("a.txt", of="first"),
        "put": lambda: world.put("a.txt", b"3"),
        "delete": lambda: world.delete("a.txt"),
        "the same once more": lambda: put,
    }
    events = {"put": put, "remove": removed, "other": others[other]()}
    for name in order:
        assert world.replicate(events[name]) == []
    assert history(MIRROR) == history(SOURCE)


def test_marker_written_again_above_an_unrecorded_copy_goes_with_it(world, environment):
    environment(VERSION_DELETES="mirror")
    world.replicate(world.put("a.txt", b"1"))
    deleted = world.delete("a.txt")
    world.replicate(deleted)
    put = world.put("a.txt", b"2")
    with killed_before_its_record(), pytest.raises(Killed):
        world.replicate(put)
    removed = world.delete("a.txt", version_of(put))
    world.replicate(deleted)
    assert history(MIRROR) == [b"1", DELETED, b"2", DELETED]
    assert world.replicate(put, removed) == []
    assert history(MIRROR) == [b"1", DELETED]


def test_version_written_again_above_an_unrecorded_copy_goes_when_both_are_removed(world, environment):
    environment(VERSION_DELETES="mirror")
    first = world.put("a.txt", b"1")
    world.replicate(first)
    second = world.put("a.txt", b"2")
    with killed_before_its_record(), pytest.raises(Killed):
        world.replicate(second)
    removed = world.delete("a.txt", version_of(second))
    world.replicate(removed)
    assert history(MIRROR) == [b"1", b"2", b"1"]
    assert world.replicate(world.delete("a.txt", version_of(first)), second) == []
    assert history(MIRROR) == []


@pytest.mark.parametrize("known_of_it", [{"etag": "d" * 32}, {"etag": None}], ids=str)
def test_copy_of_unknown_origin_stays_and_is_hidden(world, environment, known_of_it):
    environment(VERSION_DELETES="mirror")
    put = world.put("a.txt", b"2")
    with killed_before_its_record(), pytest.raises(Killed):
        world.replicate(put)
    removed = world.delete("a.txt", version_of(put))
    put["detail"]["object"] |= known_of_it
    assert world.replicate(put, removed) == []
    assert history(MIRROR) == [b"2", DELETED]


def test_object_of_another_writer_with_the_same_bytes_stays_below_a_new_version(world):
    event = world.put("a.txt", b"1", Metadata={"of": "ours"})
    world.replicate(event)
    theirs = world.mirror.put_object(Bucket=MIRROR, Key="a.txt", Body=b"1", Metadata={"of": "theirs"})["VersionId"]
    assert world.replicate(event) == []
    assert world.head("a.txt")["Metadata"] == {"of": "ours"}
    assert world.head("a.txt", VersionId=theirs)["Metadata"] == {"of": "theirs"}


@pytest.mark.parametrize("as_told", [True, False])
def test_object_of_another_writer_stays_when_a_version_is_gone(world, environment, as_told):
    environment(VERSION_DELETES="mirror")
    world.mirror.put_object(Bucket=MIRROR, Key="a.txt", Body=b"theirs")
    put = world.put("a.txt", b"2")
    events = [put, world.delete("a.txt", version_of(put))]
    assert world.replicate(*(events if as_told else reversed(events))) == []
    assert history(MIRROR) == [b"theirs", DELETED]


def test_unrecorded_copy_of_a_present_version_stays(world, environment):
    environment(VERSIONS="current")
    first, second = world.put("a.txt", b"1"), world.put("a.txt", b"2")
    world.mirror.put_object(Bucket=MIRROR, Key="a.txt", Body=b"1")
    assert world.replicate(second) == []
    environment(VERSIONS="all", VERSION_DELETES="mirror")
    assert world.replicate(first) == []
    assert history(MIRROR) == [b"1", b"2"]


def test_older_copies_of_versions_current_stay_when_another_version_is_gone(world, environment):
    environment(VERSIONS="current")
    for body in (b"1", b"2", b"1"):
        assert world.replicate(world.put("a.txt", body)) == []
    environment(VERSIONS="all", VERSION_DELETES="mirror")
    put = world.put("a.txt", b"3")
    world.delete("a.txt", version_of(put))
    assert world.replicate(put) == []
    assert history(MIRROR) == history(SOURCE) == [b"1", b"2", b"1"]


def test_recheck_keeps_what_was_mirrored_with_versions_current(world, environment):
    environment(VERSIONS="current")
    for body in (b"1", b"2", b"1"):
        assert world.replicate(world.put("a.txt", body)) == []
    environment(VERSIONS="all", VERSION_DELETES="mirror")
    assert world.replicate(event_of(SOURCE, "a.txt", "Object Recheck")) == []
    assert history(MIRROR) == history(SOURCE) == [b"1", b"2", b"1"]


def test_write_of_a_worker_that_lost_the_race_is_undone(world, wire):
    world.replicate(world.put("a.txt", b"1", Metadata={"of": "first"}))
    event = world.put("a.txt", b"1", Metadata={"of": "second"})

    def overtake(operation):
        if operation == "PutObject":
            wire.before.clear()
            assert world.replicate(event) == []

    wire.before.append(overtake)
    assert world.replicate(event) == []
    assert history(MIRROR) == [b"1", b"1"]
    assert world.head("a.txt")["Metadata"] == {"of": "second"}


def test_delete_marker_that_another_worker_recorded_for_the_next_one_stays(world, wire):
    world.replicate(world.put("a.txt", b"1"))
    world.replicate(world.delete("a.txt"))
    second, third = world.delete("a.txt"), None
    wire.sent.clear()

    def overtake(operation):
        if operation == "DeleteObject":
            wire.before.clear()
            assert world.replicate(second) == []

    def overtake_again(**_):
        nonlocal third
        if wire.count("DeleteObject") == 2 and not third:
            # Two markers were made of the second one, and one of them is recorded.
            third = world.delete("a.txt")
            assert world.replicate(third, world.put("a.txt", b"2")) == []

    wire.before.append(overtake)
    worker = handler_module.worker()
    worker.replicator.table.dynamodb.meta.events.register("before-send.dynamodb.TransactWriteItems", overtake_again)
    assert world.replicate(second) == []
    assert history(MIRROR) == history(SOURCE) == [b"1", DELETED, DELETED, DELETED, b"2"]
    assert made_from(world, version_of(second)) != made_from(world, version_of(third))


@pytest.mark.parametrize("when", ["before it is removed", "after that"])
def test_pending_delete_of_a_killed_worker_is_finished(world, wire, when):
    world.replicate(world.put("a.txt", b"1", Metadata={"of": "first"}))
    event = world.put("a.txt", b"1", Metadata={"of": "second"})

    def overtake(operation):
        if operation == "PutObject":
            wire.before.clear()
            assert world.replicate(event) == []
            wire.before.append(kill)

    def kill(operation):
        if operation == "DeleteObject":
            wire.before.clear()
            if when == "after that":
                pending = world.row("a.txt")["TakenBackVersionId"]["S"]
                world.mirror.delete_object(Bucket=MIRROR, Key="a.txt", VersionId=pending)
            raise Killed()

    wire.before.append(overtake)
    with pytest.raises(Killed):
        world.replicate(event)
    assert world.replicate(world.put("a.txt", b"2")) == []
    assert history(MIRROR) == history(SOURCE) == [b"1", b"1", b"2"]
    assert "TakenBackVersionId" not in world.row("a.txt")


def test_version_that_another_worker_records_at_the_last_moment_is_not_undone(world, wire):
    world.replicate(world.put("a.txt", b"1"))
    second, third = world.put("a.txt", b"1"), None

    def overtake(operation):
        if operation == "PutObject":
            wire.before.clear()
            assert world.replicate(second) == []

    def overtake_again(**_):
        nonlocal third
        if not third:
            # One copy of the second version is recorded, and the other one is about to be undone.
            third = world.put("a.txt", b"1")
            assert world.replicate(third) == []

    wire.before.append(overtake)
    worker = handler_module.worker()
    worker.replicator.table.dynamodb.meta.events.register("before-send.dynamodb.PutItem", overtake_again)
    assert world.replicate(second) == []
    assert third
    assert history(MIRROR) == history(SOURCE) == [b"1", b"1", b"1"]


def test_late_delete_marker_of_a_killed_worker_is_removed_below_what_is_new(world, wire):
    event = world.delete("a.txt")

    def overtake(operation):
        if operation == "DeleteObject":
            wire.before.clear()
            assert world.replicate(event, world.put("a.txt", b"1")) == []

    def kill(**_):
        # Both have written a marker, and the other one an object between them.
        if history(MIRROR) == [DELETED, b"1", DELETED]:
            raise Killed()

    wire.before.append(overtake)
    worker = handler_module.worker()
    worker.replicator.table.dynamodb.meta.events.register("before-send.dynamodb.TransactWriteItems", kill)
    with pytest.raises(Killed):
        world.replicate(event)
    assert history(MIRROR) == [DELETED, b"1", DELETED]
    assert world.replicate(world.put("a.txt", b"2")) == []
    assert history(MIRROR) == history(SOURCE) == [DELETED, b"1", b"2"]


def test_second_delete_marker_of_a_killed_worker_is_removed(world):
    world.replicate(world.put("a.txt", b"1"))
    event = world.delete("a.txt")
    world.replicate(event)
    world.mirror.delete_object(Bucket=MIRROR, Key="a.txt")
    assert world.replicate(event) == []
    assert history(MIRROR) == [b"1", DELETED]


def test_object_of_another_writer_on_top_is_overwritten(world):
    event = world.put("a.txt", b"1")
    world.replicate(event)
    world.mirror.put_object(Bucket=MIRROR, Key="a.txt", Body=b"foreign")
    assert world.replicate(event) == []
    assert history(MIRROR) == [b"1", b"foreign", b"1"]


def test_delete_by_another_writer_is_undone(world):
    event = world.put("a.txt", b"1")
    world.replicate(event)
    world.mirror.delete_object(Bucket=MIRROR, Key="a.txt")
    assert world.replicate(event) == []
    assert history(MIRROR) == [b"1"]


def test_older_version_that_another_writer_removed_at_the_destination_does_not_come_back(world):
    events = [world.put("a.txt", b"%d" % number) for number in range(3)]
    world.replicate(*events)
    world.mirror.delete_object(Bucket=MIRROR, Key="a.txt", VersionId=made_from(world, version_of(events[0])))
    # Neither an event of that version, nor a recheck, nor a new version of the key writes it again.
    late = [*events, event_of(SOURCE, "a.txt", "Object Recheck"), world.put("a.txt", b"3")]
    assert world.replicate(*late) == []
    assert history(MIRROR) == [b"1", b"2", b"3"]
    assert history(SOURCE) == [b"0", b"1", b"2", b"3"]


def test_newest_version_that_another_writer_removed_at_the_destination_comes_back(world):
    events = [world.put("a.txt", b"%d" % number) for number in range(2)]
    world.replicate(*events)
    world.mirror.delete_object(Bucket=MIRROR, Key="a.txt", VersionId=made_from(world, version_of(events[1])))
    assert world.replicate(event_of(SOURCE, "a.txt", "Object Recheck")) == []
    assert history(MIRROR) == [b"0", b"1"]


def test_history_that_is_there_already_is_not_written_again(world, wire):
    for number in range(3):
        world.put("a.txt", b"%d" % number)
        world.mirror.put_object(Bucket=MIRROR, Key="a.txt", Body=b"%d" % number)
    assert world.replicate(event_of(SOURCE, "a.txt", "Object Created")) == []
    assert history(MIRROR) == [b"0", b"1", b"2"]
    # The first of them is tried.
    assert wire.count("PutObject") == 1
