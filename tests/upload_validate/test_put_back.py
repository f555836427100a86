"""A set that changes, also back to what it was: the final bucket is made equal to the newest sound set. I3, I5, I6."""

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
def no_patience(monkeypatch):
    # Workers take turns here, so that waiting for another one is in vain.
    monkeypatch.setattr(idempotency, "PATIENCE", RetryPolicy(tries=1))


@pytest.fixture(name="look")
def look_at_a_bucket(s3):
    """Returns the bytes of each object of a bucket by its name in the set."""

    def look(bucket=FINAL):
        listed = s3.list_objects_v2(Bucket=bucket).get("Contents", ())
        read = {item["Key"]: s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listed}
        return {key.removeprefix(PREFIX): body for key, body in read.items()}

    return look


def md5(body):
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def assert_report_is_true(objects, files, outcome="published"):
    """The report names these files with these bytes, and so does the page."""
    report = json.loads(objects["report.json"])
    named = {entry["key"].removeprefix(PREFIX): entry["etag"] for entry in report["file_set"]}
    assert report["outcome"] == outcome
    assert named == {name: md5(body) for name, body in files.items()}
    assert {name: objects[name] for name in files} == files
    assert all(name.encode() in objects["report.html"] for name in files)


class Kill:  # pylint: disable=too-few-public-methods  # a botocore handler with a count
    """Kills the container before, or right after, its n-th request of one operation; n counts from 1."""

    def __init__(self, aws, operation, number=1, *, when="after"):
        self.aws, self.left = aws, number
        self.event = f"{when}-call.s3.{operation}"

    def __call__(self, **_):
        self.left -= 1
        if not self.left:
            raise Killed(self.event)

    def __enter__(self):
        # A client listens to what was registered when it was made.
        forget_container()
        self.aws.events.register(self.event, self)

    def __exit__(self, *_):
        self.aws.events.unregister(self.event, self)
        forget_container()
        time_passes()


def killed(task, aws, key, operation, number=1, **when):
    with Kill(aws, operation, number, **when), pytest.raises(Killed):
        task.run(key)


def test_set_that_is_put_back_to_earlier_content_is_published_again_and_told_once(task, look):
    for body in (A, B, A):
        key = task.put("a.csv", body)
        answer = task.run(key)
    assert answer["sets"][0]["outcome"] == "published"
    assert_report_is_true(look(), {"a.csv": A})
    # An issue for the first content, a comment for the second, and nothing for the first once more.
    assert notifications(task) == (1, 1, 0, 2)
    # Which is in place now: another event writes nothing.
    before = look()
    task.run(key)
    assert look() == before


def test_container_killed_while_it_replaces_a_set_that_is_then_put_back(task, aws, look):
    task.put("b.csv", A)
    task.run(task.put("a.csv", A))
    task.put("b.csv", B)
    key = task.put("a.csv", B)
    # The first file's copy takes the place of the old one.
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
    # What comes next is wrong, so that nothing is published over the half of the second set.
    key = task.put("a.csv", SHORT)
    assert task.run(key)["sets"][0]["outcome"] == "rejected"
    report = json.loads(look()["report.json"])
    assert (report["outcome"], report["file_set"]) == ("replacing", [])
    assert b"is being replaced" in look()["report.html"]
    # The next sound set is published as any other.
    task.put("b.csv", A)
    task.run(task.put("a.csv", A))
    assert_report_is_true(look(), {"a.csv": A, "b.csv": A})


@pytest.mark.parametrize("number", range(1, 5))
def test_container_killed_at_a_write_of_report_or_page_of_a_set_that_is_put_back(task, aws, look, number):
    key = task.put("a.csv", A)
    task.run(key)
    task.put("a.csv", B)
    killed(task, aws, key, "PutObject", number)
    task.put("a.csv", A)
    task.run(key)
    assert_report_is_true(look(), {"a.csv": A})
    assert b"61 rows" in look()["report.html"]


def test_grown_set_keeps_the_report_on_what_lies_there_until_it_is_whole(task, aws, look):
    task.run(task.put("a.csv", A))
    killed(task, aws, task.put("b.csv", B), "CopyObject", 2)
    # No byte that it speaks of was touched.
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


def test_file_of_a_set_that_was_never_whole_is_removed_or_named_too(task, aws, s3, look):
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


def test_removal_that_a_kill_cut_off_is_made_up_for(task, aws, s3, look, monkeypatch):
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


def test_quarantine_that_holds_another_set_is_made_to_hold_the_newest(task, look, monkeypatch):
    monkeypatch.setenv("QUARANTINE_BUCKET_NAME", QUARANTINE)
    for body in (SHORT, SHORT + b"short\n", SHORT):
        task.run(task.put("a.csv", body))
    assert_report_is_true(look(QUARANTINE), {"a.csv": SHORT}, "rejected")
    assert notifications(task) == (0, 0, 2, 2)


@pytest.mark.parametrize("what", ["a.csv", "report.json", "report.html"])
@pytest.mark.parametrize("how", ["lost", "overwritten"])
def test_published_object_that_was_lost_or_overwritten_is_made_good_by_the_next_event(task, s3, look, what, how):
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
    """Has `call` called before the n-th request of one operation that is sent from now on."""
    left = [number]

    def act(sent):
        if sent == operation:
            left[0] -= 1
            if left[0] == 0:
                wire.before.remove(act)
                call()

    wire.before.append(act)


@pytest.mark.parametrize(
    "back", [pytest.param(False, id="stays", marks=pytest.mark.long), pytest.param(True, id="and back")]
)
@pytest.mark.parametrize(
    "step",
    [("ListObjectsV2", number) for number in range(2, 7)]
    + [("CopyObject", 1), ("CopyObject", 2), ("PutObject", 1), ("PutObject", 2), ("PutObject", 3), ("PutObject", 4)],
    ids=str,
)
def test_worker_on_what_the_set_once_was_never_has_the_last_word(task, wire, look, step, back):
    """While one worker publishes, the set is replaced, and another worker publishes that."""
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
        # SQS would deliver it again.
        assert error.transient
        time_passes()
        task.run(key)
    assert_report_is_true(look(), {"a.csv": B if back else csv_of(120)})


def test_published_object_under_kms_is_known_by_the_report_and_not_read_again(task, wire, s3):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket=FINAL, ServerSideEncryptionConfiguration={"Rules": [rule]})
    key = task.put("a.csv", A)
    task.run(key)
    before = list(wire.sent)
    task.run(key)
    assert wire.sent[len(before) :] == ["ListObjectsV2", "ListObjectsV2", "GetObject"]


def test_fresh_set_takes_no_more_requests_than_two_for_each_file_and_eight(task, wire):
    for name in ("a.csv", "b.csv", "c.csv"):
        key = task.put(name, A)
    task.run(key)
    assert sorted(set(wire.sent)) == ["CopyObject", "GetObject", "ListObjectsV2", "PutObject"]
    assert [wire.count(each) for each in ("GetObject", "CopyObject", "PutObject", "ListObjectsV2")] == [3, 3, 2, 6]


def test_dynamodb_holds_no_state_of_the_final_bucket(task, s3, look):
    """The memory may be lost: what was published is looked at, and at worst people are notified again."""
    key = task.put("a.csv", A)
    task.run(key)
    dynamodb = client_of_the_tests("dynamodb", "eu-west-1")
    for item in dynamodb.scan(TableName="outcomes")["Items"]:
        dynamodb.delete_item(TableName="outcomes", Key={"id": item["id"]})
    s3.delete_object(Bucket=FINAL, Key=REPORT)
    task.run(key)
    assert_report_is_true(look(), {"a.csv": A})
