"""I8: an invocation ends before Lambda's time-out, however slow S3 is, and deferred messages come back."""

import time
from types import SimpleNamespace

import pytest

from tasks.archive_copy import handler as handler_module
from tasks.utils import deadline
from tests.archive_copy.conftest import RESTORED, forget_container
from tests.archive_copy.outcomes import context, put
from tests.support.events import s3_event, s3_record, sqs_event
from tests.support.server import served

SECONDS_OF_A_COPY = 8.0


@pytest.fixture(name="clock")
def time_that_copies_take(monkeypatch, wire):
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)

    def take_time(_):
        clock.now += SECONDS_OF_A_COPY

    monkeypatch.setattr("tasks.utils.deadline.monotonic", clock.monotonic)
    monkeypatch.setattr("tasks.archive_copy.archiver.time", clock)
    wire.answer_with("CopyObject", take_time)
    return clock


def batch(*keys, **sizes):
    return sqs_event(*(s3_event(s3_record(RESTORED, key, **sizes)) for key in keys))


def test_copies_of_eight_seconds_end_in_time_and_the_rest_comes_back(archive, environment, s3, wire, clock):
    environment(COPY_CONCURRENCY="1")
    keys = [f"{number}.txt" for number in range(6)]
    for key in keys:
        put(s3, key)
    # 35 s, of which 5 s are kept back: a fourth copy would end 2 s after the deadline.
    answer = archive(batch(*keys), context(35))
    assert clock.now == 3 * SECONDS_OF_A_COPY
    assert wire.count("CopyObject") == 3
    assert answer == {"batchItemFailures": [{"itemIdentifier": f"message-{number}"} for number in (3, 4, 5)]}


def test_first_copy_begins_however_little_time_is_left(archive, s3, wire, clock):
    put(s3, "a.txt")
    assert archive(batch("a.txt"), context(6)) == {"batchItemFailures": []}
    assert (wire.count("CopyObject"), clock.now) == (1, SECONDS_OF_A_COPY)


def test_small_object_is_copied_after_a_large_one_that_took_long(archive, environment, s3, wire, clock):
    environment(COPY_CONCURRENCY="1")
    put(s3, "large.txt")
    put(s3, "small.txt")
    large = s3_event(s3_record(RESTORED, "large.txt", size=10**9))
    small = s3_event(s3_record(RESTORED, "small.txt", size=1))
    assert archive(sqs_event(large, small), context(17)) == {"batchItemFailures": []}
    assert wire.count("CopyObject") == 2
    assert clock.now == 2 * SECONDS_OF_A_COPY


def test_silent_servers_end_an_invocation_in_time(environment, monkeypatch):
    def say_nothing(_connection, _head):
        pass

    monkeypatch.setattr(deadline, "CLOSING_SECONDS", 0.3)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    with served(say_nothing) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        environment(WORK_QUEUE=f"{server.url}/123456789012/work", DEAD_LETTER_QUEUE=f"{server.url}/123456789012/dead")
        forget_container()
        began = time.monotonic()
        answer = handler_module.handler(batch("a.txt", "b.txt"), context(deadline.RESERVE_SECONDS + 0.3))
        assert time.monotonic() - began < deadline.RESERVE_SECONDS
    assert answer == {"batchItemFailures": [{"itemIdentifier": f"message-{number}"} for number in range(2)]}
    assert any(b"AmazonSQS" in request for request in server.requests)
