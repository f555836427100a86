"""What belongs to a set, and how often it is judged. I3, I5."""

import random

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from tasks.upload_validate.file_sets import list_set
from tasks.upload_validate.handler import handler
from tasks.utils.s3_requests import S3Requests
from tests.support.events import sqs_event
from tests.upload_validate.conftest import PREFIX, UPLOADS, Context, csv_of, mails


def put_quickly(names, body):
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for name in names:
        backend.put_object(UPLOADS, PREFIX + name, body)


# A page of ListObjectsV2 holds 1,000 keys.
MANY = [f"{number:04}.csv" for number in range(1004)]


@pytest.mark.usefixtures("stage")
def test_set_of_more_files_than_a_page_of_a_listing_is_listed_whole(s3):
    put_quickly([*MANY, "last.csv", "report.json", "deeper/a.csv"], b"x")
    put_quickly(["x"], b"x")
    file_set = list_set(S3Requests(s3), UPLOADS, PREFIX, {})
    assert [file.key.removeprefix(PREFIX) for file in file_set.files] == [*MANY, "last.csv", "x"]


@pytest.mark.chaos
def test_set_of_more_files_than_a_page_of_a_listing_is_published_whole(task):
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
        # Some files come, and some of the events that tell of them, in whatever order and some of them twice.
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
