"""Every version of a key: the destination's history of it reads like the source's."""

import itertools
import json
from contextlib import contextmanager
from functools import partial

import pytest
from moto.s3.models import FakeKey, s3_backends

from tasks.object_clerk import versions as versions_module
from tasks.object_clerk.parts import MIN_PART
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.streams import StreamLimits
from tasks.object_clerk.versions import in_order, versions_of
from tasks.partition_replicate import handler as handler_module
from tasks.utils.deadline import Deadline
from tasks.utils.s3_object import S3Object
from tests.conftest import REGION
from tests.partition_replicate.conftest import MIRROR, SOURCE
from tests.partition_replicate.events import event_of
from tests.partition_replicate.test_large_objects import digest
from tests.support.dying_client import Killed
from tests.support.events import load

ACCOUNT = "123456789012"
DELETED = "deleted"

pytestmark = pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids=["Enabled-Enabled"], indirect=True)


def history(bucket, key="a.txt"):
    """Return the contents of a key's versions, the oldest first."""
    partition = "aws" if bucket == SOURCE else "aws-us-gov"
    versions = s3_backends[ACCOUNT][partition].buckets[bucket].keys.getlist(key, default=[])
    return [version.value if isinstance(version, FakeKey) else DELETED for version in versions]


@contextmanager
def killed_before_its_record():
    """Kill a worker before it writes to the table, and after it wrote to the destination."""

    def kill(**_):
        raise Killed()

    events = handler_module.worker().replicator.table.dynamodb.meta.events
    events.register("before-send.dynamodb.TransactWriteItems", kill)
    try:
        yield
    finally:
        events.unregister("before-send.dynamodb.TransactWriteItems", kill)


def version_of(event):
    return event["detail"]["object"]["version-id"]


def made_from(world, version):
    """Return the replica version that was made from a version of the source."""
    return world.row("a.txt", version)["DestObject"]["M"]["VersionId"]["S"]


def expired(version):
    return event_of(SOURCE, "a.txt", "Object Deleted", reason="Lifecycle Expiration", version_id=version)


def test_small_object_costs_five_requests_to_s3_and_two_to_the_table(world, wire):
    world.replicate(world.put("a.txt", b"first"))
    wire.sent.clear()
    world.table_requests.clear()
    assert world.replicate(world.put("a.txt", b"second")) == []
    assert wire.sent == ["ListObjectVersions", "GetObject", "PutObject", "ListObjectAnnotations", "ListObjectVersions"]
    assert world.table_requests == ["GetItem", "TransactWriteItems"]


def test_late_event_of_an_older_version_costs_two_requests_and_no_write(world, wire, environment):
    environment(VERSION_DELETES="mirror")
    late = world.put("a.txt", b"1")
    world.replicate(late, world.put("a.txt", b"2"))
    wire.sent.clear()
    world.table_requests.clear()
    assert world.replicate(late) == []
    assert wire.sent == ["ListObjectVersions", "HeadObject"]
    assert set(world.table_requests) <= {"GetItem", "Query"}


@pytest.mark.parametrize("change", ["put", "delete", "remove for good", "tag"])
def test_event_delivered_again_costs_two_requests_and_no_write(world, wire, change):
    created = world.put("a.txt", b"bytes", Tagging="a=b")
    world.replicate(created)
    event = {
        "put": lambda: created,
        "delete": lambda: world.delete("a.txt"),
        "remove for good": lambda: world.delete("a.txt", version_of(created)),
        "tag": lambda: world.tag("a.txt", c="d"),
    }[change]()
    world.replicate(event)
    before = history(MIRROR)
    wire.sent.clear()
    world.table_requests.clear()
    assert world.replicate(event) == []
    looks = {"ListObjectVersions", "HeadObject", "GetObjectTagging"}
    # Only the event of a tag requests tags, on both sides.
    assert len(wire.sent) == (4 if change == "tag" else 2) and set(wire.sent) <= looks
    assert set(world.table_requests) <= {"GetItem", "Query"}
    assert history(MIRROR) == before


def test_put_delete_and_put_within_one_second_are_mirrored_in_their_order(world):
    for number in range(3):
        world.put("a.txt", b"%d" % number)
        world.delete("a.txt")
    assert world.replicate(world.put("a.txt", b"last")) == []
    assert history(MIRROR) == [b"0", DELETED, b"1", DELETED, b"2", DELETED, b"last"]


def test_versions_from_before_the_mirror_are_mirrored_by_batch_operations(world):
    world.put("a.txt", b"1", Tagging="of=first")
    world.put("a.txt", b"2", Metadata={"of": "second"})
    event = load("batch_operations_1_0")
    task = {**event["tasks"][0], "s3BucketArn": f"arn:aws:s3:::{SOURCE}", "s3Key": "a.txt", "s3VersionId": None}
    answer = handler_module.replicate({**event, "tasks": [task]}, None)
    assert [one["resultCode"] for one in answer["results"]] == ["Succeeded"]
    assert history(MIRROR) == [b"1", b"2"]
    assert world.head("a.txt")["Metadata"] == {"of": "second"}


def test_delete_marker_is_mirrored_as_one(world):
    world.replicate(world.put("a.txt", b"1"))
    assert world.replicate(world.delete("a.txt")) == []
    assert history(MIRROR) == [b"1", DELETED]
    assert world.mirrored("a.txt") is None


def test_large_versions_are_mirrored_in_parts(world, monkeypatch, wire):
    limits = partial(StreamLimits, threshold=MIN_PART, part_size=MIN_PART)
    monkeypatch.setattr(handler_module, "StreamLimits", limits)
    first, second = bytes(MIN_PART + 1), bytes(MIN_PART) + b"another end"
    world.put("a.txt", first)
    assert world.replicate(world.put("a.txt", second)) == []
    assert [digest(body) for body in history(MIRROR)] == [digest(first), digest(second)]
    assert (wire.count("UploadPart"), world.uploads()) == (4, [])


def test_rows_say_which_version_was_made_from_which(world):
    first = version_of(world.put("a.txt", b"1", Tagging="a=b"))
    world.replicate(world.delete("a.txt"))
    oldest = world.mirror.list_object_versions(Bucket=MIRROR)["Versions"][0]
    made = {"VersionId": {"S": oldest["VersionId"]}, "ETag": {"S": oldest["ETag"]}}
    assert world.row("a.txt", first) == {
        "Key": {"S": "a.txt"},
        "VersionId": {"S": first},
        "DestObject": {"M": made},
        "DestObjectTags": {"M": {"a": {"S": "b"}}},
    }


def test_key_that_begins_another_key_has_its_own_versions_only(world):
    world.put("a.txt.gz", b"another")
    assert world.replicate(world.put("a.txt", b"bytes")) == []
    assert (history(MIRROR), history(MIRROR, "a.txt.gz")) == ([b"bytes"], [])


@pytest.mark.parametrize("page", [1, 2, 3])
def test_history_longer_than_a_page_is_mirrored_whole(world, monkeypatch, page):
    monkeypatch.setattr(versions_module, "FIRST_PAGE", page)
    monkeypatch.setattr(versions_module, "PAGE", page)
    for number in range(5):
        world.put("a.txt", b"%d" % number)
        world.put("a.txt.gz")
    world.replicate(world.delete("a.txt"))
    assert history(MIRROR) == [b"0", b"1", b"2", b"3", b"4", DELETED]


def test_key_with_more_versions_than_s3_lists_at_once_is_listed_whole(world):
    backend = s3_backends[ACCOUNT]["aws"]
    made = [backend.put_object(SOURCE, "a.txt", b"").version_id for _ in range(1_011)]
    requests = S3Requests(in_order(world.s3))
    assert [version.id for version in versions_of(requests, S3Object(SOURCE, "a.txt"))] == made[::-1]


def test_version_from_before_the_bucket_kept_versions_is_mirrored(world):
    world.s3.create_bucket(Bucket="grown", CreateBucketConfiguration={"LocationConstraint": REGION})
    world.s3.put_object(Bucket="grown", Key="a.txt", Body=b"old", Metadata={"of": "old"})
    world.s3.put_bucket_versioning(Bucket="grown", VersioningConfiguration={"Status": "Enabled"})
    world.s3.put_object(Bucket="grown", Key="a.txt", Body=b"new")
    worker = handler_module.worker()
    event = event_of("grown", "a.txt", "Object Created")
    (found,) = handler_module.object_events(event)
    how = {"deadline": handler_module.Deadline(), "unanswered": []}
    worker.replicator.replicate(found, destination=worker.destination.client(), **how)
    assert history(MIRROR) == [b"old", b"new"]


def test_older_version_put_on_top_again_is_a_version_of_its_own(world):
    first = version_of(world.put("a.txt", b"1"))
    world.replicate(world.put("a.txt", b"2"))
    source = {"Bucket": SOURCE, "Key": "a.txt", "VersionId": first}
    world.s3.copy_object(Bucket=SOURCE, Key="a.txt", CopySource=source)
    assert world.replicate(event_of(SOURCE, "a.txt", "Object Created")) == []
    assert history(MIRROR) == [b"1", b"2", b"1"]


def test_version_that_vanished_meanwhile_is_left_out(world, wire):
    vanishing = version_of(world.put("a.txt", b"1"))
    event = world.put("a.txt", b"2")

    def vanish(operation):
        if operation == "GetObject":
            wire.before.clear()
            world.delete("a.txt", vanishing)

    wire.before.append(vanish)
    assert world.replicate(event) == []
    assert history(MIRROR) == [b"2"]


# Versions removed for good.


def assert_forgotten(world, version):
    """Check that nothing is left of a version's row, or an ETag that expires."""
    assert (world.row("a.txt", version) or {}).keys() <= {"Key", "VersionId", "GoneETag", "ExpiresAt"}


@pytest.mark.parametrize("version_deletes, left", [("keep", [b"1", b"2", b"1"]), ("mirror", [b"1"])])
def test_newest_version_removed_for_good_brings_the_older_one_back(world, environment, version_deletes, left):
    environment(VERSION_DELETES=version_deletes)
    world.replicate(world.put("a.txt", b"1"))
    newest = world.put("a.txt", b"2")
    world.replicate(newest)
    assert world.replicate(world.delete("a.txt", version_of(newest)), newest) == []
    assert history(MIRROR) == left
    assert_forgotten(world, version_of(newest))


@pytest.mark.parametrize("version_deletes, left", [("keep", [b"1", DELETED, b"1"]), ("mirror", [b"1"])])
def test_delete_marker_removed_for_good_brings_the_object_back(world, environment, version_deletes, left):
    environment(VERSION_DELETES=version_deletes)
    world.replicate(world.put("a.txt", b"1"))
    marker = world.delete("a.txt")
    world.replicate(marker)
    assert world.replicate(world.delete("a.txt", version_of(marker))) == []
    assert history(MIRROR) == left


@pytest.mark.parametrize("version_deletes, left", [("keep", [b"1", b"2", b"3"]), ("mirror", [b"1", b"3"])])
def test_older_version_removed_for_good(world, environment, version_deletes, left):
    environment(VERSION_DELETES=version_deletes)
    world.put("a.txt", b"1")
    older = version_of(world.put("a.txt", b"2"))
    world.replicate(world.put("a.txt", b"3"))
    assert world.replicate(world.delete("a.txt", older)) == []
    assert history(MIRROR) == left
    assert_forgotten(world, older)


@pytest.mark.parametrize("version_deletes, left", [("keep", [b"1", b"2", DELETED]), ("mirror", [])])
def test_all_versions_removed_for_good_leave_no_object(world, environment, version_deletes, left):
    environment(VERSION_DELETES=version_deletes)
    first = world.put("a.txt", b"1")
    second = world.put("a.txt", b"2")
    world.replicate(first, second)
    removals = [world.delete("a.txt", version_of(event)) for event in (first, second)]
    assert world.replicate(*removals) == []
    assert history(MIRROR) == left
    assert world.replicate(world.put("a.txt", b"3")) == []
    assert history(MIRROR) == [*left, b"3"]


def test_marker_that_the_source_lists_and_does_not_serve_stays(world, environment, wire):
    environment(VERSION_DELETES="mirror")
    world.put("a.txt", b"1")
    marker = version_of(world.delete("a.txt"))
    for number in range(12):
        world.replicate(world.put("a.txt", b"%d" % number))
    wire.fail("HeadObject", (404, "404"), key=marker)
    removal = event_of(SOURCE, "a.txt", "Object Deleted", version_id=marker)
    assert world.replicate(removal) == []
    assert history(MIRROR) == history(SOURCE)
    assert DELETED in history(MIRROR)


def test_removal_of_a_version_or_a_marker_costs_one_observation_of_it(world, environment, wire):
    environment(VERSION_DELETES="mirror")
    older, marker = version_of(world.put("a.txt", b"1")), version_of(world.delete("a.txt"))
    world.replicate(world.put("a.txt", b"2"))
    # The first and the last requests are about the newest version.
    for version, question in ((older, "HeadObject"), (marker, "ListObjectVersions")):
        wire.sent.clear()
        assert world.replicate(world.delete("a.txt", version)) == []
        newest = ["ListObjectVersions", "HeadObject"], ["ListObjectVersions", "ListObjectVersions"]
        assert world.requests(wire) == [*newest[0], question, "DeleteObject", *newest[1]]


def test_version_that_the_source_has_is_not_removed_because_of_an_event(world, environment):
    environment(VERSION_DELETES="mirror")
    older = version_of(world.put("a.txt", b"1"))
    marker = version_of(world.delete("a.txt"))
    world.replicate(world.put("a.txt", b"2"))
    reported = [event_of(SOURCE, "a.txt", "Object Deleted", version_id=version) for version in (older, marker)]
    assert world.replicate(*reported) == []
    assert history(MIRROR) == [b"1", DELETED, b"2"]


# Tags.


def test_tags_of_an_older_version_are_mirrored_on_what_was_made_from_it(world, wire):
    older = version_of(world.put("a.txt", b"1", Tagging="a=b"))
    world.replicate(world.put("a.txt", b"2"))
    wire.sent.clear()
    tags = {"TagSet": [{"Key": "c", "Value": "d"}]}
    world.s3.put_object_tagging(Bucket=SOURCE, Key="a.txt", VersionId=older, Tagging=tags)
    assert world.replicate(event_of(SOURCE, "a.txt", "Object Tags Added", version_id=older)) == []
    where = {"Bucket": MIRROR, "Key": "a.txt", "VersionId": made_from(world, older)}
    assert world.mirror.get_object_tagging(**where)["TagSet"] == tags["TagSet"]
    assert (world.tags("a.txt"), wire.count("PutObject")) == ({}, 0)
    assert world.row("a.txt", older)["DestObjectTags"] == {"M": {"c": {"S": "d"}}}


def test_tags_of_a_version_that_is_gone_are_no_failure(world):
    gone = version_of(world.put("a.txt", b"1"))
    world.replicate(world.put("a.txt", b"2"))
    world.delete("a.txt", gone)
    assert world.replicate(event_of(SOURCE, "a.txt", "Object Tags Deleted", version_id=gone)) == []
    assert world.dead_letters() == []


# Life cycle.


@pytest.mark.parametrize("told_before", [False, True], ids=["its event first", "seen before its event"])
def test_expiry_is_not_mirrored(world, told_before):
    created = world.put("a.txt", b"1")
    world.replicate(created)
    marker = version_of(world.delete("a.txt"))
    if told_before:
        world.replicate(created)
        assert history(MIRROR) == [b"1", DELETED]
    assert world.replicate(expired(marker), created) == []
    assert history(MIRROR) == [b"1"]
    assert world.replicate(world.put("a.txt", b"2")) == []
    assert history(MIRROR) == [b"1", b"2"]


def test_older_version_that_expires_stays_and_its_row_goes(world, environment):
    environment(VERSION_DELETES="mirror")
    older = version_of(world.put("a.txt", b"1"))
    world.replicate(world.put("a.txt", b"2"))
    world.delete("a.txt", older)
    assert world.replicate(expired(older)) == []
    assert history(MIRROR) == [b"1", b"2"]
    assert_forgotten(world, older)


def test_key_that_expires_altogether_stays(world):
    created = world.put("a.txt", b"1")
    world.replicate(created)
    marker = version_of(world.delete("a.txt"))
    world.replicate(expired(marker))
    for version in (version_of(created), marker):
        world.delete("a.txt", version)
        assert world.replicate(expired(version)) == []
    assert world.replicate(created) == []
    assert history(MIRROR) == [b"1"]


def test_delete_marker_is_not_mirrored_where_deletes_are_kept(world, environment):
    environment(DELETES="keep")
    world.replicate(world.put("a.txt", b"1"))
    deleted = world.delete("a.txt")
    assert world.replicate(deleted, deleted) == []
    assert world.replicate(world.put("a.txt", b"2")) == []
    assert history(MIRROR) == [b"1", b"2"]


# Others at work.


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


@pytest.mark.parametrize("known_of_it", [{"etag": "d" * 32}, {"size": 2}, {"etag": None}], ids=str)
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


def test_older_version_in_an_archive_class_is_left_out_and_logged(world, wire, capsys):
    world.put("a.txt", b"1")
    event = world.put("a.txt", b"2")
    wire.fail("GetObject", (403, "InvalidObjectState"))
    assert world.replicate(event) == []
    assert history(MIRROR) == [b"2"]
    assert "sleeps in an archive and is left out" in capsys.readouterr().out


def test_work_that_runs_out_of_time_between_two_versions_continues_in_a_new_message(world, monkeypatch):
    for number in range(3):
        event = world.put("a.txt", b"%d" % number)
    looks = []

    class Counted(Deadline):
        def has_passed(self):
            looks.append(True)
            return len(looks) == 3

        def remaining(self):
            return 60.0

    monkeypatch.setattr(handler_module.Deadline, "of_lambda", lambda context: Counted())
    assert world.replicate(event) == []
    assert history(MIRROR) == [b"0"]
    (message,) = world.sqs.receive_message(QueueUrl=world.queue)["Messages"]
    assert world.replicate(json.loads(message["Body"])) == []
    assert history(MIRROR) == [b"0", b"1", b"2"]
