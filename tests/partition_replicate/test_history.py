"""Every version of a key: the destination's history of it reads like the source's."""

import json

import pytest
from moto.s3.models import s3_backends

from tasks.object_clerk import versions as versions_module
from tasks.object_clerk.parts import MIN_PART
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.versions import in_order, versions_of
from tasks.partition_replicate import handler as handler_module
from tasks.utils.deadline import Deadline
from tasks.utils.s3_object import S3Object
from tests.conftest import REGION
from tests.partition_replicate.conftest import MIRROR, SOURCE, use_small_parts
from tests.partition_replicate.events import event_of
from tests.partition_replicate.large_objects import digest
from tests.partition_replicate.version_history import ACCOUNT, DELETED, history, made_from, version_of
from tests.support.events import load

pytestmark = pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids=["Enabled-Enabled"], indirect=True)


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
    use_small_parts(monkeypatch)
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
