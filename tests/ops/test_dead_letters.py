import signal

import pytest

from ops.dead_letters import NO_REASON
from ops.reasons import shape_of
from tasks.utils.s3_object import S3Object
from tests.ops.letters import TYPE, Letters, attributes, created

ARCHIVE = ("archive_copy", "dead_letter_queue")
MIRROR = ("partition_replicate", "dead_letter_queue")
RECHECKS = ("partition_replicate", "recheck_dead_letter_queue")
UNDELIVERED = ("partition_replicate", "undelivered_queue")

HOSTILE = "[red]a\x1b[31m\n\u202eb"


@pytest.fixture(name="letters")
def letters_of_the_deployment(aws, outputs):
    return Letters(aws.client("sqs"), outputs)


def failed_invocation(event):
    context = {"functionArn": "arn:aws:lambda:eu-west-1:1:function:other", "condition": "RetriesExhausted"}
    answer = {"errorMessage": "SQS did not take it", "errorType": "NotSent"}
    return {"version": "1.0", "requestContext": context, "requestPayload": event, "responsePayload": answer}


def test_no_dead_letters_are_status_0(brigade):
    assert brigade("dead", "list") == 0
    assert brigade.out == "no dead letters\n"


def test_letters_of_every_kind_of_queue_are_grouped_by_reason(brigade, letters):
    letters.archive("a.txt", "folder/b.txt")
    letters.archive("a.txt", reason="no 7 in {key}", error="Other")
    letters.mirror("x", "y", "z")
    letters.send(*RECHECKS, created("late"))
    rule = attributes(RULE_ARN="arn:aws:events:r:1:rule/the-rule", ERROR_CODE="NO_PERMISSIONS", ERROR_MESSAGE="denied")
    letters.send(*UNDELIVERED, created("lost"), MessageAttributes=rule)
    letters.send(*UNDELIVERED, failed_invocation(created("broken")))
    letters.send(*UNDELIVERED, created("by hand"))

    assert brigade("--json", "dead", "list") == 1

    shape = "HeadObject s3://{}/…: 403 Forbidden (tried … times)"
    found = {(one["task"], one["kind"], one["type"], one["reason"], one["count"]) for one in brigade.records}
    assert found == {
        ("archive_copy", "events", TYPE, shape.format("restored-bucket"), 2),
        ("archive_copy", "events", "Other", "no … in …", 1),
        ("partition_replicate", "keys", TYPE, shape.format("source-bucket"), 3),
        ("partition_replicate", "rechecks", "-", NO_REASON, 1),
        ("partition_replicate", "undelivered", "NO_PERMISSIONS", "denied", 1),
        ("partition_replicate", "undelivered", "NotSent", "SQS did not take it", 1),
        ("partition_replicate", "undelivered", "-", "no reason is recorded", 1),
    }
    assert {one["example"] for one in brigade.records} >= {"x", "late", "lost", "broken"}
    assert all(0 <= one["oldest_seconds"] < 60 for one in brigade.records)


def test_task_limits_the_list(brigade, letters):
    letters.archive("a.txt")
    letters.mirror("x")
    assert brigade("--json", "dead", "list", "--task", "partition_replicate") == 1
    assert [one["task"] for one in brigade.records] == ["partition_replicate"]
    assert brigade("dead", "list", "--task", "nothing") == 2
    assert "--task should be one of these: archive_copy, partition_replicate, upload_validate" in brigade.err


def test_more_messages_than_an_answer_holds_are_each_counted_once_and_visible_again(brigade, letters):
    letters.archive(*(f"{number}.txt" for number in range(23)))
    for _ in range(2):
        assert brigade("--json", "dead", "list") == 1
        assert [one["count"] for one in brigade.records] == [23]
        assert letters.visible(*ARCHIVE) == 23


def test_group_that_an_answer_cuts_is_read_to_its_tenth_message(brigade, letters):
    # An answer of ten: six of the first group and four of the second, which has ten.
    letters.mirror(*(f"a{number}" for number in range(6)), group="first")
    letters.mirror(*(f"b{number}" for number in range(10)), group="second")
    letters.mirror(*(f"c{number}" for number in range(3)), group="third")
    assert brigade("--json", "dead", "list") == 1
    assert [one["count"] for one in brigade.records] == [19]
    assert letters.visible(*MIRROR) == 19


@pytest.mark.parametrize("request_number", [0, 1, 2])
def test_ctrl_c_while_reading_makes_all_messages_visible_again(aws, brigade, letters, request_number, monkeypatch):
    letters.archive(*(f"{number}.txt" for number in range(23)))
    sqs, seen = aws.client("sqs"), []

    def press(**_):
        if len(seen) == request_number:
            signal.raise_signal(signal.SIGINT)
        seen.append(1)

    sqs.meta.events.register("after-call.sqs.ReceiveMessage", press)
    monkeypatch.setattr("ops.brigade.Brigade.client", lambda self, service, config=None: sqs)
    assert brigade("dead", "list") == 130
    assert brigade.err.strip().endswith("stopped")
    assert letters.visible(*ARCHIVE) == 23


def test_shown_letter_has_its_reason_origin_and_body_on_lines_of_their_own(brigade, letters):
    letters.archive(HOSTILE)
    letters.send(*UNDELIVERED, failed_invocation(created("broken")))
    assert brigade("dead", "show") == 1
    assert "\x1b" not in brigade.out and "\u202e" not in brigade.out
    assert "key:      [red]a\\x1b[31m\\n\\u202eb\n" in brigade.out
    assert "from:     sent by archive-x-archive-copy, as message m of its queue\n" in brigade.out
    name = "archive-x-partition-replicate-enqueue"
    assert f"from:     an asynchronous invocation of {name}: RetriesExhausted\n" in brigade.out


def test_shown_letters_are_those_selected(brigade, letters):
    letters.archive("a.txt", "folder/b.txt", "folder/c.txt")
    letters.archive("other.txt", reason="no 7 in {key}", error="Other")

    def keys(*options):
        brigade("--json", "dead", "show", *options)
        return sorted(one["key"] for one in brigade.records)

    assert keys("--key", "a.txt") == ["a.txt"]
    assert keys("--key", "folder/") == ["folder/b.txt", "folder/c.txt"]
    assert keys("--type", "Other") == keys("--reason", "NO … in") == keys("--reason", "no 7") == ["other.txt"]
    assert len(keys("--max", "2")) == 2
    assert brigade("dead", "show", "--key", "nothing") == 0
    assert brigade.out == "no such dead letters\n"
    assert letters.visible(*ARCHIVE) == 4


def test_unreadable_letter_is_shown(brigade, letters):
    letters.send(*ARCHIVE, "no JSON")
    assert brigade("--json", "dead", "show") == 1
    (record,) = brigade.records
    assert (record["body"], record["key"], record["reason"]) == ("no JSON", "", NO_REASON)
    assert record["from"].startswith("moved by SQS after ")


@pytest.mark.parametrize(
    ("reason", "shape"),
    [
        ("PutObject s3://b/k 1.txt -> s3://d/k 1.txt?versionId=abc: x", "PutObject s3://b/… -> s3://d/…: x"),
        ("the bucket must belong to account 123456789012", "the bucket must belong to account 123456789012"),
        ("503 SlowDown (tried 12 times)", "503 SlowDown (tried … times)"),
        ("at 2026-11-22T10:00:00.5+00:00 etag d41d8cd98f00b204", "at … etag …"),
        ("request 4442587FB7D0A2F9 of 5,242,880 bytes in 1.25 s", "request … of … bytes in … s"),
        ('no values for ".jpg" in eu-west-1, CRC32', 'no values for ".jpg" in eu-west-1, CRC32'),
        ("line 1 column 1 (char 0)", "line … column … (char …)"),
    ],
)
def test_shape_of_a_reason_has_no_variable_parts(reason, shape):
    assert shape_of(reason, [S3Object("b", "k 1.txt")]) == shape
