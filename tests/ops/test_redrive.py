"""`brigade dead redrive`: no message is lost, whatever fails between two requests."""

import json
import signal

import pytest
from botocore.exceptions import ClientError

from local.patches.hooks import HOOKS
from ops import moves
from tests.ops.letters import TYPE, Letters, created, restored
from tests.support.dying_client import Killed

DEAD, WORK = ("archive_copy", "dead_letter_queue"), ("archive_copy", "queue")
DEAD_KEYS, KEYS = ("partition_replicate", "dead_letter_queue"), ("partition_replicate", "queue")
UNDELIVERED = ("partition_replicate", "undelivered_queue")
KEYS_OF_LETTERS = ("a.txt", "b.txt", "c.txt")
REDRIVE = ("dead", "redrive", "--yes")


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    monkeypatch.setattr(moves, "POLL_SECONDS", 0.001)


@pytest.fixture(name="letters")
def letters_of_the_deployment(aws, outputs):
    return Letters(aws.client("sqs"), outputs)


@pytest.fixture(name="invoked")
def invoked_functions(monkeypatch):
    """Accept all invocations; return their functions and events."""
    events = []

    def accept(function, payload, kind):
        events.append((function.function_name, kind, json.loads(payload)))
        return 202, {}, b""

    monkeypatch.setattr(HOOKS, "lambda_invoker", accept)
    return events


@pytest.fixture(name="client")
def client_of_the_command(aws, monkeypatch):
    """Let the command use this SQS client, whose events a test can use."""
    sqs = aws.client("sqs")
    make = {"sqs": sqs, "lambda": aws.client("lambda")}
    monkeypatch.setattr("ops.brigade.Brigade.client", lambda self, service, config=None: make[service])
    return sqs


def test_whole_queues_are_moved_by_sqs(brigade, letters):
    letters.archive("a.txt", "b.txt")
    letters.mirror("x", "y")
    assert brigade(*REDRIVE) == 0
    assert "sent: 2 messages of archive-x-archive-copy-dead-letters to archive-x-archive-copy\n" in brigade.out
    assert letters.bodies(*WORK) == {json.dumps(restored(key)): 1 for key in ("a.txt", "b.txt")}
    assert letters.bodies(*KEYS) == {json.dumps(created(key)): 1 for key in ("x", "y")}
    assert brigade("dead", "list") == 0


def test_rate_limits_the_move_of_sqs(client, brigade, letters):
    asked = []
    client.meta.events.register(
        "provide-client-params.sqs.StartMessageMoveTask", lambda params, **_: asked.append(params)
    )
    letters.archive("a.txt")
    assert brigade(*REDRIVE, "--rate", "500") == 0
    assert asked[0]["MaxNumberOfMessagesPerSecond"] == 500


def test_ctrl_c_cancels_the_move_of_sqs(client, brigade, letters):
    def press(**_):
        raise KeyboardInterrupt

    letters.archive(*(f"{number}.txt" for number in range(5)))
    client.meta.events.register_first("before-call.sqs.ListMessageMoveTasks", press)
    assert brigade(*REDRIVE, "--rate", "1") == 130
    arn = client.get_queue_attributes(QueueUrl=letters.url(*DEAD), AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    client.meta.events.unregister("before-call.sqs.ListMessageMoveTasks", press)
    HOOKS.clock.run_all()
    assert client.list_message_move_tasks(SourceArn=arn)["Results"][0]["Status"] == "CANCELLED"
    assert letters.visible(*DEAD) + letters.visible(*WORK) == 5


def test_selected_messages_alone_are_sent_without_what_made_them_dead_letters(brigade, letters):
    letters.archive("a.txt", ReceivesBefore="7")
    letters.archive("b.txt", error="Other")
    assert brigade(*REDRIVE, "--type", TYPE) == 0
    (message,) = letters.sqs.receive_message(QueueUrl=letters.url(*WORK), MessageAttributeNames=["All"])["Messages"]
    assert json.loads(message["Body"]) == restored("a.txt")
    assert {name: one["StringValue"] for name, one in message["MessageAttributes"].items()} == {"ReceivesBefore": "7"}
    assert letters.bodies(*DEAD) == {json.dumps(restored("b.txt")): 1}


def test_selected_messages_of_a_fifo_queue_keep_their_group_and_pass_deduplication(brigade, letters):
    for times in (1, 2):
        letters.mirror("x", "y")
        assert brigade(*REDRIVE, "--key", "x") == 0
        assert letters.visible(*KEYS) == times
    (message,) = letters.sqs.receive_message(QueueUrl=letters.url(*KEYS), AttributeNames=["All"])["Messages"]
    assert json.loads(message["Body"]) == created("x") and message["Attributes"]["MessageGroupId"] == "g-x"


def test_group_of_more_messages_than_sqs_shows_at_once_is_sent_in_order(brigade, letters):
    keys = [f"k{number:02}" for number in range(23)]
    letters.mirror(*keys, group="one")
    assert brigade(*REDRIVE, "--type", TYPE) == 0
    assert list(letters.bodies(*KEYS)) == [json.dumps(created(key)) for key in keys]
    assert letters.visible(*DEAD_KEYS) == 0


def test_undelivered_events_invoke_enqueue_with_the_event_itself(brigade, letters, invoked):
    letters.send(*UNDELIVERED, created("a"))
    letters.send(*UNDELIVERED, {"requestPayload": created("b"), "requestContext": {"functionArn": "another"}})
    assert brigade(*REDRIVE) == 0
    name = "archive-x-partition-replicate-enqueue"
    assert sorted(invoked, key=str) == [(name, "Event", created(key)) for key in "ab"]
    assert letters.visible(*UNDELIVERED) == 0


def test_failed_invocation_among_messages_of_a_queue_invokes_the_function(brigade, letters, invoked):
    letters.archive("a.txt")
    letters.send(*DEAD, {"requestPayload": restored("b.txt")})
    assert brigade(*REDRIVE) == 0
    assert invoked == [("archive-x-archive-copy", "Event", restored("b.txt"))]
    assert letters.bodies(*WORK) == {json.dumps(restored("a.txt")): 1}


def test_refused_invocation_keeps_the_event(brigade, letters, monkeypatch):
    letters.send(*UNDELIVERED, created("a"))
    monkeypatch.setattr(HOOKS, "lambda_invoker", lambda *_: (403, {"x-amzn-ErrorType": "AccessDenied"}, b"{}"))
    assert brigade(*REDRIVE) == 2
    assert letters.bodies(*UNDELIVERED) == {json.dumps(created("a")): 1}


def test_text_that_no_function_takes_stays_and_stops_no_other_event(brigade, letters, invoked):
    letters.send(*UNDELIVERED, "no JSON")
    letters.send(*UNDELIVERED, created("a"))
    assert brigade(*REDRIVE) == 1
    assert "1 of archive-x-partition-replicate-undelivered stay: no function can take what is not JSON" in brigade.err
    assert [event for *_, event in invoked] == [created("a")]
    assert letters.bodies(*UNDELIVERED) == {"no JSON": 1}


def test_dry_run_counts_and_sends_nothing(brigade, letters):
    letters.archive("a.txt", "b.txt")
    assert brigade("--json", "dead", "redrive", "--dry-run", "--max", "1") == 1
    assert [(one["state"], one["messages"]) for one in brigade.records] == [("to send", 1)]
    assert (letters.visible(*DEAD), letters.visible(*WORK)) == (2, 0)


def test_question_that_is_not_answered_with_yes_sends_nothing(brigade, letters, monkeypatch):
    letters.archive("a.txt")
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    assert brigade("dead", "redrive") == 1
    assert brigade("--json", "dead", "redrive") == 2
    assert "--json cannot ask: add --yes or --dry-run" in brigade.err
    assert (letters.visible(*DEAD), letters.visible(*WORK)) == (1, 0)


def test_max_counts_over_all_queues(brigade, letters):
    letters.archive("a.txt", "b.txt")
    letters.mirror("x", "y")
    assert brigade(*REDRIVE, "--max", "3") == 0
    assert letters.visible(*DEAD) + letters.visible(*DEAD_KEYS) == 1


def test_nothing_to_redrive_is_done(brigade):
    assert brigade(*REDRIVE) == 0
    assert brigade.out == "no dead letters to redrive\n"


@pytest.mark.parametrize("event", ["before-call", "after-call"])
@pytest.mark.parametrize("operation", ["SendMessage", "DeleteMessage"])
def test_kill_around_a_request_duplicates_and_never_loses(client, brigade, letters, event, operation):
    letters.archive(*KEYS_OF_LETTERS)
    fail_second(client, f"{event}.sqs.{operation}", Killed())
    with pytest.raises(Killed):
        brigade(*REDRIVE, "--type", TYPE)
    assert_all_arrive(brigade, letters)


def test_failure_after_the_send_duplicates_and_never_loses(client, brigade, letters):
    letters.archive(*KEYS_OF_LETTERS)
    fail_second(client, "before-call.sqs.DeleteMessage", ClientError({"Error": {"Code": "InternalError"}}, "X"))
    assert brigade(*REDRIVE, "--type", TYPE) == 2
    assert_all_arrive(brigade, letters)


def fail_second(client, event, failure):
    """Raise a failure at the second of these events, and at no other."""
    seen = []

    def fail(**_):
        seen.append(1)
        if len(seen) == 2:
            raise failure

    client.meta.events.register(event, fail)


def assert_all_arrive(brigade, letters):
    """Run the redrive again; each message arrives, and at most the one whose requests were torn apart does so twice."""
    assert brigade(*REDRIVE, "--type", TYPE) == 0
    bodies = letters.bodies(*WORK)
    assert set(bodies) == {json.dumps(restored(key)) for key in KEYS_OF_LETTERS}
    assert sum(bodies.values()) <= len(KEYS_OF_LETTERS) + 1
    assert letters.visible(*DEAD) == 0


def test_ctrl_c_between_both_requests_ends_after_them(client, brigade, letters):
    letters.archive("a.txt", "b.txt", "c.txt")
    client.meta.events.register("after-call.sqs.SendMessage", lambda **_: signal.raise_signal(signal.SIGINT))
    assert brigade(*REDRIVE, "--type", TYPE) == 130
    assert (letters.visible(*DEAD), letters.visible(*WORK)) == (2, 1)
