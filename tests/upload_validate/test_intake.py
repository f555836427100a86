"""The events of an invocation and the sets that they name. I4: every event has an end."""

import pytest

from tasks.upload_validate.handler import handler
from tasks.utils.errors import BucketBrigadeError, EventError
from tests.support.events import load, s3_event, s3_record, sqs_event
from tests.upload_validate.conftest import (
    NOTHING,
    PREFIX,
    UPLOADS,
    Context,
    csv_of,
    notified,
    outcomes,
)

SHORT = csv_of() + b"short\n"


def test_every_record_of_an_event_is_handled(task):
    other = "E07000224/2025-05-01/1/"
    keys = task.put("a.csv"), task.put("a.csv", prefix=other)
    assert [one["set"] for one in task.run(*keys)["sets"]] == [PREFIX, other]
    assert len(task.outside.issues) == 2


def test_set_does_not_contain_a_longer_prefix_with_the_same_beginning(task):
    one, ten = PREFIX[:-1] + "1/", PREFIX[:-1] + "10/"
    key = task.put("a.csv", prefix=one)
    task.put("a.csv", SHORT, prefix=ten)
    assert outcomes(task.run(key)) == ["published"]
    assert [entry["key"] for entry in task.report(one)["file_set"]] == [key]


def test_folder_below_and_marker_of_a_folder_do_not_belong_to_the_set(task):
    task.put("", b"")
    task.put("deeper/a.csv", SHORT)
    key = task.put("a.csv")
    assert (outcomes(task.run(key)), len(task.report()["file_set"])) == (["published"], 1)


def test_key_that_only_contains_report_json_is_a_file(task):
    key = task.put("my-report.json.csv", SHORT)
    assert outcomes(task.run(key)) == ["rejected"]


@pytest.mark.parametrize("key", [f"{PREFIX}report.json", f"{PREFIX}report.html", "a.csv", "a/b.csv", f"{PREFIX}x/y"])
def test_report_without_files_and_key_of_another_form_are_ignored(task, s3, key):
    s3.put_object(Bucket=UPLOADS, Key=key, Body=b"x")
    assert task.run(key) == {"sets": []}
    assert notified(task) == NOTHING


def test_set_that_was_removed_meanwhile_is_empty(task):
    assert outcomes(task.run(f"{PREFIX}gone.csv")) == ["empty"]
    assert notified(task) == NOTHING


@pytest.mark.parametrize("name", ["ObjectRemoved:Delete", "ObjectTagging:Put", "ObjectRestore:Completed"])
def test_event_that_is_no_upload_is_ignored(task, name):
    key = task.put("a.csv", SHORT)
    assert handler(s3_event(s3_record(UPLOADS, key, name=name)), Context()) == {"sets": []}
    assert notified(task) == NOTHING


@pytest.mark.usefixtures("task")
def test_test_event_is_ignored():
    assert handler(load("s3_test_event"), Context()) == {"sets": []}


@pytest.mark.usefixtures("task")
def test_event_of_another_bucket_is_refused():
    with pytest.raises(EventError, match="the event is of the bucket elsewhere, uploads are in uploads"):
        handler(s3_event(s3_record("elsewhere", f"{PREFIX}a.csv", name="ObjectCreated:Put")), Context())


def test_failure_of_a_set_does_not_prevent_the_check_of_the_next(task, wire):
    broken, valid = task.put("a.csv", prefix="E01/2025/1/"), task.put("a.csv")
    wire.fail("GetObject", (403, "AccessDenied"), times=9, key="E01")
    with pytest.raises(BucketBrigadeError, match="AccessDenied"):
        task.run(broken, valid)
    assert len(task.outside.issues) == 1


def test_queue_batch_is_answered_message_by_message(task, wire):
    broken, valid = task.put("a.csv", prefix="E01/2025/1/"), task.put("a.csv")
    wire.fail("GetObject", (403, "AccessDenied"), times=9, key="E01")
    event = sqs_event(task.event_of(broken), "no JSON", task.event_of(valid))
    assert handler(event, Context()) == {
        "batchItemFailures": [{"itemIdentifier": "message-0"}, {"itemIdentifier": "message-1"}]
    }
    assert len(task.outside.issues) == 1
