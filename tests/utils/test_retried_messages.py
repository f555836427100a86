"""When messages come back. The queue is moto's model of SQS, and the time of the tests passes at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.object_clerk.errors import (
    DeadlineException,
)
from tasks.utils.batches import BatchProcessor, DeadLetters
from tasks.utils.deadline import Deadline
from tasks.utils.work_queue import LONGEST_WAIT, WorkQueue, wait_after
from tests.support.dying_client import Killed
from tests.support.time_machine import DAY, HOUR, PolledQueue
from tests.utils.batches import FOR_NOW


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
