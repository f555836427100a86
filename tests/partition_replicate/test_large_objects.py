"""Objects in parts: never torn, and never on a disk."""

import os
import sys
import threading
from types import SimpleNamespace

import pytest

from tasks.object_clerk.parts import MIN_PART
from tasks.partition_replicate import handler as handler_module
from tests.partition_replicate.conftest import MIRROR, SOURCE, use_small_parts
from tests.partition_replicate.large_objects import BODY, digest


@pytest.fixture(name="parts_of_5_mib", autouse=True)
def least_parts(monkeypatch):
    use_small_parts(monkeypatch)


def test_large_object_arrives_whole_with_headers_and_tags(world):
    event = world.put("big", BODY, ContentType="text/csv", Metadata={"who": "me"}, Tagging="a=b")
    assert world.replicate(event) == []
    assert digest(world.mirrored("big")) == digest(BODY)
    found = world.head("big")
    headers = found["ContentType"], found["Metadata"], found["ChecksumType"]
    assert headers == ("text/csv", {"who": "me"}, "FULL_OBJECT")
    assert world.tags("big") == {"a": "b"}
    assert world.uploads() == []


def test_large_object_whose_key_xml_cannot_hold_arrives_by_one_upload(world, wire):
    key = "big \x01\x02\x1f\x7f.txt"
    assert world.replicate(world.put(key, BODY)) == []
    assert digest(world.mirrored(key)) == digest(BODY)
    assert (wire.sent.count("CreateMultipartUpload"), world.uploads()) == (1, [])


@pytest.mark.usefixtures("clock")
def test_upload_of_such_a_key_whose_beginning_lost_its_answer_is_aborted(world, wire):
    key, begun = "big \x01\x02\x1f\x7f.txt", []

    def lose(operation):
        if operation == "CreateMultipartUpload" and not begun:
            begun.append(world.mirror.create_multipart_upload(Bucket=MIRROR, Key=key)["UploadId"])
            raise ConnectionResetError

    wire.before.append(lose)
    event = world.put(key, BODY)
    for _ in range(3):
        world.replicate(event)
    assert digest(world.mirrored(key)) == digest(BODY)
    assert len(begun) == 1 and world.uploads() == []


def test_large_object_delivered_again_is_not_read_again(world, wire):
    event = world.put("big", BODY)
    world.replicate(event)
    wire.sent.clear()
    assert world.replicate(event) == []
    assert world.requests(wire) == ["HeadObject", "HeadObject", "ListObjectAnnotations"]


@pytest.mark.usefixtures("one_part_at_a_time")
def test_first_part_is_read_while_the_upload_begins(world, wire):
    event, begins = world.put("big", BODY), threading.Event()

    def wait_for_the_read(operation):
        if operation == "GetObject":
            begins.set()
        elif operation == "CreateMultipartUpload":
            assert begins.wait(20)

    wire.before.append(wait_for_the_read)
    assert world.replicate(event) == []
    assert digest(world.mirrored("big")) == digest(BODY)


def test_equal_large_object_that_the_table_does_not_know_stays_and_no_upload_is_left(world):
    world.mirror.put_object(Bucket=MIRROR, Key="big", Body=BODY, Metadata={"of": "another"})
    before = world.head("big")["LastModified"]
    assert world.replicate(world.put("big", BODY, Metadata={"of": "another"})) == []
    assert (world.head("big")["LastModified"], world.uploads()) == (before, [])


def test_other_large_object_that_the_table_does_not_know_is_replaced_and_parts_go_once(world, uploaded):
    world.mirror.put_object(Bucket=MIRROR, Key="big", Body=b"another")
    assert world.replicate(world.put("big", BODY)) == []
    assert digest(world.mirrored("big")) == digest(BODY)
    assert sorted(uploaded) == [1, 2, 3, 4]
    assert world.uploads() == []


def test_nothing_is_written_to_a_disk(world, monkeypatch, tmp_path):
    # What moto stores stays in memory too.
    monkeypatch.setenv("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", str(1 << 30))
    event = world.put("big", BODY)
    # After this both clients and their data files exist.
    world.replicate(world.put("small"))
    written, watch = [], SimpleNamespace(on=True)

    def note(name, arguments):
        if watch.on and name == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            written.append(arguments[0])

    # A hook stays as long as the process does.
    sys.addaudithook(note)
    try:
        assert world.replicate(event) == []
        assert not written
        (tmp_path / "seen").write_bytes(b"")
        assert len(written) == 1
    finally:
        watch.on = False


def test_source_overwritten_between_two_parts_is_never_torn(world, wire):
    event = world.put("big", BODY)
    newer = bytes(reversed(BODY))

    def overwrite(operation):
        if operation == "UploadPart":
            wire.before.clear()
            world.put("big", newer)

    wire.before.append(overwrite)
    assert world.replicate(event) == []
    assert digest(world.mirrored("big")) == digest(newer)
    assert world.uploads() == []


@pytest.mark.parametrize("world", [("Enabled", "Enabled")], indirect=True)
@pytest.mark.parametrize("versions", ["all", "current"])
@pytest.mark.usefixtures("one_part_at_a_time")
def test_every_state_the_mirror_ever_had_is_one_version_of_the_source(world, wire, environment, versions):
    environment(VERSIONS=versions)
    event = world.put("big", BODY)
    overwritten = []

    def overwrite(operation):
        if operation == "UploadPart" and wire.count("UploadPart") == 1 and not overwritten:
            overwritten.append(world.put("big", BODY[::-1]))

    wire.before.append(overwrite)
    assert world.replicate(event) == []
    assert overwritten
    listed = world.mirror.list_object_versions(Bucket=MIRROR)["Versions"]
    had = {one["IsLatest"]: world.body(world.mirror, MIRROR, "big", VersionId=one["VersionId"]) for one in listed}
    assert {newest: digest(body) for newest, body in had.items()} == {True: digest(BODY[::-1]), False: digest(BODY)}


def test_lost_race_at_the_end_uploads_nothing_again(world, wire, uploaded):
    event = world.put("big", BODY)

    def get_in_between(operation):
        if operation == "CompleteMultipartUpload":
            wire.before.clear()
            world.mirror.put_object(Bucket=MIRROR, Key="big", Body=b"another")

    wire.before.append(get_in_between)
    assert world.replicate(event) == []
    assert digest(world.mirrored("big")) == digest(BODY)
    assert sorted(uploaded) == [1, 2, 3, 4]


def test_part_that_fails_is_tried_again(world, wire):
    event = world.put("big", BODY)
    wire.fail("UploadPart", (500, "InternalError"), times=2)
    wire.fail("GetObject", (503, "SlowDown"), times=2)
    assert world.replicate(event) == []
    assert digest(world.mirrored("big")) == digest(BODY)


def test_object_whose_parts_do_not_fit_into_memory_is_refused_with_a_sentence(world, environment):
    environment(TRANSFER_MEMORY_MB="16")
    worker = handler_module.worker()
    worker.replicator.limits.buffers.size = MIN_PART - 1
    assert world.replicate(world.put("big", BODY)) == []
    (letter,) = world.dead_letters()
    assert "it needs a buffer of 5242880 bytes" in letter["MessageAttributes"]["Reason"]["StringValue"]
    assert world.s3.head_object(Bucket=SOURCE, Key="big")["ContentLength"] == len(BODY)
