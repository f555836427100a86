"""The task as its callers see it: objects before, answer, log and dead letters after.

I4: every message is done, comes back, or is a dead letter with its reason.
"""

import pytest

from tasks.task_name.handler import handler
from tasks.utils.errors import EventError, SettingsError
from tests.support.events import created_event, load, s3_event, s3_record, sqs_event
from tests.task_name.conftest import SOURCE

DONE = {"batchItemFailures": []}
COMES_BACK = {"batchItemFailures": [{"itemIdentifier": "message-0"}]}


def measured(lines):
    """Return the key and the bytes of each object that the log names."""
    return [(line["key"], line["bytes"]) for line in lines if line.get("message") == "measured"]


def metrics(lines):
    """Return the values of the metrics, by name."""
    found = next(line for line in lines if "_aws" in line)
    return {name: found[name][0] for name in ("Objects", "Bytes", "Done", "Failed", "DeadLettered") if name in found}


def reasons(messages):
    return [message["MessageAttributes"]["Reason"]["StringValue"] for message in messages]


def test_size_of_each_new_object_is_logged_and_counted(measure, s3):
    s3.put_object(Bucket=SOURCE, Key="a+b c.txt", Body=b"12345", StorageClass="STANDARD_IA")
    s3.put_object(Bucket=SOURCE, Key="empty.txt", Body=b"")
    answer, lines = measure(sqs_event(created_event(SOURCE, "a+b c.txt"), created_event(SOURCE, "empty.txt")))
    assert answer == DONE
    assert measured(lines) == [("a+b c.txt", 5), ("empty.txt", 0)]
    assert [line["storage_class"] for line in lines if "key" in line] == ["STANDARD_IA", "STANDARD"]
    assert metrics(lines) == {"Objects": 2, "Bytes": 5, "Done": 2}


def test_version_of_the_event_is_measured_and_not_a_newer_one(measure, s3):
    s3.put_bucket_versioning(Bucket=SOURCE, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=SOURCE, Key="a.txt", Body=b"12345")["VersionId"]
    s3.put_object(Bucket=SOURCE, Key="a.txt", Body=b"1")
    _, lines = measure(sqs_event(created_event(SOURCE, "a.txt", **{"version-id": version})))
    assert measured(lines) == [("a.txt", 5)]


def test_notification_of_s3_is_read_as_well(measure, s3):
    s3.put_object(Bucket=SOURCE, Key="two words.txt", Body=b"12345")
    _, lines = measure(sqs_event(s3_event(s3_record(SOURCE, "two words.txt", name="ObjectCreated:Put"))))
    assert measured(lines) == [("two words.txt", 5)]


@pytest.mark.parametrize(
    "event",
    [
        created_event(SOURCE, "removed-meanwhile.txt"),
        s3_event(s3_record(SOURCE, "a.txt", name="ObjectRemoved:Delete")),
        load("s3_test_event"),
    ],
    ids=["object that is gone", "removal", "test event"],
)
def test_event_without_an_object_to_measure_is_done(measure, event):
    answer, lines = measure(sqs_event(event))
    assert (answer, measured(lines)) == (DONE, [])
    assert [line for line in lines if "_aws" not in line] == []


def test_object_whose_bucket_throttles_for_a_moment_is_measured(measure, s3, wire, clock):
    s3.put_object(Bucket=SOURCE, Key="a.txt", Body=b"12345")
    started = clock.now
    wire.fail("HeadObject", (503, "SlowDown"), times=2)
    _, lines = measure(sqs_event(created_event(SOURCE, "a.txt")))
    assert measured(lines) == [("a.txt", 5)]
    assert clock.now > started


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("fault", [(503, "SlowDown"), (403, "AccessDenied")], ids=["outage", "missing permission"])
def test_message_that_may_pass_later_comes_back_and_the_others_are_done(measure, s3, wire, dead_letters, fault):
    for key in ("a.txt", "b.txt"):
        s3.put_object(Bucket=SOURCE, Key=key, Body=b"12345")
    wire.fail("HeadObject", fault, times=99, key="a.txt")
    answer, lines = measure(sqs_event(created_event(SOURCE, "a.txt"), created_event(SOURCE, "b.txt")))
    assert answer == COMES_BACK
    assert measured(lines) == [("b.txt", 5)]
    assert metrics(lines) == {"Objects": 1, "Bytes": 5, "Done": 1, "Failed": 1}
    assert dead_letters() == []


def test_message_that_can_never_succeed_is_a_dead_letter_with_its_reason(measure, dead_letters):
    answer, lines = measure(sqs_event(created_event("another-bucket", "a.txt"), "{not json"))
    assert answer == DONE
    assert sorted(reason.split(":")[0] for reason in reasons(dead_letters())) == ["s3", "the message is not JSON"]
    assert metrics(lines) == {"Failed": 2, "DeadLettered": 2}


def test_bucket_of_an_unexpected_account_is_not_read(measure, s3, environment):
    s3.put_object(Bucket=SOURCE, Key="a.txt", Body=b"12345")
    environment(BUCKET_OWNERS='{"*": "210987654321"}')
    answer, lines = measure(sqs_event(created_event(SOURCE, "a.txt")))
    assert (answer, measured(lines)) == (COMES_BACK, [])
    assert f"the bucket {SOURCE} must belong to account 210987654321" in lines[0]["reason"]


@pytest.mark.usefixtures("measure")
def test_event_that_is_no_batch_is_refused_with_a_sentence():
    with pytest.raises(EventError, match="takes batches of SQS messages, and this event is none: send it to the queue"):
        handler(created_event(SOURCE, "a.txt"), None)


@pytest.mark.usefixtures("aws")
def test_incomplete_environment_is_refused_by_the_first_invocation(environment):
    environment(SOURCE_BUCKET="")
    with pytest.raises(SettingsError, match="SOURCE_BUCKET is not set"):
        handler(sqs_event(created_event(SOURCE, "a.txt")), None)
