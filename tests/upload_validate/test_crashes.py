"""I5: each notification is sent once, after any second delivery and any kill of a container."""

import random
import threading

import pytest
import requests

from tasks.upload_validate import idempotency
from tasks.upload_validate.handler import handler
from tasks.utils.retry import RetryPolicy
from tests.conftest import REGION, client_of_the_tests
from tests.support.events import sqs_event
from tests.upload_validate.conftest import (
    GITHUB,
    PREFIX,
    QUARANTINE,
    WEBHOOK,
    Context,
    Killed,
    csv_of,
    forget_container,
    notifications,
    time_passes,
)

SHORT = csv_of() + b"short\n"
WRITES = ("s3.CopyObject", "s3.PutObject", "ses.SendRawEmail")


@pytest.fixture(name="effects")
def effects_outside(task, aws, monkeypatch):
    """Kill the container right after the n-th effect outside of it: a write to S3, a mail, a call."""

    class Effects:  # pylint: disable=too-few-public-methods  # a counter of effects
        def __init__(self):
            self.seen = []
            self.kill_after = None

        def note(self, name):
            self.seen.append(name)
            if len(self.seen) == self.kill_after:
                raise Killed(name)

    there = Effects()
    # After a simulated kill, the other messages of the batch still run here, and would wait for the lock.
    monkeypatch.setattr(idempotency, "PATIENCE", RetryPolicy(tries=1))
    handlers = {f"after-call.{name}": lambda name=name, **_: there.note(name) for name in WRITES}
    for event, call in handlers.items():
        aws.events.register(event, call)
    task.outside.after = there.note
    yield there
    for event, call in handlers.items():
        aws.events.unregister(event, call)


def deliver(task, keys, *, effects, kill_after=None):
    """Handle a message for each key in one container; return whether it answered that all are done."""
    effects.seen, effects.kill_after = [], kill_after
    try:
        answer = handler(sqs_event(*map(task.event_of, keys)), Context())
    except Killed:
        # The next container has no state, and SQS delivers the message after the time of this one.
        forget_container()
        time_passes()
        return False
    return answer == {"batchItemFailures": []}


def until_done(task, keys, effects):
    for _ in range(5):
        if deliver(task, keys, effects=effects):
            return
    raise AssertionError("the messages are never done")


@pytest.mark.parametrize("effect", range(1, 7))
def test_valid_set_is_notified_once_after_a_kill_at_any_effect(task, effects, effect):
    keys = [task.put("a.csv"), task.put("b.csv")]
    assert not deliver(task, keys, effects=effects, kill_after=effect)
    until_done(task, keys, effects)
    until_done(task, keys, effects)
    assert notifications(task) == (1, 0, 0, 1)
    assert sorted(task.published()) == [*keys, f"{PREFIX}report.html", f"{PREFIX}report.json"]


@pytest.mark.parametrize("effect", range(1, 6))
def test_rejected_set_is_notified_once_after_a_kill_at_any_effect(task, effects, effect, monkeypatch):
    monkeypatch.setenv("QUARANTINE_BUCKET_NAME", QUARANTINE)
    key = task.put("a.csv", SHORT)
    assert not deliver(task, [key], effects=effects, kill_after=effect)
    until_done(task, [key], effects)
    assert notifications(task) == (0, 0, 1, 1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_containers_killed_at_random_notify_each_outcome_once(task, effects, seed):
    chance = random.Random(seed)
    valid, wrong, grown = (f"E0{number}/2025-05-01/1/" for number in range(3))
    keys = [task.put("a.csv", prefix=valid), task.put("a.csv", SHORT, prefix=wrong), task.put("a.csv", prefix=grown)]
    until_done(task, [keys[2]], effects)
    keys[2] = task.put("b.csv", prefix=grown)
    for _ in range(4):
        chance.shuffle(keys)
        deliver(task, keys, effects=effects, kill_after=chance.randint(1, 12))
    until_done(task, keys, effects)
    # Two issues for valid sets, a comment for the grown one, a mail for the rejected one, and four webhook calls.
    assert notifications(task) == (2, 1, 1, 4)
    assert len({report["digest"] for _, report in task.outside.hooks}) == 4
    assert [len(task.report(prefix)["file_set"]) for prefix in (valid, grown)] == [1, 2]


def test_container_killed_while_it_sends_a_mail_leaves_a_dead_letter_for_a_person(task, aws, sqs, monkeypatch):
    url = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
    monkeypatch.setenv("DEAD_LETTER_QUEUE", url)

    def kill(**_):
        raise Killed("before it was sent")

    aws.events.register("before-call.ses.SendRawEmail", kill)
    event = sqs_event(task.event_of(task.put("a.csv", SHORT)))
    with pytest.raises(Killed):
        handler(event, Context())
    aws.events.unregister("before-call.ses.SendRawEmail", kill)
    forget_container()
    time_passes()
    # Whether the mail was sent is unknown. The webhook is called, and the dead letter asks a person to find out.
    assert handler(event, Context()) == {"batchItemFailures": []}
    assert notifications(task) == (0, 0, 0, 1)
    (message,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert message["MessageAttributes"]["Reason"]["StringValue"] == (
        "email: it may or may not have been done, and is not tried again "
        "(an earlier try was cut off in the middle of it)"
    )
    # Redriven, it is done.
    assert handler(sqs_event(message["Body"]), Context()) == {"batchItemFailures": []}
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    assert notifications(task) == (0, 0, 0, 1)


ANSWERS_LOST = {
    "silence": requests.ReadTimeout(),
    "reset": requests.ConnectionError(),
    "502": (502, {}, "bad gateway"),
    "504": (504, {}, "gateway time-out"),
}


@pytest.mark.parametrize("answer", ANSWERS_LOST.values(), ids=ANSWERS_LOST)
def test_call_whose_answer_was_lost_is_not_made_twice(task, answer):
    task.outside.faults.append((f"POST {WEBHOOK}", answer, "it was received"))
    key = task.put("a.csv")
    event = sqs_event(task.event_of(key))
    assert handler(event, Context()) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert handler(event, Context()) == {"batchItemFailures": []}
    assert notifications(task) == (1, 0, 0, 1)


@pytest.mark.parametrize("code", [502, 504])
def test_mail_whose_answer_was_lost_is_not_sent_twice(task, aws, code):
    def lose(http_response, parsed, **_):
        http_response.status_code = code
        parsed["Error"] = {"Code": str(code), "Message": "bad gateway"}
        parsed["ResponseMetadata"]["HTTPStatusCode"] = code

    aws.events.register("after-call.ses.SendRawEmail", lose)
    event = sqs_event(task.event_of(task.put("a.csv", SHORT)))
    assert handler(event, Context()) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    aws.events.unregister("after-call.ses.SendRawEmail", lose)
    assert handler(event, Context()) == {"batchItemFailures": []}
    assert notifications(task) == (0, 0, 1, 1)


@pytest.mark.parametrize("fault", ["answer lost", "gateway", "gateway after the call", "refused"])
def test_issue_is_raised_once_after_a_bad_answer_of_github(task, fault, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    faults = {
        "answer lost": (f"POST {GITHUB}", requests.ReadTimeout(), "it was received"),
        "gateway": (f"POST {GITHUB}", (502, {}, "bad gateway")),
        "gateway after the call": (f"POST {GITHUB}", (502, {}, "bad gateway"), "it was received"),
        "refused": (f"POST {GITHUB}", requests.ConnectTimeout()),
    }
    task.outside.faults.append(faults[fault])
    task.run(task.put("a.csv"))
    assert notifications(task) == (1, 0, 0, 1)


def test_issue_that_was_closed_before_the_second_delivery_is_not_raised_again(task, effects):
    keys = [task.put("a.csv")]
    assert not deliver(task, keys, effects=effects, kill_after=2)
    assert effects.seen[-1] == "issue"
    task.outside.issues[0]["state"] = "closed"
    until_done(task, keys, effects)
    assert notifications(task) == (1, 0, 0, 1)
    assert task.report()["github_issue"] == task.outside.issues[0]["html_url"]


def while_it_is_checked(wire, call):
    """Call `call` in a thread when the handler copies an object; return the thread in a list, and its event."""
    threads = []

    def meanwhile(operation):
        if operation == "CopyObject" and not threads:
            threads.append(threading.Thread(target=call))
            threads[0].start()
            # The copy continues after the other invocation has met the lock.
            assert waiting.wait(10)

    waiting = threading.Event()
    wire.before.append(meanwhile)
    return threads, waiting


def test_invocation_waits_for_another_one_on_the_same_set(task, wire, monkeypatch):
    key = task.put("a.csv")
    answers = []
    threads, waiting = while_it_is_checked(wire, lambda: answers.append(task.run(key)))
    over = threading.Event()
    monkeypatch.setattr(idempotency.time, "sleep", lambda _: (waiting.set(), over.wait(10)))
    answers.append(task.run(key))
    over.set()
    threads[0].join()
    assert [answer["sets"][0]["outcome"] for answer in answers] == ["published"] * 2
    assert notifications(task) == (1, 0, 0, 1)


def test_message_on_a_set_that_another_invocation_still_checks_comes_back(task, wire):
    key = task.put("a.csv")
    answers = []

    def meanwhile():
        # Less than a second is left: less than the shortest wait.
        answers.append(handler(sqs_event(task.event_of(key)), Context(milliseconds=5_900)))
        waiting.set()

    threads, waiting = while_it_is_checked(wire, meanwhile)
    assert handler(sqs_event(task.event_of(key)), Context()) == {"batchItemFailures": []}
    threads[0].join()
    assert answers == [{"batchItemFailures": [{"itemIdentifier": "message-0"}]}]
    assert notifications(task) == (1, 0, 0, 1)


def test_missing_table_hands_the_message_back(task):
    client_of_the_tests("dynamodb", REGION).delete_table(TableName="outcomes")
    event = sqs_event(task.event_of(task.put("a.csv")))
    assert handler(event, Context()) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert notifications(task) == (0, 0, 0, 0)


def test_invocation_without_time_hands_the_message_back_untouched(task):
    event = sqs_event(task.event_of(task.put("a.csv")))
    assert handler(event, Context(milliseconds=4_000)) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert notifications(task) == (0, 0, 0, 0)


def test_calls_that_could_not_end_in_time_are_left_to_the_next_delivery(task):
    event = sqs_event(task.event_of(task.put("a.csv")))
    # A second and a half besides the five that are reserved.
    assert handler(event, Context(milliseconds=6_500)) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert task.outside.calls == []
    time_passes()
    assert handler(event, Context()) == {"batchItemFailures": []}
    assert notifications(task) == (1, 0, 0, 1)
