"""An outage of a day, of any service that a verdict or a notification needs, makes no dead letter and loses nothing."""

import json
from types import SimpleNamespace

import pytest
import requests

from tasks.upload_validate import handler as handler_module
from tests.conftest import REGION, client_of_the_tests
from tests.support.time_machine import DAY, HOUR, PolledQueue
from tests.upload_validate.conftest import FINAL, PREFIX, Context, forget_container

pytestmark = pytest.mark.long

LONGEST_WAIT = 15 * 60


@pytest.fixture(name="queue")
def queue_that_is_polled(task, sqs, clock, monkeypatch):
    waits = SimpleNamespace(time=clock.time, sleep=clock.sleep)
    monkeypatch.setattr("tasks.upload_validate.reporters.http.time", waits)
    queue = PolledQueue.create(sqs, clock, "uploads")
    queue.handle = lambda batch: handler_module.handler(batch, Context())
    monkeypatch.setenv("WORK_QUEUE", queue.url)
    monkeypatch.setenv("DEAD_LETTER_QUEUE", queue.dead_url)
    monkeypatch.setenv("MAX_RECEIVES", "10")
    forget_container()
    sqs.send_message(QueueUrl=queue.url, MessageBody=json.dumps(task.event_of(task.put("a.csv"))))
    return queue


def a_day_of_failures(queue):
    """Run a day without the hours in the middle, which would be like the others."""
    queue.run(3 * HOUR)
    queue.clock.sleep(20 * HOUR)
    queue.run(HOUR)
    assert queue.invocations > 15
    assert queue.dead_letters() == []


def assert_all_is_done(queue, task):
    assert queue.run(DAY) <= LONGEST_WAIT + 60
    assert queue.dead_letters() == []
    assert f"{PREFIX}report.json" in task.published(FINAL)
    assert (len(task.outside.issues), len(task.outside.hooks)) == (1, 1)


@pytest.mark.parametrize(
    "fault", [(503, {}, "{}"), requests.exceptions.ConnectTimeout("no connection")], ids=["503", "no connection"]
)
def test_github_that_is_down_for_a_day_gets_one_issue(task, queue, fault):
    task.outside.faults += [("api.github.com", fault)] * 10_000
    a_day_of_failures(queue)
    task.outside.faults.clear()
    assert_all_is_done(queue, task)


def test_bucket_that_denies_access_for_a_day_gets_the_set_afterwards(task, queue, wire):
    wire.fail("CopyObject", (403, "AccessDenied"), times=10**9)
    forget_container()
    a_day_of_failures(queue)
    wire.faults.clear()
    assert_all_is_done(queue, task)


def test_key_that_cannot_be_read_for_a_day_delays_only_its_notification(task, queue, monkeypatch):
    monkeypatch.setenv("GITHUB_API_KEY", "secretsmanager:github")
    forget_container()
    a_day_of_failures(queue)
    secrets = client_of_the_tests("secretsmanager", REGION)
    secrets.create_secret(Name="github", SecretString="github-key")
    assert_all_is_done(queue, task)


def test_table_schema_that_cannot_be_read_for_a_day_delays_the_verdict(queue, s3, monkeypatch):
    monkeypatch.setenv("PROFILE", "table-schema")
    monkeypatch.setenv("TABLE_SCHEMA", "s3://schemas/schema.json")
    forget_container()
    a_day_of_failures(queue)
    s3.create_bucket(Bucket="schemas", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="schemas", Key="schema.json", Body=b'{"fields": [{"name": "a"}]}')
    assert queue.run(DAY) <= LONGEST_WAIT + 60
    assert queue.dead_letters() == []


def test_sentry_key_that_cannot_be_read_delays_nothing(task, queue, monkeypatch):
    monkeypatch.setenv("SENTRY_DSN", "secretsmanager:sentry")
    forget_container()
    assert_all_is_done(queue, task)
    assert queue.invocations == 1
