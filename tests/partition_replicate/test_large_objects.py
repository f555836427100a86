"""Objects in parts: never torn, never on a disk, continued after a deadline or a kill, no part uploaded twice."""

import hashlib
import os
import sys
import threading
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ReadTimeoutError

from tasks.object_clerk.parts import MIB
from tasks.object_clerk.streams import StreamLimits
from tasks.partition_replicate import handler as handler_module
from tasks.utils.deadline import Deadline
from tests.conftest import session_of_the_tasks
from tests.partition_replicate.conftest import MIRROR, SOURCE
from tests.support.dying_client import Killed
from tests.support.time_machine import record_of

PART = 5 * MIB
# Three parts and a bit; 64 MiB where every part counts.
BODY = os.urandom(3 * PART + 12345)
SIXTY_FOUR = os.urandom(MIB) * 64


def digest(data):
    """Return a digest to compare in the place of megabytes, whose difference would flood the report."""
    return hashlib.sha256(data or b"").hexdigest()


@pytest.fixture(name="parts_of_5_mib", autouse=True)
def least_parts(monkeypatch):
    limits = partial(StreamLimits, threshold=PART, part_size=PART)
    monkeypatch.setattr(handler_module, "StreamLimits", limits)


@pytest.fixture
def one_part_at_a_time(monkeypatch):
    limits = partial(StreamLimits, threshold=PART, part_size=PART, workers=1)
    monkeypatch.setattr(handler_module, "StreamLimits", limits)


@contextmanager
def listened_to(name, listener):
    """Let the task's clients, which are made again, call a listener within the block."""
    events = session_of_the_tasks().events
    events.register(name, listener)
    handler_module.worker.cache_clear()
    try:
        yield
    finally:
        events.unregister(name, listener)
        handler_module.worker.cache_clear()


@pytest.fixture(name="uploaded")
def numbers_of_uploaded_parts(wire):
    """The number of each part whose bytes went out, in order."""
    assert wire.sent == []
    numbers = []

    def note(request, **_):
        numbers.append(int(parse_qs(urlsplit(request.url).query)["partNumber"][0]))

    events = session_of_the_tasks().events
    events.register("before-send.s3.UploadPart", note)
    yield numbers
    events.unregister("before-send.s3.UploadPart", note)


@pytest.fixture(name="clock")
def deadline_that_comes_after_so_many_looks(monkeypatch, wire):
    """Let time run out after so many checks of the deadline, None for never; or while bytes are read."""
    clock = SimpleNamespace(looks=None, while_reading=False, over=False)
    lock = threading.Lock()

    class Counted(Deadline):
        def has_passed(self):
            with lock:
                if left:
                    left[0] -= 1
                return bool(left) and left[0] < 0

        def remaining(self):
            return 0.0 if clock.over else 60.0

    def read(operation):
        clock.over = clock.over or (clock.while_reading and operation == "GetObject")

    wire.before.append(read)
    left = []

    def of_lambda(_context):
        clock.over = False
        left[:] = [] if clock.looks is None else [clock.looks]
        return Counted()

    monkeypatch.setattr(handler_module, "Deadline", SimpleNamespace(of_lambda=of_lambda))
    return clock


def received(world):
    asked = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    return world.sqs.receive_message(QueueUrl=world.queue, **asked).get("Messages", [])


def test_large_object_arrives_whole_with_headers_and_tags(world):
    event = world.put("big", BODY, ContentType="text/csv", Metadata={"who": "me"}, Tagging="a=b")
    assert world.replicate(event) == []
    assert digest(world.mirrored("big")) == digest(BODY)
    found = world.head("big")
    headers = found["ContentType"], found["Metadata"], found["ChecksumType"]
    assert headers == ("text/csv", {"who": "me"}, "FULL_OBJECT")
    assert world.tags("big") == {"a": "b"}
    assert world.uploads() == []


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


@pytest.mark.long
@pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids="-".join, indirect=True)
@pytest.mark.usefixtures("one_part_at_a_time")
def test_killed_at_every_part_no_part_is_uploaded_twice_and_no_upload_is_left(world, wire, uploaded):
    event = world.put("big", SIXTY_FOUR)
    boundaries = 13
    alive = []

    def kill(operation):
        """At the first part, and then each time one part further; at last when all are there."""
        if operation in ("UploadPart", "CompleteMultipartUpload") and len(uploaded) == alive[-1]:
            raise Killed()

    wire.before.append(kill)
    for boundary in range(boundaries + 1):
        alive.append(boundary)
        with pytest.raises(Killed):
            world.replicate(event)
        assert uploaded == list(range(1, boundary + 1))
    wire.before.clear()
    assert world.replicate(event) == []
    assert uploaded == list(range(1, boundaries + 1))
    assert digest(world.mirrored("big")) == digest(SIXTY_FOUR)
    assert world.uploads() == []


@pytest.mark.parametrize("operation", ["PutItem", "CreateMultipartUpload"])
def test_killed_before_the_upload_was_recorded_leaves_no_upload(world, wire, operation):
    event = world.put("big", BODY)

    def kill(**_):
        if wire.count("CreateMultipartUpload"):
            raise Killed()

    # Before the record of the upload's id is written, or when the upload is there and its id has not come back.
    when = {"PutItem": "before-send.dynamodb.PutItem", "CreateMultipartUpload": "after-call.s3.CreateMultipartUpload"}
    with listened_to(when[operation], kill), pytest.raises(Killed):
        world.replicate(event)
    assert world.uploads() == ["big"]
    assert world.replicate(event) == []
    assert digest(world.mirrored("big")) == digest(BODY)
    assert world.uploads() == []


def test_upload_that_a_killed_worker_did_not_record_goes_with_its_source(world, wire):
    event = world.put("big", BODY)

    def kill(**_):
        if wire.count("CreateMultipartUpload"):
            raise Killed()

    with listened_to("before-send.dynamodb.PutItem", kill), pytest.raises(Killed):
        world.replicate(event)
    assert world.replicate(world.delete("big")) == []
    assert world.uploads() == []


def test_upload_that_cannot_be_begun_reports_why_and_leaves_no_trace(world, wire, capsys):
    event = world.put("big", BODY)
    wire.fail("CreateMultipartUpload", (403, "AccessDenied"), times=99)
    assert world.replicate(event) == [0]
    assert "create_multipart_upload s3://the-mirror/big: AccessDenied" in capsys.readouterr().out
    assert "UploadSource" not in world.row("big")
    wire.faults.clear()
    wire.sent.clear()
    assert world.replicate(event) == []
    assert "ListMultipartUploads" not in wire.sent
    assert digest(world.mirrored("big")) == digest(BODY)


@pytest.mark.parametrize("failure", [(503, "SlowDown"), ReadTimeoutError(endpoint_url="https://s3")])
@pytest.mark.usefixtures("clock")
def test_upload_that_could_not_be_begun_is_begun_again(world, wire, failure):
    event = world.put("big", BODY)
    wire.fail("CreateMultipartUpload", failure, times=3)
    assert world.replicate(event) == [0]
    assert world.replicate(event) == []
    assert digest(world.mirrored("big")) == digest(BODY)
    assert world.uploads() == []


def test_answer_of_the_last_request_lost_and_the_worker_killed_is_recognised(world, wire, uploaded):
    """The recorded checksum identifies it: no byte is read again."""
    event = world.put("big", BODY)
    losses = [ReadTimeoutError(endpoint_url="https://s3")]

    def lose(**_):
        if losses:
            raise losses.pop()

    def kill(operation):
        if operation == "HeadObject" and wire.count("CompleteMultipartUpload"):
            raise Killed()

    wire.before.append(kill)
    with listened_to("after-call.s3.CompleteMultipartUpload", lose), pytest.raises(Killed):
        world.replicate(event)
    wire.before.clear()
    wire.sent.clear()
    assert world.replicate(event) == []
    # Whether the upload is gone, or another worker wrote the object, is not known: it is aborted to be sure.
    assert world.requests(wire) == ["HeadObject", "HeadObject", "ListObjectAnnotations", "AbortMultipartUpload"]
    assert sorted(uploaded) == [1, 2, 3, 4]


def test_work_that_runs_out_of_time_continues_in_new_messages(world, uploaded, clock):
    event = world.put("big", BODY)
    clock.looks = 2
    handler_module.enqueue(event, None)
    rounds = 0
    while messages := received(world):
        rounds += 1
        (message,) = messages
        assert handler_module.replicate({"Records": [record_of(message)]}, None) == {"batchItemFailures": []}
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"
        world.sqs.delete_message(QueueUrl=world.queue, ReceiptHandle=message["ReceiptHandle"])
    assert rounds >= 2
    assert sorted(uploaded) == list(range(1, 5))
    assert digest(world.mirrored("big")) == digest(BODY)
    assert world.uploads() == []


def test_object_without_progress_in_any_invocation_is_a_dead_letter_with_its_reason(world, clock):
    handler_module.enqueue(world.put("big", BODY), None)
    clock.while_reading = True
    rounds = 0
    while messages := received(world):
        rounds += 1
        (message,) = messages
        assert handler_module.replicate({"Records": [record_of(message)]}, None) == {"batchItemFailures": []}
        world.sqs.delete_message(QueueUrl=world.queue, ReceiptHandle=message["ReceiptHandle"])
    assert rounds == 5
    (letter,) = world.dead_letters()
    reason = letter["MessageAttributes"]["Reason"]["StringValue"]
    assert reason.startswith("no part could be carried within one invocation 5 times in a row: replicate s3://")


def test_object_with_progress_now_and_then_is_no_dead_letter(world, clock):
    handler_module.enqueue(world.put("big", BODY), None)
    clock.looks, rounds = 2, 0
    while messages := received(world):
        rounds += 1
        (message,) = messages
        clock.while_reading = rounds % 5 != 0
        assert handler_module.replicate({"Records": [record_of(message)]}, None) == {"batchItemFailures": []}
        world.sqs.delete_message(QueueUrl=world.queue, ReceiptHandle=message["ReceiptHandle"])
    assert rounds >= 15
    assert world.dead_letters() == []
    assert digest(world.mirrored("big")) == digest(BODY)


def test_upload_of_a_deleted_source_is_aborted(world, clock):
    event = world.put("big", BODY)
    clock.looks = 2
    world.replicate(event)
    assert world.uploads() == ["big"]
    clock.looks = None
    assert world.replicate(world.delete("big")) == []
    assert world.uploads() == []


def test_upload_that_is_refused_for_good_is_aborted(world, wire):
    event = world.put("big", BODY)
    wire.fail("UploadPart", (400, "InvalidRequest"), times=99)
    assert world.replicate(event) == []
    assert len(world.dead_letters()) == 1
    assert world.uploads() == []
    assert "UploadId" not in world.row("big")


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
    worker.replicator.limits.buffers.size = PART - 1
    assert world.replicate(world.put("big", BODY)) == []
    (letter,) = world.dead_letters()
    assert "it needs a buffer of 5242880 bytes" in letter["MessageAttributes"]["Reason"]["StringValue"]
    assert world.s3.head_object(Bucket=SOURCE, Key="big")["ContentLength"] == len(BODY)
