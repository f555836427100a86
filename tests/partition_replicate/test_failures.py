"""Messages that fail: they come back, or become a dead letter with its reason."""

import json

import pytest

from tasks.partition_replicate import handler as handler_module
from tasks.utils.errors import EventError
from tests.conftest import REGION
from tests.partition_replicate.conftest import SOURCE
from tests.partition_replicate.events import event_of


def test_after_a_failure_the_rest_of_the_group_waits(world, wire):
    """Else the create fails, the delete succeeds, the create is tried again, and what was deleted is back."""
    create = world.put("a.txt")
    delete = event_of(SOURCE, "a.txt", "Object Deleted")
    other = world.put("b.txt", b"other")
    wire.fail("GetObject", (503, "SlowDown"), times=99, key="a.txt")
    assert world.replicate(create, delete, other) == [0, 1]
    assert world.mirrored("b.txt") == b"other"


def test_message_that_is_no_json_becomes_a_dead_letter_with_its_reason(world):
    assert world.replicate("{not json", world.put("a.txt")) == []
    (letter,) = world.dead_letters()
    assert "the message is not JSON" in letter["MessageAttributes"]["Reason"]["StringValue"]
    assert world.mirrored("a.txt") == b"bytes"


def test_message_about_another_bucket_becomes_a_dead_letter(world):
    world.s3.create_bucket(Bucket="not-ours", CreateBucketConfiguration={"LocationConstraint": REGION})
    world.s3.put_object(Bucket="not-ours", Key="a.txt", Body=b"bytes")
    assert world.replicate(event_of("not-ours", "a.txt", "Object Created")) == []
    assert world.mirrored("a.txt") is None
    assert len(world.dead_letters()) == 1


def test_denied_source_and_a_slow_one_come_back(world, wire):
    wire.fail("GetObject", (403, "AccessDenied"), key="denied")
    wire.fail("GetObject", (503, "SlowDown"), times=99, key="slow")
    assert world.replicate(world.put("denied"), world.put("slow")) == [0, 1]
    assert world.dead_letters() == []


def test_object_that_can_never_be_read_becomes_a_dead_letter(world, wire):
    wire.fail("GetObject", (403, "InvalidObjectState"), times=9)
    assert world.replicate(world.put("archived")) == []
    (letter,) = world.dead_letters()
    assert "InvalidObjectState" in letter["MessageAttributes"]["Reason"]["StringValue"]


def test_table_that_does_not_answer_hands_the_message_back(world, environment):
    environment(OBJECTS_TABLE="no-such-table")
    assert world.replicate(world.put("a.txt")) == [0]
    assert world.dead_letters() == []


def test_one_failure_in_a_batch_is_counted(world, wire, capsys):
    wire.fail("GetObject", (503, "SlowDown"), times=99, key="slow")
    world.replicate(world.put("a.txt"), world.put("slow"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (metrics,) = [line for line in lines if "_aws" in line]
    assert (metrics["Failed"], metrics["Copied"], metrics["Done"], metrics["Bytes"]) == ([1.0], [1.0], [1.0], [5.0])
    assert len(metrics["EventAge"]) == 2 and min(metrics["EventAge"]) > 0


@pytest.mark.parametrize("event", [{}, [], "text", {"Records": None}, {"Records": [{"s3": {}}]}, {"detail-type": "x"}])
def test_event_that_is_no_batch_is_refused_with_one_sentence(world, event):
    with pytest.raises(EventError, match="^replicate takes batches of its FIFO queue and tasks of S3 Batch Operations"):
        handler_module.replicate(event, None)
    assert not world.dead_letters()
