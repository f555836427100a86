import json
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.patches.sqs import FIFO_ID
from tasks.partition_replicate import handler as handler_module
from tasks.utils.errors import EventError, SettingsError
from tasks.utils.events import Kind, ObjectEvent, object_events
from tasks.utils.key_messages import RecheckQueue, entry, group_of
from tasks.utils.s3_object import S3Object
from tests.partition_replicate.conftest import SOURCE
from tests.partition_replicate.events import event_of, sqs_batch
from tests.support.events import s3_event, s3_record
from tests.support.keys import LONGEST, keys


@pytest.fixture(name="received")
def received_from_the_queue(world):
    """Enqueues an event and returns what lies in the queue."""

    def received(*events):
        for event in events:
            handler_module.enqueue(event, None)
        asked = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"], "VisibilityTimeout": 0}
        return world.sqs.receive_message(QueueUrl=world.queue, **asked).get("Messages", [])

    return received


def created(key="a.txt", **more):
    return event_of(SOURCE, key, "Object Created", size=5, etag="abc", **more)


@given(keys())
@example(LONGEST[0])
@example("two words é 🪣\n")
def test_ids_of_any_key_are_valid(key):
    event = created(key)
    (plain,) = object_events(event)
    made = entry(plain, event)
    assert FIFO_ID.fullmatch(made["MessageGroupId"])
    assert FIFO_ID.fullmatch(made["MessageDeduplicationId"])


@given(st.lists(keys(), min_size=2, max_size=2, unique=True))
def test_equal_keys_share_a_group_and_others_do_not(pair):
    one, other = (S3Object(SOURCE, key) for key in pair)
    assert group_of(one) == group_of(S3Object(SOURCE, pair[0], "a-version"))
    assert group_of(one) != group_of(other)


@pytest.mark.parametrize("key", ["two words.txt", "é" * 512, "x" * 1024, "control\x01.txt"])
def test_event_of_an_odd_key_reaches_the_queue_as_it_was(received, key):
    (message,) = received(created(key))
    (event,) = object_events(json.loads(message["Body"]))
    assert event.object.key == key
    assert message["Attributes"]["MessageGroupId"] == group_of(S3Object(SOURCE, key))


@pytest.mark.parametrize("name", ["Object Created", "Object Deleted", "Object Tags Added", "Object Tags Deleted"])
def test_what_the_event_says_survives_the_queue(received, name):
    event = event_of(SOURCE, "a.txt", name, version_id="a-version")
    (message,) = received(event)
    assert object_events(json.loads(message["Body"])) == object_events(event)


def test_event_delivered_twice_is_one_message_and_another_of_the_same_key_is_not(received):
    event = created()
    assert len(received(event, event, created())) == 2


def test_twelve_records_of_one_event_are_twelve_messages(received):
    records = [s3_record(SOURCE, f"{number}.txt", name="ObjectCreated:Put") for number in range(12)]
    assert handler_module.enqueue(s3_event(*records), None) == {"enqueued": 12}
    first = received()
    assert len(first) == 10


@pytest.mark.parametrize("name", ["Object Restore Completed", "Object Restore Initiated", "Object Restore Expired"])
def test_restore_is_not_enqueued(received, name):
    assert received(event_of(SOURCE, "a.txt", name)) == []


@pytest.mark.parametrize("name", ["Object ACL Updated", "Object Storage Class Changed", "Object Access Tier Changed"])
def test_acl_and_storage_class_are_not_enqueued(received, name):
    assert received(event_of(SOURCE, "a.txt", name)) == []


def test_lifecycle_expiration_is_still_one_behind_the_queue(received):
    event = event_of(SOURCE, "a.txt", "Object Deleted", reason="Lifecycle Expiration")
    (message,) = received(event)
    assert object_events(json.loads(message["Body"])) == object_events(event)


def test_event_that_aws_did_not_send_is_refused(received):
    with pytest.raises(EventError, match='has the source "aws.s3", this one has another or none'):
        handler_module.enqueue({**created(), "source": "my.app"}, None)
    assert received() == []


def test_event_of_another_bucket_is_refused(received):
    with pytest.raises(EventError, match="s3://not-ours/a.txt is not an object of the-source"):
        handler_module.enqueue(event_of("not-ours", "a.txt", "Object Created"), None)
    assert received() == []


@pytest.fixture(name="due")
def rechecks_that_are_due(world, environment):
    """Hands bodies to `enqueue` as Lambda does with a batch of the recheck queue; returns those that come back."""
    dead = world.sqs.create_queue(QueueName="recheck-dead-letters")["QueueUrl"]
    environment(DEAD_LETTER_QUEUE=dead)

    def hand_over(*bodies, context=None):
        records = sqs_batch(*bodies)["Records"]
        for record in records:
            del record["attributes"]["MessageGroupId"]
        answer = handler_module.enqueue({"Records": records}, context)
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]

    hand_over.dead = dead
    return hand_over


def recheck_of(event):
    """What `replicate` sends to the recheck queue."""
    sent = []
    queue = SimpleNamespace(send_message=lambda **message: sent.append(message))
    (plain,) = object_events(event)
    RecheckQueue(lambda: queue, "the-queue").send(plain)
    return sent[0]["MessageBody"]


@pytest.mark.parametrize("key", ["a.txt", "two words é +.txt"])
@pytest.mark.parametrize("name", ["Object Created", "Object Deleted", "Object Tags Added"])
def test_recheck_goes_to_the_group_of_its_key_without_a_time_and_a_sequencer(received, due, key, name):
    assert due(recheck_of(event_of(SOURCE, key, name, size=5, etag="abc", version_id="v"))) == []
    (message,) = received()
    assert message["Attributes"]["MessageGroupId"] == group_of(S3Object(SOURCE, key))
    (event,) = object_events(json.loads(message["Body"]))
    assert event == ObjectEvent(Kind.RECHECK, "Object Recheck", S3Object(SOURCE, key, "v"), size=5, etag="abc")


def test_recheck_delivered_twice_is_one_message(received, due):
    body = recheck_of(created())
    assert due(body) == due(body) == []
    assert len(received()) == 1


def test_recheck_that_cannot_be_read_is_a_dead_letter_with_its_reason_and_others_go_on(world, received, due):
    assert due("{", recheck_of(created()), recheck_of(event_of("another", "a.txt", "Object Created"))) == []
    assert len(received()) == 1
    asked = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
    letters = world.sqs.receive_message(QueueUrl=due.dead, **asked)["Messages"]
    reasons = sorted(letter["MessageAttributes"]["Reason"]["StringValue"] for letter in letters)
    assert "s3://another/a.txt is not an object of the-source" in reasons[0]
    assert "the message is not JSON" in reasons[1]


def test_recheck_that_the_fifo_queue_does_not_take_comes_back(world, environment, received, due, capsys):
    environment(OBJECTS_QUEUE="https://sqs.eu-west-1.amazonaws.com/123456789012/no-such-queue.fifo")
    body = recheck_of(created())
    assert due(body) == ["message-0"]
    assert '"will be retried"' in capsys.readouterr().out
    environment(OBJECTS_QUEUE=world.queue)
    assert due(body) == []
    assert len(received()) == 1


def test_recheck_that_no_time_was_left_for_comes_back_and_is_no_failure(received, due, capsys):
    context = SimpleNamespace(
        get_remaining_time_in_millis=lambda: 0,
        function_name="enqueue",
        memory_limit_in_mb=256,
        invoked_function_arn="arn",
        aws_request_id="1",
    )
    assert due(recheck_of(created()), context=context) == ["message-0"]
    said = capsys.readouterr().out
    assert "no time was left to begin with this message" in said
    assert '"Failed"' not in said
    assert received() == []


def test_missing_settings_of_enqueue_are_named_all_at_once(monkeypatch):
    handler_module.intake.cache_clear()
    for name in ("SOURCE_BUCKET", "OBJECTS_QUEUE", "RECHECK_QUEUE"):
        monkeypatch.delenv(name, raising=False)
    said = "SOURCE_BUCKET is not set: .*; OBJECTS_QUEUE is not set: .*; RECHECK_QUEUE is not set"
    with pytest.raises(SettingsError, match=said):
        handler_module.enqueue(created(), None)
