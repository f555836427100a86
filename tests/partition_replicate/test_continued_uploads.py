"""Uploads of objects in parts continue after a deadline or a kill, and no part is uploaded twice."""

import threading
from types import SimpleNamespace

import pytest
from botocore.exceptions import ReadTimeoutError

from tasks.partition_replicate import handler as handler_module
from tasks.utils.deadline import Deadline
from tests.partition_replicate.conftest import use_small_parts
from tests.partition_replicate.large_objects import BODY, SIXTY_FOUR, digest, listened_to, received
from tests.support.dying_client import Killed
from tests.support.time_machine import record_of


@pytest.fixture(name="parts_of_5_mib", autouse=True)
def least_parts(monkeypatch):
    use_small_parts(monkeypatch)


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
