"""I4: every message ends done, waiting for a retry, or in the dead-letter queue with its reason."""

import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.object_clerk.errors import (
    BucketNotFoundException,
    DeadlineException,
    ObjectChangedException,
    ObjectClerkServerAuthException,
    ObjectClerkServerInternalException,
)
from tasks.utils.batches import BatchProcessor, DeadLetters, State
from tasks.utils.deadline import Deadline
from tasks.utils.errors import EventError
from tasks.utils.work_queue import LONGEST_WAIT, Message, Past, WorkQueue, wait_after
from tests.support.dying_client import Killed
from tests.support.events import sqs_event
from tests.support.time_machine import DAY, HOUR, PolledQueue

NO_QUEUE = WorkQueue(None, "")
NONE = DeadLetters(None, "")
FOR_GOOD = EventError("never")
FOR_NOW = ObjectClerkServerInternalException("later")


def batch(size, *, groups=None):
    return sqs_event(*("{}" for _ in range(size)), groups=groups)


def failing(errors, seen=None):
    """Return a handler that raises the error of a message's id in `errors`."""

    def handle(message):
        if seen is not None:
            seen.append(message.id)
        if message.id in errors:
            raise errors[message.id]

    return handle


def failed(result):
    return [failure["itemIdentifier"] for failure in result.answer["batchItemFailures"]]


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


# When messages come back. The queue is moto's model of SQS, and the time of the tests passes at once.


@pytest.fixture(name="polled")
def standard_queue_that_is_polled(sqs, clock):
    return PolledQueue.create(sqs, clock, "work")


@pytest.fixture(name="polled_fifo")
def fifo_queue_that_is_polled(sqs, clock):
    return PolledQueue.create(sqs, clock, "work", fifo=True)


def work_on(queue, handle, **more):
    """Process the batches of a queue with `handle`, which takes a message."""
    letters = DeadLetters(lambda: queue.sqs, queue.dead_url, max_receives=10)
    work_queue = more.pop("work_queue", WorkQueue(lambda: queue.sqs, queue.url))

    def invoke(event):
        return BatchProcessor(work_queue, letters).process(event, handle, **more).answer

    queue.handle = invoke


def send(queue, *bodies, group="g"):
    for body in bodies:
        fifo = {"MessageGroupId": group, "MessageDeduplicationId": body} if queue.url.endswith(".fifo") else {}
        queue.sqs.send_message(QueueUrl=queue.url, MessageBody=body, **fifo)


def noting(clock, noted, error=FOR_NOW):
    """Return a handler that records the time and the body of each message, and fails."""

    def handle(message):
        noted.append((clock.now, message.body))
        raise error

    return handle


@pytest.mark.parametrize("kind", ["polled", "polled_fifo"])
def test_message_that_fails_comes_back_after_seconds_and_later_after_a_quarter_of_an_hour(request, clock, kind):
    queue, noted = request.getfixturevalue(kind), []
    work_on(queue, noting(clock, noted))
    send(queue, "a")
    queue.run(DAY)
    moments = [moment for moment, _ in noted]
    gaps = [later - earlier for earlier, later in zip(moments, moments[1:])]
    assert all(0.9 <= gap <= 5 for gap in gaps[:2])
    assert max(gaps) <= LONGEST_WAIT + 1
    # A copy in a FIFO queue is available at once: one try in five may come early, and no two in a row.
    assert all(first + second > LONGEST_WAIT / 2 for first, second in zip(gaps[20:], gaps[21:]))
    assert 90 <= len(moments) <= 250
    assert queue.dead_letters() == []


@given(receives=st.integers(1, 100_000))
def test_wait_is_at_most_a_quarter_of_an_hour_and_at_least_half_of_the_nominal_wait(receives):
    due = min(LONGEST_WAIT, 2.0 ** min(receives, 64))
    assert due / 2 <= wait_after(receives) <= due


def test_messages_after_a_failure_come_back_with_it_and_in_order(polled_fifo):
    done, down = [], [True]

    def handle(message):
        if down[0]:
            raise FOR_NOW
        done.append(message.body)

    work_on(polled_fifo, handle)
    send(polled_fifo, "1", "2", "3")
    polled_fifo.run(6 * HOUR)
    down[0] = False
    assert polled_fifo.run(DAY) <= LONGEST_WAIT + 1
    assert done == ["1", "2", "3"]


def test_deferred_message_comes_back_at_once(polled):
    work_on(polled, lambda message: None, deadline=Deadline(0.0))
    send(polled, "a")
    polled.run(1)
    work_on(polled, lambda message: None)
    assert polled.run(DAY) < 1


def test_what_fails_for_four_days_is_a_dead_letter_with_its_reason(polled, clock):
    work_on(polled, noting(clock, []))
    send(polled, "a")
    polled.run(6 * HOUR)
    clock.sleep(3.6 * DAY)
    polled.run(HOUR)
    assert polled.dead_letters() == []
    clock.sleep(0.2 * DAY)
    polled.run(HOUR)
    (letter,) = polled.dead_letters()
    assert letter["MessageAttributes"]["Reason"]["StringValue"] == "later"
    assert letter["MessageAttributes"].keys() == {"Reason", "ErrorType", "MessageId"}


def test_queue_that_was_paused_for_a_week_makes_no_dead_letters(polled, clock):
    noted = []
    work_on(polled, noting(clock, noted))
    send(polled, "a")
    polled.run(60)
    clock.sleep(7 * DAY)
    polled.run(600)
    assert polled.dead_letters() == []


def test_message_that_kills_its_function_is_a_dead_letter_within_a_day(polled):
    def kill(_batch):
        raise Killed()

    polled.handle = kill
    send(polled, "a")
    polled.run(DAY)
    assert polled.invocations == 10
    assert [letter["Body"] for letter in polled.dead_letters()] == ["a"]


def test_queue_that_does_not_change_visibilities_is_named_once_and_messages_come_back_later(polled, clock, caplog):
    noted = []
    elsewhere = polled.url.replace("/work", "/no-such-queue")
    work_on(polled, noting(clock, noted), work_queue=WorkQueue(lambda: polled.sqs, elsewhere))
    send(polled, "a", "b")
    polled.run(HOUR)
    assert len(noted) == 2
    polled.run(HOUR)
    assert len(noted) == 4
    refusals = [record for record in caplog.records if "did not take a request" in record.message]
    assert len(refusals) == polled.invocations == 2


def test_copy_that_is_not_taken_leaves_the_message_in_the_queue(polled, clock, monkeypatch):
    noted = []
    work_on(polled, noting(clock, noted))
    send(polled, "a")
    entries = {"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": False}], "Successful": []}
    with monkeypatch.context() as patched:
        patched.setattr(polled.sqs, "send_message_batch", lambda **_: entries)
        polled.run(HOUR)
    assert 5 < len(noted) < 10
    assert polled.run(1.5 * DAY) > DAY
    assert polled.dead_letters() == []


# Messages whose work makes no progress within an invocation.


def stall(message):
    raise DeadlineException(f"time ran out with {message.body}")


def test_message_without_progress_is_a_dead_letter_after_five_invocations(polled_fifo):
    work_on(polled_fifo, stall)
    send(polled_fifo, "a")
    polled_fifo.run(DAY)
    assert polled_fifo.invocations == 5
    (letter,) = polled_fifo.dead_letters()
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes["ErrorType"] == "StalledError"
    assert attributes["Reason"] == (
        "no part could be carried within one invocation 5 times in a row: time ran out with a"
    )


def test_message_with_occasional_progress_is_no_dead_letter(polled_fifo):
    left = [40]

    def handle(message):
        left[0] -= 1
        if left[0] and left[0] % 4:
            stall(message)
        if left[0]:
            WorkQueue(lambda: polled_fifo.sqs, polled_fifo.url).send_again(message)

    work_on(polled_fifo, handle)
    send(polled_fifo, "a")
    polled_fifo.run(DAY)
    assert (left, polled_fifo.dead_letters()) == ([0], [])
