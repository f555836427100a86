"""An archive that is denied, missing or down for a day makes no dead letter and loses nothing."""

import json

import pytest
from botocore.exceptions import EndpointConnectionError

from tests.archive_copy.conftest import PROTECTED, RESTORED
from tests.support.events import s3_event, s3_record
from tests.support.time_machine import DAY, HOUR, PolledQueue

pytestmark = pytest.mark.long

LONGEST_WAIT = 15 * 60


@pytest.fixture(name="queue")
def queue_that_is_polled(archive, sqs, clock, environment):
    queue = PolledQueue.create(sqs, clock, "restored", handle=archive)
    environment(WORK_QUEUE=queue.url, DEAD_LETTER_QUEUE=queue.dead_url, MAX_RECEIVES="10")
    return queue


def restore(s3, queue, *keys):
    for key in keys:
        s3.put_object(Bucket=RESTORED, Key=key, Body=b"restored")
        body = json.dumps(s3_event(s3_record(RESTORED, key)))
        queue.sqs.send_message(QueueUrl=queue.url, MessageBody=body)


@pytest.mark.parametrize(
    "answer",
    [
        (403, "AccessDenied"),
        (404, "NoSuchBucket"),
        (400, "KMS.DisabledException"),
        (503, "SlowDown"),
        EndpointConnectionError(endpoint_url="https://s3"),
    ],
    ids=str,
)
def test_archive_that_fails_for_a_day_gets_all_objects_within_minutes_afterwards(s3, queue, wire, answer):
    wire.fail("CopyObject", answer, times=10**9)
    restore(s3, queue, "a.hdf", "b.hdf")
    queue.run(6 * HOUR)
    queue.clock.sleep(17 * HOUR)
    restore(s3, queue, "c.hdf")
    queue.run(HOUR)
    assert queue.invocations > 30
    assert queue.dead_letters() == []
    wire.faults.clear()
    assert queue.run(DAY) <= LONGEST_WAIT + 60
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=PROTECTED)["Contents"]] == ["a.hdf", "b.hdf", "c.hdf"]


def test_missing_object_is_a_dead_letter_at_once(s3, queue):
    restore(s3, queue, "a.hdf")
    s3.delete_object(Bucket=RESTORED, Key="a.hdf")
    assert queue.run(DAY) < 60
    assert queue.invocations == 1
    (letter,) = queue.dead_letters()
    assert letter["MessageAttributes"]["ErrorType"]["StringValue"] == "KeyNotFoundException"
