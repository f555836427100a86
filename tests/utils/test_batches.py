"""I4: every message ends done, waiting for a retry, or in the dead-letter queue with its reason."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.utils.batches import DeadLetters, Message, State, work_through
from tasks.utils.deadline import Deadline
from tasks.utils.errors import EventError, ObjectChangedException, ObjectClerkServerInternalException
from tests.support.events import sqs_event

NONE = DeadLetters(None, "")
FOR_GOOD = EventError("never")
FOR_NOW = ObjectClerkServerInternalException("later")


def batch(size, *, groups=None):
    return sqs_event(*("{}" for _ in range(size)), groups=groups)


def failing(errors, seen=None):
    """Returns a handler that raises what `errors` has for a message's id."""

    def handle(message):
        if seen is not None:
            seen.append(message.id)
        if message.id in errors:
            raise errors[message.id]

    return handle


def failed(result):
    return [failure["itemIdentifier"] for failure in result.answer["batchItemFailures"]]


def test_message_tells_its_group_and_how_often_it_was_received():
    record = batch(1, groups=["g"])["Records"][0]
    record["attributes"]["ApproximateReceiveCount"] = "4"
    assert Message.of(record) == Message("message-0", "{}", "g", 4)
    assert Message.of({"messageId": "m"}) == Message("m", "", None, 1)


def test_batch_without_a_failure_is_acknowledged():
    result = work_through(batch(10), failing({}), dead_letters=NONE, workers=4)
    assert failed(result) == []
    assert {end.state for end in result.ends} == {State.DONE}


@pytest.mark.parametrize("error", [FOR_GOOD, FOR_NOW, ValueError("a bug")])
def test_failed_message_comes_back_and_the_rest_is_done(error):
    result = work_through(batch(10), failing({"message-3": error}), dead_letters=NONE, workers=4)
    assert failed(result) == ["message-3"]
    assert [end.error for end in result.ends if end.error] == [error]


def test_messages_without_a_group_are_worked_on_side_by_side():
    together = threading.Barrier(4, timeout=10)
    result = work_through(batch(4), lambda _: together.wait(), dead_letters=NONE, workers=4)
    assert failed(result) == []


def test_no_more_messages_are_worked_on_at_once_than_workers():
    at_once, most, lock = [], [], threading.Lock()

    def handle(message):
        with lock:
            at_once.append(message)
            most.append(len(at_once))
        time.sleep(0.01)
        with lock:
            at_once.remove(message)

    work_through(batch(10), handle, dead_letters=NONE, workers=3)
    assert max(most) <= 3


def test_groups_are_worked_on_side_by_side():
    together = threading.Barrier(2, timeout=10)
    result = work_through(batch(2, groups=["a", "b"]), lambda _: together.wait(), dead_letters=NONE, workers=2)
    assert failed(result) == []


def test_first_failure_of_a_group_stops_the_group_and_hands_the_rest_back():
    seen = []
    groups = ["a", "b", "a", "b", "a", "b"]
    handle = failing({"message-2": FOR_NOW}, seen)
    result = work_through(batch(6, groups=groups), handle, dead_letters=NONE, workers=2)
    assert failed(result) == ["message-2", "message-4"]
    assert "message-4" not in seen
    assert [str(end.error) for end in result.ends if end.error] == [
        "later", "message message-2 of the same group failed and comes first"
    ]


@given(groups=st.lists(st.sampled_from("abc"), max_size=10), bad=st.sets(st.integers(0, 9)), workers=st.integers(1, 4))
def test_every_group_is_worked_on_in_order_up_to_its_first_failure(groups, bad, workers):
    seen = []
    handle = failing({f"message-{number}": FOR_NOW for number in bad}, seen)
    result = work_through(batch(len(groups), groups=groups), handle, dead_letters=NONE, workers=workers)
    expected_failed = []
    for group in set(groups):
        members = [number for number, name in enumerate(groups) if name == group]
        first_bad = next((at for at, number in enumerate(members) if number in bad), len(members))
        worked_on = [int(id_.removeprefix("message-")) for id_ in seen]
        assert [number for number in worked_on if number in members] == members[: first_bad + 1]
        expected_failed += members[first_bad:]
    assert failed(result) == [f"message-{number}" for number in sorted(expected_failed)]


def test_message_that_begins_after_the_deadline_comes_back_untouched():
    seen = []
    result = work_through(batch(3), failing({}, seen), dead_letters=NONE, workers=1, deadline=Deadline(0.0))
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


def test_message_that_can_never_succeed_is_moved_with_its_reason_and_acknowledged(sqs, queues):
    event = sqs_event("not json \u202e")
    letters = DeadLetters(lambda: sqs, queues["standard"])
    bad = failing({"message-0": EventError("bad\x00\x1b[31mreason")})
    result = work_through(event, bad, dead_letters=letters, workers=1)
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
    result = work_through(event, failing({"message-0": FOR_GOOD}, seen), dead_letters=letters, workers=2)
    assert (failed(result), seen) == ([], ["message-0", "message-1", "message-2"])
    (message,) = received(sqs, queues["fifo"])
    assert message["Attributes"]["MessageGroupId"] == "g"


@pytest.mark.parametrize("error", [FOR_NOW, ObjectChangedException("look again"), ValueError("a bug")])
def test_message_that_may_pass_later_is_no_dead_letter(sqs, queues, error):
    letters = DeadLetters(lambda: sqs, queues["standard"], max_receives=5)
    result = work_through(batch(1), failing({"message-0": error}), dead_letters=letters, workers=1)
    assert failed(result) == ["message-0"]
    assert received(sqs, queues["standard"]) == []


# The queue moves a message when it would be received once more than allowed: the last allowed time is 5.
@pytest.mark.parametrize("receives, state", [(4, State.FAILED), (5, State.DEAD_LETTERED), (6, State.DEAD_LETTERED)])
def test_last_receive_of_a_message_moves_it_with_its_reason(sqs, queues, receives, state):
    event = batch(1)
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = str(receives)
    letters = DeadLetters(lambda: sqs, queues["standard"], max_receives=5)
    result = work_through(event, failing({"message-0": FOR_NOW}), dead_letters=letters, workers=1)
    assert [end.state for end in result.ends] == [state]


def test_reason_that_is_too_long_is_cut(sqs, queues):
    letters = DeadLetters(lambda: sqs, queues["standard"])
    work_through(batch(1), failing({"message-0": EventError("é" * 300_000)}), dead_letters=letters, workers=1)
    (message,) = received(sqs, queues["standard"])
    assert message["MessageAttributes"]["Reason"]["StringValue"] == "é" * 2000


def test_dead_letter_that_cannot_be_sent_comes_back(sqs):
    letters = DeadLetters(lambda: sqs, "https://sqs.eu-west-1.amazonaws.com/123456789012/no-such-queue")
    result = work_through(batch(1), failing({"message-0": FOR_GOOD}), dead_letters=letters, workers=1)
    assert failed(result) == ["message-0"]
