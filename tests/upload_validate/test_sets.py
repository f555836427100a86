"""The files of a set, and how often it is checked. I3, I5."""

import random

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from tasks.object_clerk.s3_requests import S3Requests
from tasks.upload_validate import set_check
from tasks.upload_validate.file_sets import UploadBucket
from tasks.upload_validate.handler import handler
from tests.support.events import sqs_event
from tests.upload_validate.conftest import PREFIX, QUARANTINE, UPLOADS, Context, csv_of, mails, outcomes


def put_quickly(names, body):
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for name in names:
        backend.put_object(UPLOADS, PREFIX + name, body)


# A page of ListObjectsV2 holds 1,000 keys.
MANY = [f"{number:04}.csv" for number in range(1004)]


@pytest.mark.usefixtures("stage")
def test_set_with_more_files_than_a_page_is_listed_whole(s3):
    put_quickly([*MANY, "last.csv", "report.json", "deeper/a.csv"], b"x")
    put_quickly(["x"], b"x")
    file_set = UploadBucket(S3Requests(s3), UPLOADS, file_limit=1007).list_set(PREFIX, {})
    assert [file.key.removeprefix(PREFIX) for file in file_set.files] == [*MANY, "last.csv", "x"]


@pytest.fixture(name="three")
def three_files_at_most(monkeypatch):
    monkeypatch.setenv("FILE_LIMIT", "3")


TOO_MANY = "Set has more than 3 files and folders: at least 4 were found"


@pytest.mark.usefixtures("three")
def test_set_with_exactly_the_allowed_files_is_published(task):
    keys = [task.put(f"{name}.csv") for name in "abc"]
    assert [one["outcome"] for one in task.run(*keys)["sets"]] == ["published"]


@pytest.mark.usefixtures("three")
def test_set_with_too_many_files_is_rejected_with_one_problem(task):
    keys = [task.put(f"{name}.csv") for name in "abcde"]
    answer = task.run(*keys)["sets"]
    assert [(one["outcome"], one["files"], one["errors"]) for one in answer] == [("rejected", 4, 1)]
    assert task.published() == []
    ((_, report),) = task.outside.hooks
    assert [(entry["key"], entry["csv_valid"], entry["errors"]) for entry in report["file_set"]] == [
        (PREFIX, False, TOO_MANY)
    ]
    (mail,) = mails()
    assert TOO_MANY in mail.get_body(("plain",)).get_content()
    assert "more than 3 files" in mail.get_body(("html",)).get_content()
    # A set that keeps growing is reported once, in any order of its files.
    assert [one["outcome"] for one in task.run(task.put("0.csv"))["sets"]] == ["rejected"]
    assert (len(task.outside.hooks), len(mails())) == (1, 1)


@pytest.mark.usefixtures("three")
def test_folders_beside_the_files_count_because_the_listing_returns_them(task):
    key = task.put("a.csv")
    for name in "bcd":
        task.put(f"{name}/deeper.csv")
    assert [one["outcome"] for one in task.run(key)["sets"]] == ["rejected"]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("superseded", ["keep", "remove"])
def test_quarantine_gets_the_report_on_too_many_files_and_keeps_its_files(task, monkeypatch, superseded):
    monkeypatch.setenv("QUARANTINE_BUCKET_NAME", QUARANTINE)
    monkeypatch.setenv("SUPERSEDED_FILES", superseded)
    task.run(task.put("a.csv", csv_of() + b"short\n"))
    task.run(*[task.put(f"{name}.csv") for name in "bcd"])
    assert task.published(QUARANTINE) == [f"{PREFIX}{name}" for name in ("a.csv", "report.html", "report.json")]
    report = task.report(bucket=QUARANTINE)
    assert [entry["errors"] for entry in report["file_set"]] == [TOO_MANY]
    assert report["left_over"] == [f"{PREFIX}a.csv"]
    # The set in quarantine is recognised.
    hooks = len(task.outside.hooks)
    assert [one["outcome"] for one in task.run(task.put("e.csv"))["sets"]] == ["rejected"]
    assert len(task.outside.hooks) == hooks


def test_listing_ends_with_the_first_file_over_the_limit():
    asked = []

    def listing(_, **about):
        asked.append(about["ContinuationToken"])
        first = 1000 * len(asked)
        page = [{"Key": f"{PREFIX}{number}", "ETag": "e", "Size": 1} for number in range(first, first + 1000)]
        return {"Contents": page, "NextContinuationToken": f"after {first}"}

    file_set = UploadBucket(listing, UPLOADS, file_limit=1500).list_set(PREFIX, {})
    assert (file_set.files, file_set.more_than, file_set.count, len(asked)) == ((), 1500, 1501, 2)


@pytest.mark.usefixtures("stage")
def test_report_on_many_wrong_files_stays_small(task, monkeypatch):
    monkeypatch.setattr(set_check, "PROBLEMS_OF_A_SET", 7)
    wrong = csv_of() + b"short\n" * 5
    task.run(*[task.put(f"{name}.csv", wrong) for name in "abc"])
    ((_, report),) = task.outside.hooks
    assert [(len(entry["problems"]), entry["error_count"]) for entry in report["file_set"]] == [(5, 5), (2, 5), (1, 5)]


@pytest.mark.chaos
def test_set_with_more_files_than_a_page_is_published_whole(task, monkeypatch):
    monkeypatch.setenv("FILE_LIMIT", "2000")
    put_quickly(MANY, csv_of())
    answer = task.run(task.put("last.csv"))
    assert [(one["outcome"], one["files"]) for one in answer["sets"]] == [("published", 1005)]
    assert len(task.report()["file_set"]) == 1005
    assert len(task.published()) == 1005 + 2
    assert (len(task.outside.issues), len(task.outside.hooks), mails()) == (1, 1, [])


@pytest.mark.long
def test_fifty_files_in_random_order_give_one_verdict_for_each_content(task):
    chance = random.Random(50)
    names = [f"{number}.csv" for number in range(50)]
    chance.shuffle(names)
    waiting, contents = [], 0
    while names or waiting:
        # Some files arrive, and some of their events, in any order and some of them twice.
        growth = chance.randint(3, 20)
        come, names = names[:growth], names[growth:]
        for name in come:
            key = task.put(name)
            waiting += [key] * chance.randint(1, 2)
        contents += bool(come)
        chance.shuffle(waiting)
        taken, waiting = waiting[:10], waiting[10:]
        assert handler(sqs_event(*map(task.event_of, taken)), Context()) == {"batchItemFailures": []}
    verdicts = [report["digest"] for _, report in task.outside.hooks]
    assert len(verdicts) == len(set(verdicts)) == contents
    comments = task.outside.comments_of(1)
    assert (len(task.outside.issues), len(comments)) == (1, contents - 1)


def test_last_file_of_two_completes_the_set(task):
    democracy = csv_of(header="a,b,xordinate")
    first = task.put("stations.csv", democracy)
    assert outcomes(task.run(first)) == ["rejected"]
    assert task.outside.hooks[0][1]["file_set"][0]["errors"] == "Expected 2 files, found 1"
    # That alone sends no mail.
    assert mails() == []
    second = task.put("districts.csv", csv_of(header="a,b,c"))
    assert outcomes(task.run(second)) == ["published"]
    assert (len(task.outside.issues), len(task.report()["file_set"])) == (1, 2)


def test_lone_file_with_another_error_sends_a_mail(task):
    task.run(task.put("stations.csv", csv_of(header="a,b,xordinate") + b"1\n"))
    assert len(mails()) == 1
    assert task.outside.hooks[0][1]["file_set"][0]["errors"].endswith("found 1\nExpected 2 files, found 1")
