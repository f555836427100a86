"""A set that changes, also back to earlier content: the final bucket gets the newest valid set. I3, I5, I6."""

import hashlib
import json

import pytest

from tasks.upload_validate import idempotency
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.retry import RetryPolicy
from tests.conftest import client_of_the_tests
from tests.upload_validate.conftest import (
    FINAL,
    PREFIX,
    QUARANTINE,
    UPLOADS,
    Context,
    Killed,
    csv_of,
    forget_container,
    notifications,
    time_passes,
)

A, B, SHORT = csv_of(60), csv_of(90), csv_of() + b"short\n"
REPORT, PAGE = f"{PREFIX}report.json", f"{PREFIX}report.html"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    # Workers take turns here, so waiting for another one cannot help.
    monkeypatch.setattr(idempotency, "PATIENCE", RetryPolicy(tries=1))


@pytest.fixture(name="look")
def objects_of_a_bucket(s3):
    """Return the bytes of each object of a bucket by its name in the set."""

    def look(bucket=FINAL):
        listed = s3.list_objects_v2(Bucket=bucket).get("Contents", ())
        read = {item["Key"]: s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listed}
        return {key.removeprefix(PREFIX): body for key, body in read.items()}

    return look


def md5(body):
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def assert_report_is_true(objects, files, outcome="published"):
    """Assert that the report names these files with these bytes, and that the page names them."""
    report = json.loads(objects["report.json"])
    named = {entry["key"].removeprefix(PREFIX): entry["etag"] for entry in report["file_set"]}
    assert report["outcome"] == outcome
    assert named == {name: md5(body) for name, body in files.items()}
    assert {name: objects[name] for name in files} == files
    assert all(name.encode() in objects["report.html"] for name in files)


class Kill:  # pylint: disable=too-few-public-methods  # a botocore handler with a count
    """Kill the container before, or right after, its n-th request of one operation; n counts from 1."""

    def __init__(self, aws, operation, number=1, *, when="after"):
        self.aws, self.left = aws, number
        self.event = f"{when}-call.s3.{operation}"

    def __call__(self, **_):
        self.left -= 1
        if not self.left:
            raise Killed(self.event)

    def __enter__(self):
        # A client has the handlers that were registered when it was made.
        forget_container()
        self.aws.events.register(self.event, self)

    def __exit__(self, *_):
        self.aws.events.unregister(self.event, self)
        forget_container()
        time_passes()


def killed(task, aws, key, operation, number=1, **when):
    with Kill(aws, operation, number, **when), pytest.raises(Killed):
        task.run(key)


def test_set_that_is_put_back_to_earlier_content_is_published_again_and_notified_once(task, look):
    for body in (A, B, A):
        key = task.put("a.csv", body)
        answer = task.run(key)
    assert answer["sets"][0]["outcome"] == "published"
    assert_report_is_true(look(), {"a.csv": A})
    # An issue for the first content, a comment for the second, and nothing for the return to the first.
    assert notifications(task) == (1, 1, 0, 2)
    # The set is in place now: another event writes nothing.
    before = look()
    task.run(key)
    assert look() == before


def test_set_that_is_put_back_after_a_kill_during_its_replacement_is_published(task, aws, look):
    task.put("b.csv", A)
    task.run(task.put("a.csv", A))
    task.put("b.csv", B)
    key = task.put("a.csv", B)
    # The copy of the first file replaces the old one.
    killed(task, aws, key, "CopyObject", 2)
    assert look()["a.csv"] == B
    task.put("b.csv", A)
    task.run(task.put("a.csv", A))
    assert_report_is_true(look(), {"a.csv": A, "b.csv": A})


def test_container_killed_while_it_replaces_a_set_leaves_no_report_on_other_bytes(task, aws, look):
    task.put("b.csv", A)
    task.run(task.put("a.csv", A))
    task.put("b.csv", B)
    key = task.put("a.csv", B)
    killed(task, aws, key, "CopyObject", 2)
    # The next set is rejected, so nothing replaces the half of the second set.
    key = task.put("a.csv", SHORT)
    assert task.run(key)["sets"][0]["outcome"] == "rejected"
    report = json.loads(look()["report.json"])
    assert (report["outcome"], report["file_set"]) == ("replacing", [])
    assert b"is being replaced" in look()["report.html"]
    # The next valid set is published as usual.
    task.put("b.csv", A)
    task.run(task.put("a.csv", A))
    assert_report_is_true(look(), {"a.csv": A, "b.csv": A})


@pytest.mark.parametrize("number", range(1, 5))
def test_set_that_is_put_back_after_a_kill_at_a_write_of_report_or_page_is_published(task, aws, look, number):
    key = task.put("a.csv", A)
    task.run(key)
    task.put("a.csv", B)
    killed(task, aws, key, "PutObject", number)
    task.put("a.csv", A)
    task.run(key)
    assert_report_is_true(look(), {"a.csv": A})
    assert b"61 rows" in look()["report.html"]


def test_grown_set_keeps_the_earlier_report_until_its_own_is_written(task, aws, look):
    task.run(task.put("a.csv", A))
    killed(task, aws, task.put("b.csv", B), "CopyObject", 2)
    # No byte that it describes was changed.
    assert_report_is_true(look(), {"a.csv": A})


@pytest.mark.parametrize("superseded", ["keep", "remove"])
def test_file_that_the_new_set_does_not_have_is_named_or_removed(task, s3, look, superseded, monkeypatch):
    monkeypatch.setenv("SUPERSEDED_FILES", superseded)
    task.put("b.csv", B)
    key = task.put("a.csv", A)
    task.run(key)
    s3.delete_object(Bucket=UPLOADS, Key=f"{PREFIX}b.csv")
    task.run(key)
    assert_report_is_true(look(), {"a.csv": A})
    named = [f"{PREFIX}b.csv"] if superseded == "keep" else []
    assert json.loads(look()["report.json"])["left_over"] == named
    assert ("b.csv" in look()) == (superseded == "keep")
    assert notifications(task) == (1, 1, 0, 2)


def test_file_of_a_set_without_a_report_is_named_too(task, aws, s3, look):
    task.run(task.put("a.csv", A))
    killed(task, aws, task.put("b.csv", B), "PutObject", 1, when="before")
    s3.delete_object(Bucket=UPLOADS, Key=f"{PREFIX}b.csv")
    task.run(f"{PREFIX}a.csv")
    assert json.loads(look()["report.json"])["left_over"] == [f"{PREFIX}b.csv"]


def test_files_kept_so_far_are_removed_when_the_setting_says_so(task, s3, look, monkeypatch):
    task.put("b.csv", B)
    key = task.put("a.csv", A)
    task.run(key)
    s3.delete_object(Bucket=UPLOADS, Key=f"{PREFIX}b.csv")
    task.run(key)
    monkeypatch.setenv("SUPERSEDED_FILES", "remove")
    forget_container()
    task.run(key)
    assert sorted(look()) == ["a.csv", "report.html", "report.json"]
    assert_report_is_true(look(), {"a.csv": A})


def test_removal_that_a_kill_cut_off_is_completed(task, aws, s3, look, monkeypatch):
    monkeypatch.setenv("SUPERSEDED_FILES", "remove")
    task.put("b.csv", B)
    key = task.put("a.csv", A)
    task.run(key)
    s3.delete_object(Bucket=UPLOADS, Key=f"{PREFIX}b.csv")
    killed(task, aws, key, "DeleteObject", 1, when="before")
    assert "b.csv" in look()
    task.run(key)
    assert "b.csv" not in look()
    assert notifications(task) == (1, 1, 0, 2)


def test_quarantine_with_another_set_gets_the_newest(task, look, monkeypatch):
    monkeypatch.setenv("QUARANTINE_BUCKET_NAME", QUARANTINE)
    for body in (SHORT, SHORT + b"short\n", SHORT):
        task.run(task.put("a.csv", body))
    assert_report_is_true(look(QUARANTINE), {"a.csv": SHORT}, "rejected")
    assert notifications(task) == (0, 0, 2, 2)


@pytest.mark.parametrize("what", ["a.csv", "report.json", "report.html"])
@pytest.mark.parametrize("how", ["lost", "overwritten"])
def test_published_object_that_was_lost_or_overwritten_is_restored_by_the_next_event(task, s3, look, what, how):
    key = task.put("a.csv", A)
    task.run(key)
    if how == "lost":
        s3.delete_object(Bucket=FINAL, Key=PREFIX + what)
    else:
        s3.put_object(Bucket=FINAL, Key=PREFIX + what, Body=b'{"file_set": 3}')
    task.run(key)
    assert_report_is_true(look(), {"a.csv": A})
    assert notifications(task) == (1, 0, 0, 1)


def at(wire, operation, number, call):
    """Call `call` before the n-th request of one operation from now on."""
    left = [number]

    def act(sent):
        if sent == operation:
            left[0] -= 1
            if left[0] == 0:
                wire.before.remove(act)
                call()

    wire.before.append(act)


@pytest.mark.first_cases(3)
@pytest.mark.parametrize(
    "back", [pytest.param(False, id="stays", marks=pytest.mark.long), pytest.param(True, id="and back")]
)
@pytest.mark.parametrize(
    "step",
    [("ListObjectsV2", number) for number in range(2, 7)]
    + [("CopyObject", 1), ("CopyObject", 2), ("PutObject", 1), ("PutObject", 2), ("PutObject", 3), ("PutObject", 4)],
    ids=str,
)
def test_worker_on_an_earlier_set_never_writes_last(task, wire, look, step, back):
    """One worker publishes while the set is replaced and another worker publishes the new one."""
    key = task.put("a.csv", A)
    task.run(key)
    task.put("a.csv", B)

    def meanwhile():
        for body in (csv_of(120), B) if back else (csv_of(120),):
            task.put("a.csv", body)
            task.run(key, context=Context(aws_request_id="another"))

    at(wire, *step, meanwhile)
    try:
        task.run(key)
    except BucketBrigadeError as error:
        # SQS would deliver the message again.
        assert error.transient
        time_passes()
        task.run(key)
    assert_report_is_true(look(), {"a.csv": B if back else csv_of(120)})


def test_published_object_under_kms_is_recognised_by_the_report_and_not_read_again(task, wire, s3):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket=FINAL, ServerSideEncryptionConfiguration={"Rules": [rule]})
    key = task.put("a.csv", A)
    task.run(key)
    before = list(wire.sent)
    task.run(key)
    assert wire.sent[len(before) :] == ["ListObjectsV2", "ListObjectsV2", "GetObject"]


def test_new_set_takes_two_requests_for_each_file_and_eight_more(task, wire):
    for name in ("a.csv", "b.csv", "c.csv"):
        key = task.put(name, A)
    task.run(key)
    assert sorted(set(wire.sent)) == ["CopyObject", "GetObject", "ListObjectsV2", "PutObject"]
    assert [wire.count(each) for each in ("GetObject", "CopyObject", "PutObject", "ListObjectsV2")] == [3, 3, 2, 6]


def test_dynamodb_holds_no_state_of_the_final_bucket(task, s3, look):
    """The records may be lost: the buckets are listed, and at worst notifications are repeated."""
    key = task.put("a.csv", A)
    task.run(key)
    dynamodb = client_of_the_tests("dynamodb", "eu-west-1")
    for item in dynamodb.scan(TableName="outcomes")["Items"]:
        dynamodb.delete_item(TableName="outcomes", Key={"id": item["id"]})
    s3.delete_object(Bucket=FINAL, Key=REPORT)
    task.run(key)
    assert_report_is_true(look(), {"a.csv": A})
