"""I4: every record and every message has an answer, an unreadable one too.

A batch holds records of each kind. Some fail for good, some until later, and some run out of time.
"""

import json

import pytest

from tasks.archive_copy.handler import CopyRequestError
from tests.archive_copy.conftest import PROTECTED, PUBLIC, RESTORED
from tests.archive_copy.outcomes import answer_in, context, keys, log_lines, put, receive_all
from tests.support.events import s3_event, s3_record, sqs_event

SOUND = [f"sound-{number}.txt" for number in range(7)]


def ten_records(s3, wire):
    for key in (*SOUND, "denied.hdf"):
        put(s3, key)
    wire.fail("CopyObject", (403, "AccessDenied"), times=99, key="denied.hdf")
    malformed = {"eventName": "ObjectRestore:Completed", "s3": {"bucket": {"name": RESTORED}}}
    sound = [s3_record(RESTORED, key) for key in SOUND]
    return [*sound[:3], malformed, *sound[3:], s3_record(RESTORED, "unmapped.xyz"), s3_record(RESTORED, "denied.hdf")]


WITHOUT_OTHER = json.dumps({".txt": PUBLIC, ".hdf": PROTECTED})


def test_direct_event_of_ten_with_three_bad_ones_copies_seven_and_names_three(archive, environment, s3, wire):
    environment(bucket_map=WITHOUT_OTHER)
    with pytest.raises(CopyRequestError) as raised:
        archive(s3_event(*ten_records(s3, wire)))
    answer = answer_in(raised.value)
    assert [position for position, found in enumerate(answer["files"]) if not found["success"]] == [3, 8, 9]
    assert keys(s3, PUBLIC) == SOUND
    # A denied request is not repeated: each object takes one request.
    assert wire.sent == ["CopyObject"] * 8


def test_queue_batch_of_ten_with_three_bad_ones_copies_seven_and_hands_three_back(archive, environment, s3, wire):
    environment(bucket_map=WITHOUT_OTHER)
    event = sqs_event(*(s3_event(record) for record in ten_records(s3, wire)))
    assert archive(event) == {"batchItemFailures": [{"itemIdentifier": f"message-{number}"} for number in (3, 8, 9)]}
    assert keys(s3, PUBLIC) == SOUND


@pytest.fixture(name="dead_letters")
def queue_for_dead_letters(sqs, environment):
    """Return the messages in the dead-letter queue of the task."""
    url = sqs.create_queue(QueueName="archive-copy-dead-letters")["QueueUrl"]
    environment(bucket_map=WITHOUT_OTHER, DEAD_LETTER_QUEUE=url, MAX_RECEIVES="5")
    return lambda: receive_all(sqs, url)


def test_queue_batch_moves_two_dead_letters_with_their_reasons_and_returns_the_denied_one(
    archive, s3, wire, dead_letters
):
    records = ten_records(s3, wire)
    assert archive(sqs_event(*(s3_event(record) for record in records))) == {
        "batchItemFailures": [{"itemIdentifier": "message-9"}]
    }
    received = dead_letters()
    bodies = [json.loads(message["Body"])["Records"][0] for message in received]
    assert len(bodies) == 2
    assert all(records[at] in bodies for at in (3, 8))
    types = sorted(message["MessageAttributes"]["ErrorType"]["StringValue"] for message in received)
    assert types == ["EventError", "UnmappedExtensionError"]
    reasons = " ".join(message["MessageAttributes"]["Reason"]["StringValue"] for message in received)
    assert 'does not contain a value for Records["s3"]["object"]["key"]' in reasons
    assert 'does not contain values for ".xyz" or "other"; its extensions are ' in reasons
    assert "{" not in reasons


def test_message_that_may_pass_later_is_handed_back_although_there_is_a_dead_letter_queue(
    archive, s3, wire, dead_letters
):
    put(s3, "a.txt")
    wire.fail("CopyObject", (503, "SlowDown"), times=99)
    event = sqs_event(s3_event(s3_record(RESTORED, "a.txt")))
    assert archive(event) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert not dead_letters()


def test_message_that_fails_at_its_last_receive_goes_to_the_dead_letters_with_its_reason(
    archive, s3, wire, dead_letters
):
    put(s3, "a.txt")
    wire.fail("CopyObject", (503, "SlowDown"), times=99)
    event = sqs_event(s3_event(s3_record(RESTORED, "a.txt")))
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = "5"
    assert archive(event) == {"batchItemFailures": []}
    (message,) = dead_letters()
    assert "SlowDown" in message["MessageAttributes"]["Reason"]["StringValue"]


def test_message_with_a_permanent_and_a_transient_failure_gets_another_try(archive, s3, wire, dead_letters):
    put(s3, "a.txt")
    wire.fail("CopyObject", (503, "SlowDown"), times=99)
    event = sqs_event(s3_event(s3_record(RESTORED, "unmapped.xyz"), s3_record(RESTORED, "a.txt")))
    assert archive(event) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert not dead_letters()


def test_message_that_is_not_json_is_kept_and_not_acknowledged(archive):
    assert archive(sqs_event("{not json")) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}


def test_dead_letter_queue_that_refuses_leaves_the_message_in_its_own_queue(archive, environment):
    environment(DEAD_LETTER_QUEUE="https://sqs.eu-west-1.amazonaws.com/123456789012/no-such-queue")
    assert archive(sqs_event("{not json")) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}


def test_batch_that_begins_too_late_comes_back_whole(archive, s3, wire):
    put(s3, "a.txt")
    event = sqs_event(s3_event(s3_record(RESTORED, "a.txt")))
    assert archive(event, context(1)) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert wire.sent == []


def test_deferred_message_is_logged_and_is_no_failure(archive, capsys):
    archive(sqs_event(s3_event(s3_record(RESTORED, "a.txt"))), context(1))
    (line,) = log_lines(capsys)
    assert (line["level"], line["message"], line["message_id"]) == ("WARNING", "will be retried", "message-0")
    assert line["reason"] == "no time was left to begin with this message"


def test_direct_event_that_begins_too_late_says_so(archive, wire):
    with pytest.raises(CopyRequestError, match="no time was left to begin"):
        archive(s3_event(s3_record(RESTORED, "a.txt")), context(1))
    assert wire.sent == []
