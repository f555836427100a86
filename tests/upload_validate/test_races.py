"""Files and reports that change while a set is checked and published.

I6: the bytes validated are the bytes published.
"""

import pytest

from tasks.object_clerk.errors import ObjectChangedException
from tasks.upload_validate.handler import handler
from tasks.utils.deadline import Deadline
from tasks.utils.errors import BucketBrigadeError
from tests.support.events import s3_event, s3_record, sqs_event
from tests.upload_validate.conftest import (
    FINAL,
    NOTHING,
    PREFIX,
    SHORT,
    UPLOADS,
    Context,
    csv_of,
    notified,
    outcomes,
)


def once(call):
    done = []

    def act(operation):
        if operation == "CopyObject" and not done:
            done.append(True)
            call()

    return act


def test_object_overwritten_between_check_and_publish_is_not_published_unchecked(task, wire):
    key = task.put("a.csv")
    wire.before.append(once(lambda: task.put("a.csv", SHORT)))
    assert outcomes(task.run(key)) == ["rejected"]
    assert task.published() == []
    assert notified(task) == (0, 1, 1)


def test_object_overwritten_by_a_valid_one_is_checked_and_published(task, wire, s3):
    key = task.put("a.csv")
    wire.before.append(once(lambda: task.put("a.csv", csv_of(90))))
    assert outcomes(task.run(key)) == ["published"]
    assert s3.get_object(Bucket=FINAL, Key=key)["Body"].read() == csv_of(90)
    assert task.report()["file_set"][0]["csv_rows"] == 91
    assert notified(task) == (1, 0, 1)


def test_file_that_is_removed_meanwhile_makes_it_another_set(task, wire, s3):
    key, gone = task.put("a.csv"), task.put("b.csv")
    wire.before.append(once(lambda: s3.delete_object(Bucket=UPLOADS, Key=gone)))
    assert outcomes(task.run(key)) == ["published"]
    assert [entry["key"] for entry in task.report()["file_set"]] == [key]


def test_file_that_comes_while_the_report_is_written_keeps_it_from_being_written(task, wire):
    key = task.put("a.csv")
    come = []

    def on_put(operation):
        # After the copies, at the list of the bucket for the report.
        if operation == "ListObjectsV2" and wire.count("CopyObject") and not come:
            come.append(task.put("b.csv", SHORT))

    wire.before.append(on_put)
    assert outcomes(task.run(key)) == ["rejected"]
    assert f"{PREFIX}report.json" not in task.published()


def test_object_that_is_overwritten_during_its_check_is_checked_again(task, wire):
    key = task.put("a.csv", SHORT)
    replaced = []

    def on_get(operation):
        if operation == "GetObject" and not replaced:
            replaced.append(task.put("a.csv"))

    wire.before.append(on_get)
    assert outcomes(task.run(key)) == ["published"]
    assert notified(task) == (1, 0, 1)


def test_bytes_that_were_in_the_bucket_for_a_moment_are_not_checked(task, wire):
    key = task.put("a.csv", SHORT)

    def swap(operation):
        reads = wire.count("GetObject")
        if operation == "GetObject" and reads == 0:
            task.put("a.csv")
        elif operation == "ListObjectsV2" and reads == 1:
            task.put("a.csv", SHORT)

    wire.before.append(swap)
    assert outcomes(task.run(key)) == ["rejected"]
    assert task.published() == []


def test_file_that_arrives_during_the_check_of_another_gives_one_verdict_on_both(task, wire):
    key = task.put("a.csv", SHORT)
    come = []

    def on_get(operation):
        if operation == "GetObject" and not come:
            come.append(task.put("b.csv"))

    wire.before.append(on_get)
    assert outcomes(task.run(key)) == ["rejected"]
    assert notified(task) == (0, 1, 1)
    assert len(task.outside.hooks[0][1]["file_set"]) == 2


def test_set_that_never_settles_is_left_to_a_later_delivery(task, wire):
    key = task.put("a.csv")
    rows = iter(range(100, 200))
    wire.before.append(lambda operation: operation == "GetObject" and task.put("a.csv", csv_of(next(rows))))
    assert handler(sqs_event(task.event_of(key)), Context()) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert notified(task) == NOTHING


def test_time_that_ends_between_two_files_hands_the_message_back(task, wire, monkeypatch):
    keys = [task.put("a.csv"), task.put("b.csv")]
    wire.before.append(
        lambda operation: operation == "GetObject" and monkeypatch.setattr(Deadline, "has_passed", lambda _: True)
    )
    assert handler(sqs_event(task.event_of(keys[0])), Context())["batchItemFailures"]
    monkeypatch.undo()
    assert notified(task) == NOTHING


@pytest.mark.parametrize("name", ["FINAL_BUCKET_NAME", "TEMP_BUCKET_NAME"])
def test_bucket_that_does_not_exist_is_named_in_the_error(task, s3, monkeypatch, name):
    key = task.put("a.csv")
    monkeypatch.setenv(name, "no-such-bucket")
    event = s3_event(s3_record("no-such-bucket" if name == "TEMP_BUCKET_NAME" else UPLOADS, key, name=""))
    with pytest.raises(BucketBrigadeError, match="NoSuchBucket"):
        handler(event, Context())
    assert s3.head_object(Bucket=UPLOADS, Key=key)


def test_report_that_others_keep_overwriting_is_left_to_a_later_delivery(task, wire, s3):
    key = task.put("a.csv")

    def on_put(operation):
        if operation == "PutObject":
            s3.put_object(Bucket=FINAL, Key=f"{PREFIX}report.html", Body=str(len(wire.sent)))

    wire.before.append(on_put)
    with pytest.raises(ObjectChangedException, match="other verdicts got in between 5 times in a row"):
        task.run(key)
    assert f"{PREFIX}report.json" not in task.published()


def test_report_of_another_verdict_that_gets_in_between_is_seen(task, wire, s3):
    key = task.put("a.csv")

    def on_put(operation):
        if operation == "PutObject" and wire.count("PutObject") == 0:
            s3.put_object(Bucket=FINAL, Key=f"{PREFIX}report.html", Body=b"of another worker")

    wire.before.append(on_put)
    assert outcomes(task.run(key)) == ["published"]
    assert wire.count("PutObject") == 3


def test_server_without_conditional_writes_gets_plain_ones(task, wire):
    wire.fail("PutObject", (501, "NotImplemented"), times=1)
    assert outcomes(task.run(task.put("a.csv"))) == ["published"]
