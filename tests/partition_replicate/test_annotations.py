"""Annotations of objects are mirrored: put, changed, deleted; with an object, and by events of their own."""

import json

import pytest

from tasks.object_clerk import annotation_lists, annotations
from tasks.partition_replicate import handler as handler_module
from tests.partition_replicate.conftest import MIRROR, SOURCE
from tests.partition_replicate.events import event_of
from tests.support.events import load

LIST = "ListObjectAnnotations"
WRITES = ("PutObjectAnnotation", "DeleteObjectAnnotation")

both_modes = pytest.mark.parametrize(
    "world", [("unversioned", "unversioned"), ("Enabled", "Enabled")], ids=["current", "all"], indirect=True
)
every_version = pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids=["all"], indirect=True)


def annotate(world, key, version=None, **notes):
    """Puts annotations at the source, or deletes those that are None; returns the events of it."""
    where = {"Bucket": SOURCE, "Key": key, **({"VersionId": version} if version else {})}
    events = []
    for name, payload in notes.items():
        how, word = ("delete", "Removed") if payload is None else ("put", "Created")
        more = {} if payload is None else {"AnnotationPayload": payload}
        answer = getattr(world.s3, f"{how}_object_annotation")(**where, AnnotationName=name, **more)
        events.append(event_of(SOURCE, key, f"Object Annotation {word}", version_id=answer.get("ObjectVersionId")))
    return events


def notes_of(s3, bucket, key, **version):
    where = {"Bucket": bucket, "Key": key, **version}
    names = [one["AnnotationName"] for one in s3.list_object_annotations(**where).get("Annotations", [])]
    found = {name: s3.get_object_annotation(**where, AnnotationName=name) for name in names}
    return {name: answer["AnnotationPayload"].read() for name, answer in found.items()}


def mirrored(world, key="a.txt", **version):
    return notes_of(world.mirror, MIRROR, key, **version)


def lines(capsys):
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in said if line.get("level")]


@both_modes
@pytest.mark.parametrize("size", [5, 20 * 1024 * 1024], ids=["small", "in parts"])
def test_annotations_go_along_with_a_new_object(world, size):
    event = world.put("a.txt", b"x" * size)
    annotate(world, "a.txt", note=b"{}", other="ü".encode())
    assert world.replicate(event) == []
    assert mirrored(world) == {"note": b"{}", "other": "ü".encode()}
    assert len(world.mirrored("a.txt")) == size


@both_modes
def test_annotations_are_put_changed_and_deleted_without_writing_the_bytes_again(world, wire):
    world.replicate(world.put("a.txt"))
    wire.sent.clear()
    steps = (
        ({"note": b"1", "other": b"2"}, {"note": b"1", "other": b"2"}),
        ({"note": b"3"}, {"note": b"3", "other": b"2"}),
        ({"note": None, "other": None}, {}),
    )
    for change, expected in steps:
        assert world.replicate(*annotate(world, "a.txt", **change)) == []
        assert mirrored(world) == expected
    assert wire.count("PutObject") == 0


@every_version
def test_annotations_of_an_older_version_are_mirrored_to_what_was_made_from_it(world):
    old = world.put("a.txt", b"1")
    first = old["detail"]["object"]["version-id"]
    world.replicate(old, world.put("a.txt", b"2"))
    assert world.replicate(*annotate(world, "a.txt", first, note=b"of the first")) == []
    made = world.row("a.txt", first)["DestObject"]["M"]["VersionId"]["S"]
    assert (mirrored(world), mirrored(world, VersionId=made)) == ({}, {"note": b"of the first"})


@every_version
def test_each_version_gets_its_own_annotations(world):
    events = [world.put("a.txt", b"1")]
    annotate(world, "a.txt", note=b"1")
    events.append(world.put("a.txt", b"2"))
    annotate(world, "a.txt", note=b"2")
    assert world.replicate(events[0]) == []
    versions = [event["detail"]["object"]["version-id"] for event in events]
    made = [world.row("a.txt", version)["DestObject"]["M"]["VersionId"]["S"] for version in versions]
    assert [mirrored(world, VersionId=version)["note"] for version in made] == [b"1", b"2"]


@both_modes
def test_overwrite_leaves_no_old_annotation(world):
    events = [world.put("a.txt", b"1"), *annotate(world, "a.txt", note=b"1")]
    world.replicate(*events)
    assert world.replicate(world.put("a.txt", b"2")) == []
    assert mirrored(world) == {}


@both_modes
@pytest.mark.parametrize("killed_at", ["PutObjectAnnotation", LIST])
def test_worker_killed_amid_annotations_is_made_good(world, wire, killed_at):
    event = world.put("a.txt")
    annotate(world, "a.txt", note=b"1", other=b"2")

    def kill(operation):
        if operation == killed_at:
            wire.before.clear()
            raise KeyboardInterrupt

    wire.before.append(kill)
    with pytest.raises(KeyboardInterrupt):
        world.replicate(event)
    assert world.replicate(event) == []
    assert mirrored(world) == {"note": b"1", "other": b"2"}
    assert world.versions("a.txt") == (1, 0)


@both_modes
def test_stale_annotation_of_a_killed_worker_goes(world, wire):
    """A worker puts what another one has seen deleted, and is killed before it looks again."""
    event = world.put("a.txt")
    annotate(world, "a.txt", note=b"1")
    deleted = []

    def delete_and_kill(operation):
        if operation == "PutObjectAnnotation" and not deleted:
            deleted.extend(annotate(world, "a.txt", note=None))
        elif operation == LIST and deleted:
            wire.before.clear()
            raise KeyboardInterrupt

    wire.before.append(delete_and_kill)
    with pytest.raises(KeyboardInterrupt):
        world.replicate(event)
    assert world.replicate(*deleted) == []
    assert world.replicate(event) == []
    assert mirrored(world) == {}


@both_modes
def test_annotation_that_another_worker_overtook_is_put_again(world, wire):
    event = world.put("a.txt")
    annotate(world, "a.txt", note=b"1")

    def overtake(operation):
        if operation == "PutObjectAnnotation":
            wire.before.clear()
            assert world.replicate(*annotate(world, "a.txt", note=b"2")) == []

    wire.before.append(overtake)
    assert world.replicate(event) == []
    assert mirrored(world) == {"note": b"2"}


@both_modes
def test_time_that_runs_out_amid_annotations_is_gone_on_with(world, monkeypatch):
    event = world.put("a.txt")
    many = {f"n{number:02}": b"%d" % number for number in range(20)}
    annotate(world, "a.txt", **many)
    puts = []
    passed = getattr(annotations.AnnotationCopy, "_check_time")

    def run_out(work):
        puts.append(work)
        if len(puts) == 10:
            raise annotations.DeadlineException("time ran out")
        passed(work)

    monkeypatch.setattr(annotations.AnnotationCopy, "_check_time", run_out)
    assert world.replicate(event) == []
    assert len(mirrored(world)) < 20
    (message,) = world.sqs.receive_message(QueueUrl=world.queue)["Messages"]
    assert world.replicate(json.loads(message["Body"])) == []
    assert mirrored(world) == many


@both_modes
def test_annotations_cost_one_list_at_the_source_and_nothing_at_the_destination(world, wire):
    world.replicate(world.put("b.txt"))
    wire.sent.clear()
    world.replicate(world.put("a.txt"))
    assert wire.count(LIST) == 1
    assert not set(WRITES) & set(wire.sent)


@both_modes
def test_ignored_annotations_cost_nothing_and_are_named(world, wire, environment, capsys):
    environment(ANNOTATIONS="ignore")
    event = world.put("a.txt")
    changes = annotate(world, "a.txt", note=b"1")
    wire.sent.clear()
    assert world.replicate(event, *changes) == []
    assert not [operation for operation in wire.sent if "Annotation" in operation]
    assert mirrored(world) == {}
    first, second = lines(capsys)
    assert first["not_carried"] == ["ACL", "annotations"]
    assert (second["message"], second["reason"]) == ("nothing to do", "annotations are not mirrored")


@both_modes
@pytest.mark.parametrize("noted", [True, False])
def test_destination_without_annotations_gets_none_and_they_are_named(world, wire, capsys, monkeypatch, noted):
    event = world.put("a.txt")
    changes = annotate(world, "a.txt", note=b"1") if noted else []
    listed = annotations.annotations_of
    monkeypatch.setattr(
        annotations, "annotations_of", lambda requests, at: None if at.bucket == MIRROR else listed(requests, at)
    )
    monkeypatch.setattr(annotation_lists, "_KNOWN", annotation_lists.WeakKeyDictionary())
    wire.sent.clear()
    assert world.replicate(event, *changes) == []
    assert not set(WRITES) & set(wire.sent)
    said = lines(capsys)
    assert [("annotations" in line.get("not_carried", [])) for line in said] == [noted] * len(said)
    assert world.mirrored("a.txt") == b"bytes"


@both_modes
def test_refused_list_is_an_error_that_names_the_permission(world, wire, capsys):
    wire.fail(LIST, (403, "AccessDenied"), times=99)
    event = world.put("a.txt")
    assert world.replicate(event) == [0]
    assert "s3:ListObjectAnnotations" in lines(capsys)[-1]["reason"]
    wire.faults.clear()
    assert world.replicate(event) == []


@both_modes
def test_notification_of_s3_sets_it_off_too(world):
    world.replicate(world.put("a.txt"))
    annotate(world, "a.txt", note=b"1")
    record = load("s3_restore_completed")["Records"][0]
    record["eventName"] = "ObjectAnnotation:Put"
    record["s3"]["bucket"]["name"], record["s3"]["object"] = SOURCE, {"key": "a.txt"}
    assert handler_module.enqueue({"Records": [record]}, None) == {"enqueued": 1}
    (message,) = world.sqs.receive_message(QueueUrl=world.queue)["Messages"]
    assert world.replicate(json.loads(message["Body"])) == []
    assert mirrored(world) == {"note": b"1"}


@both_modes
def test_batch_operations_repair_annotations(world):
    event = world.put("a.txt")
    annotate(world, "a.txt", note=b"1")
    world.replicate(event)
    where = {"Bucket": MIRROR, "Key": "a.txt"}
    world.mirror.put_object_annotation(**where, AnnotationName="note", AnnotationPayload=b"damaged")
    world.mirror.put_object_annotation(**where, AnnotationName="extra", AnnotationPayload=b"1")
    invocation = load("batch_operations_1_0")
    task = {**invocation["tasks"][0], "s3Key": "a.txt", "s3VersionId": None, "s3BucketArn": f"arn:aws:s3:::{SOURCE}"}
    invocation["tasks"] = [task]
    answer = handler_module.replicate(invocation, None)
    assert answer["results"][0]["resultCode"] == "Succeeded", answer
    assert mirrored(world) == {"note": b"1"}
