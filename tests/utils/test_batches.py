"""I4: every message ends done, waiting for a retry, or in the dead-letter queue with its reason."""

import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.object_clerk.errors import (
    BucketNotFoundException,
    ObjectChangedException,
    ObjectClerkServerAuthException,
)
from tasks.utils.batches import BatchProcessor, DeadLetters, State
from tasks.utils.deadline import Deadline
from tasks.utils.errors import EventError
from tasks.utils.work_queue import Message, Past
from tests.support.events import sqs_event
from tests.utils.batches import FOR_GOOD, FOR_NOW, NO_QUEUE, NONE, batch, failed, failing


def test_message_has_its_group_and_its_number_of_receives():
    record = batch(1, groups=["g"])["Records"][0]
    record["attributes"] |= {"ApproximateReceiveCount": "4", "ApproximateFirstReceiveTimestamp": "1700000000500"}
    receipt = record["receiptHandle"]
    message = Message("message-0", "{}", "g", 4, receipt, 1_700_000_000.5)
    assert Message.from_record(record) == message
    attributes = {"ReceivesBefore": "7", "FirstReceived": "1600000000.25", "Stalled": "2"}
    record["messageAttributes"] = {
        name: {"dataType": "Number", "stringValue": value} for name, value in attributes.items()
    }
    past = Past(7, 1_600_000_000.25, 2)
    assert Message.from_record(record) == replace(message, first_received=1_600_000_000.25, past=past)
    assert Message.from_record({"messageId": "m"}) == Message("m", "", None, 1)


@pytest.mark.parametrize("attribute", [None, {}, {"stringValue": "many"}, {"stringValue": None}])
def test_attribute_of_another_sender_is_ignored(attribute):
    record = {"messageId": "m", "messageAttributes": {"ReceivesBefore": attribute, "Other": attribute}}
    assert Message.from_record(record).past == Past()


def test_batch_without_a_failure_is_acknowledged():
    result = BatchProcessor(NO_QUEUE, NONE, 4).process(batch(10), failing({}))
    assert failed(result) == []
    assert {end.state for end in result.ends} == {State.DONE}


@pytest.mark.parametrize("error", [FOR_GOOD, FOR_NOW, ValueError("a bug")])
def test_failed_message_comes_back_and_the_rest_is_done(error):
    result = BatchProcessor(NO_QUEUE, NONE, 4).process(batch(10), failing({"message-3": error}))
    assert failed(result) == ["message-3"]
    assert [end.error for end in result.ends if end.error] == [error]


def test_messages_without_a_group_are_processed_in_parallel():
    together = threading.Barrier(4, timeout=10)
    result = BatchProcessor(NO_QUEUE, NONE, 4).process(batch(4), lambda _: together.wait())
    assert failed(result) == []


def test_no_more_messages_are_processed_at_once_than_there_are_workers():
    at_once, most, lock = [], [], threading.Lock()

    def handle(message):
        with lock:
            at_once.append(message)
            most.append(len(at_once))
        time.sleep(0.01)
        with lock:
            at_once.remove(message)

    BatchProcessor(NO_QUEUE, NONE, 3).process(batch(10), handle)
    assert max(most) <= 3


def test_groups_are_processed_in_parallel():
    together = threading.Barrier(2, timeout=10)
    result = BatchProcessor(NO_QUEUE, NONE, 2).process(batch(2, groups=["a", "b"]), lambda _: together.wait())
    assert failed(result) == []


def test_first_failure_of_a_group_stops_the_group_and_returns_the_rest():
    seen = []
    groups = ["a", "b", "a", "b", "a", "b"]
    handle = failing({"message-2": FOR_NOW}, seen)
    result = BatchProcessor(NO_QUEUE, NONE, 2).process(batch(6, groups=groups), handle)
    assert failed(result) == ["message-2", "message-4"]
    assert "message-4" not in seen
    assert [str(end.error) for end in result.ends if end.error] == [
        "later",
        "message message-2 of the same group failed and comes first",
    ]


@given(groups=st.lists(st.sampled_from("abc"), max_size=10), bad=st.sets(st.integers(0, 9)), workers=st.integers(1, 4))
def test_every_group_is_processed_in_order_up_to_its_first_failure(groups, bad, workers):
    seen = []
    handle = failing({f"message-{number}": FOR_NOW for number in bad}, seen)
    result = BatchProcessor(NO_QUEUE, NONE, workers).process(batch(len(groups), groups=groups), handle)
    expected_failed = []
    for group in set(groups):
        members = [number for number, name in enumerate(groups) if name == group]
        first_bad = next((at for at, number in enumerate(members) if number in bad), len(members))
        worked_on = [int(id_.removeprefix("message-")) for id_ in seen]
        assert [number for number in worked_on if number in members] == members[: first_bad + 1]
        expected_failed += members[first_bad:]
    assert failed(result) == [f"message-{number}" for number in sorted(expected_failed)]


def test_message_after_the_deadline_comes_back_untouched():
    seen = []
    result = BatchProcessor(NO_QUEUE, NONE).process(batch(3), failing({}, seen), Deadline(0.0))
    assert failed(result) == ["message-0", "message-1", "message-2"]
    assert not seen


# Dead letters.


@pytest.fixture(name="queues")
def two_queues(sqs):
    standard = sqs.create_queue(QueueName="dead")["QueueUrl"]
    fifo = sqs.create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    return {"standard": standard, "fifo": fifo}


def received(sqs, url):
    return sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
    ).get("Messages", [])


def test_reason_of_a_bug_begins_with_its_type(sqs, queues):
    letters = DeadLetters(lambda: sqs, queues["standard"], max_receives=1)
    BatchProcessor(NO_QUEUE, letters).process(sqs_event("{}"), failing({"message-0": KeyError("key")}))
    (message,) = received(sqs, queues["standard"])
    assert message["MessageAttributes"]["Reason"]["StringValue"] == "unexpected KeyError: 'key'"


def test_message_that_can_never_succeed_is_moved_with_its_reason_and_acknowledged(sqs, queues):
    event = sqs_event("not json \u202e")
    letters = DeadLetters(lambda: sqs, queues["standard"])
    bad = failing({"message-0": EventError("bad\x00\x1b[31mreason")})
    result = BatchProcessor(NO_QUEUE, letters).process(event, bad)
    assert failed(result) == []
    assert [end.state for end in result.ends] == [State.DEAD_LETTERED]
    (message,) = received(sqs, queues["standard"])
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert message["Body"] == "not json \u202e"
    assert attributes == {"Reason": r"bad\x00\x1b[31mreason", "ErrorType": "EventError", "MessageId": "message-0"}


def test_dead_letter_does_not_block_its_group(sqs, queues):
    seen = []
    event = batch(3, groups=["g", "g", "g"])
    letters = DeadLetters(lambda: sqs, queues["fifo"])
    result = BatchProcessor(NO_QUEUE, letters, 2).process(event, failing({"message-0": FOR_GOOD}, seen))
    assert (failed(result), seen) == ([], ["message-0", "message-1", "message-2"])
    (message,) = received(sqs, queues["fifo"])
    assert message["Attributes"]["MessageGroupId"] == "g"


@pytest.mark.parametrize(
    "error",
    [
        FOR_NOW,
        ObjectChangedException("look again"),
        ObjectClerkServerAuthException("denied"),
        BucketNotFoundException("no bucket"),
        ValueError("a bug"),
    ],
)
def test_message_that_may_pass_later_is_no_dead_letter(sqs, queues, error):
    letters = DeadLetters(lambda: sqs, queues["standard"], max_receives=5)
    result = BatchProcessor(NO_QUEUE, letters).process(batch(1), failing({"message-0": error}))
    assert failed(result) == ["message-0"]
    assert received(sqs, queues["standard"]) == []


# If the work queue is not known, no copy can be sent, and the number of receives counts. SQS moves a message at the
# first receive beyond the limit: the last allowed receive is 5.
@pytest.mark.parametrize("receives, state", [(4, State.FAILED), (5, State.DEAD_LETTERED), (6, State.DEAD_LETTERED)])
def test_last_receive_of_a_message_moves_it_with_its_reason(sqs, queues, receives, state):
    event = batch(1)
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = str(receives)
    letters = DeadLetters(lambda: sqs, queues["standard"], max_receives=5)
    result = BatchProcessor(NO_QUEUE, letters).process(event, failing({"message-0": FOR_NOW}))
    assert [end.state for end in result.ends] == [state]


def test_reason_that_is_too_long_is_cut(sqs, queues):
    letters = DeadLetters(lambda: sqs, queues["standard"])
    BatchProcessor(NO_QUEUE, letters).process(batch(1), failing({"message-0": EventError("é" * 300_000)}))
    (message,) = received(sqs, queues["standard"])
    assert message["MessageAttributes"]["Reason"]["StringValue"] == "é" * 2000


def test_dead_letter_that_cannot_be_sent_comes_back(sqs):
    letters = DeadLetters(lambda: sqs, "https://sqs.eu-west-1.amazonaws.com/123456789012/no-such-queue")
    result = BatchProcessor(NO_QUEUE, letters).process(batch(1), failing({"message-0": FOR_GOOD}))
    assert failed(result) == ["message-0"]
