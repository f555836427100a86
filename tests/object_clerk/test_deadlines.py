"""I8: work ends before Lambda's time-out, also when a server takes a request and never answers."""

import io
import threading
import time

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from tasks.object_clerk.downloads import blocks
from tasks.object_clerk.errors import NotBegunException, ObjectClerkException
from tasks.object_clerk.s3_requests import S3Requests, client_config
from tasks.object_clerk.transfers import Transfer
from tasks.object_clerk.transport import clients
from tasks.utils.deadline import CLOSING_SECONDS, RESERVE_SECONDS, Deadline, Durations
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object
from tests.support.server import served

# Seconds that a test leaves, and by how much a busy machine may exceed them. Without a deadline all would take 60.
LEFT, SLACK = 0.3, 2.0
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "eu-west-1"}


def say_nothing(_connection, _head):
    pass


@pytest.fixture(name="silent")
def server_that_never_answers():
    with served(say_nothing) as server:
        yield server


def s3(direct, server):
    config = client_config(s3={"addressing_style": "path"})
    return clients.s3(direct=direct, endpoint_url=server.url, config=config, **KEYS)


def over_at_once(began, call, error):
    with pytest.raises(error) as caught:
        call()
    assert time.monotonic() - began < LEFT + SLACK
    return caught.value


PLACE = {"Bucket": "bucket", "Key": "key"}
REQUESTS = {
    "head_object": PLACE,
    "get_object": PLACE,
    "put_object": {**PLACE, "Body": b"1"},
    "copy_object": {**PLACE, "CopySource": {"Bucket": "bucket", "Key": "other"}},
    "delete_object": PLACE,
    "list_objects_v2": {"Bucket": "bucket"},
}


@pytest.mark.parametrize("operation", REQUESTS)
def test_a_request_that_is_not_answered_is_given_up_at_the_deadline(silent, direct, operation):
    began = time.monotonic()
    requests = S3Requests(s3(direct, silent), RetryPolicy(tries=-1), Deadline(began + LEFT))
    over_at_once(began, lambda: requests(operation, **REQUESTS[operation]), ObjectClerkException)


def test_a_put_that_goes_directly_is_given_up_at_the_deadline():
    def then_say_nothing(connection, _head):
        # Before the answer, because the next request follows at once.
        server.answers[:] = [say_nothing]
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: "1"\r\n\r\n')

    with served(then_say_nothing) as server:
        client = s3(True, server)
        # The first request shows the bucket's place.
        client.head_object(**PLACE)
        began = time.monotonic()
        requests = S3Requests(client, RetryPolicy(tries=-1), Deadline(began + LEFT))
        body = {"Body": io.BytesIO(b"1"), "ChecksumCRC32": "g9zvtw=="}
        over_at_once(began, lambda: requests("put_object", **body, **PLACE), ObjectClerkException)
        assert b"Expect" not in server.requests[-1]


@pytest.mark.parametrize("operation", REQUESTS)
def test_a_request_is_not_begun_after_the_deadline(silent, direct, operation):
    requests = S3Requests(s3(direct, silent), RetryPolicy(tries=-1), Deadline(0.0))
    error = over_at_once(time.monotonic(), lambda: requests(operation, **REQUESTS[operation]), NotBegunException)
    assert "no time is left for a request" in str(error)
    assert not error.stalled
    assert not silent.requests


def test_a_body_that_stops_half_way_ends_at_the_deadline(monkeypatch, direct):
    size = 2 * Transfer().block
    head = f'HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: "1"\r\n\r\n'.encode()
    with served(lambda connection, _head: connection.sendall(head + bytes(size // 2))) as server:
        requests = S3Requests(s3(direct, server), RetryPolicy(tries=-1), Deadline(time.monotonic() + 1000))
        read = blocks(requests, S3Object("bucket", "key"))
        next(read)
        # Most of the time passes at once.
        began, slept = time.monotonic(), requests.deadline.remaining() - LEFT
        monkeypatch.setattr("tasks.utils.deadline.monotonic", lambda: time.monotonic() + slept)
        over_at_once(began, lambda: next(read), ObjectClerkException)
        assert time.monotonic() - began > LEFT / 2


def of_sqs(server):
    client = clients.client("sqs", endpoint_url=server.url, **KEYS)
    return lambda: client.send_message(QueueUrl=f"{server.url}/queue", MessageBody="{}")


def of_dynamodb(server):
    client = clients.dynamodb(direct=True, endpoint_url=server.url, **KEYS)
    return lambda: client.get_item(TableName="table", Key={"id": {"S": "1"}})


def of_secrets(server):
    client = clients.client("secretsmanager", endpoint_url=server.url, **KEYS)
    return lambda: client.get_secret_value(SecretId="secret")


def of_sts(server):
    client = clients.client("sts", endpoint_url=server.url, **KEYS)
    return client.get_caller_identity


SERVICES = [of_sqs, of_dynamodb, of_secrets, of_sts]


@pytest.mark.parametrize("service", SERVICES)
def test_a_request_to_a_silent_service_ends_at_the_deadline(silent, service, monkeypatch):
    # botocore's wait between two attempts.
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    began = time.monotonic()
    call = service(silent)
    over_at_once(began, lambda: Deadline(began + LEFT).limit(call), BotoCoreError)


@pytest.mark.parametrize("service", SERVICES)
def test_a_request_to_a_service_is_not_begun_after_the_deadline(silent, service):
    call = service(silent)
    error = over_at_once(time.monotonic(), lambda: Deadline(0.0).limit(call), clients.OutOfTimeError)
    assert "no time is left for a request to http" in str(error)
    assert not silent.requests


def test_a_deadline_is_that_of_its_thread_alone(silent):
    call, seen = of_sts(silent), []

    def ask():
        try:
            Deadline(0.0).limit(call)
        except clients.OutOfTimeError as error:
            seen.append(error)

    other = threading.Thread(target=ask)
    other.start()
    other.join()
    assert seen
    # This thread has no deadline, so the request goes out.
    once = Config(read_timeout=LEFT, retries={"total_max_attempts": 1})
    client = clients.client("sts", endpoint_url=silent.url, config=once, **KEYS)
    with pytest.raises(BotoCoreError):
        client.get_caller_identity()
    assert silent.requests


def test_closing_deadline_leaves_time_for_the_answer():
    deadline = Deadline(100.0, 50.0)
    assert deadline.closing() == Deadline(100.0 + CLOSING_SECONDS, 50.0)
    assert 0 < CLOSING_SECONDS < RESERVE_SECONDS


def test_next_piece_fits_if_the_longest_piece_of_its_size_would(monkeypatch):
    monkeypatch.setattr("tasks.utils.deadline.monotonic", lambda: 0.0)
    durations, left = Durations(), Deadline(7.0)
    assert durations.fits(left)
    durations.add(8.0, size=100)
    durations.add(1.0, size=10)
    assert [durations.fits(left, size=size) for size in (9, 10, 99, 100, 101)] == [True, True, True, False, False]
    assert durations.fits(Deadline(9.0), size=101)
    assert not Durations().fits(Deadline(0.0))
