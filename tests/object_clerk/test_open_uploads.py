"""The next operation on a key aborts the uploads of a killed one, and never a living writer's upload."""

import itertools

import pytest

from tasks.object_clerk import ObjectClerk
from tasks.object_clerk.copies import copy_object
from tasks.object_clerk.moves import move_object
from tasks.object_clerk.part_copies import CopyLimits
from tasks.object_clerk.s3_requests import S3Requests
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object
from tests.object_clerk.conftest import PART
from tests.support.dying_client import DyingClient, Killed
from tests.support.proxy import Fault

LIMITS = CopyLimits(single=PART, part_size=PART)
BODY = bytes(PART + 1)


def upload(client, bucket):
    clerk = ObjectClerk.from_client(client, retry_delay=0, retry_jitter=0, retry_tries=1)
    clerk.upload_object(BODY, bucket, "written")


def copy(client, bucket):
    requests = S3Requests(client, RetryPolicy(tries=1))
    copy_object(requests, S3Object(bucket, "key"), S3Object(bucket, "written"), size=len(BODY), limits=LIMITS)


def move(client, bucket):
    etag = client.head_object(Bucket=bucket, Key="etag")["Metadata"]["of"]
    requests = S3Requests(client, RetryPolicy(tries=1))
    move_object(requests, S3Object(bucket, "key"), S3Object(bucket, "written"), etag=etag, limits=LIMITS)


def a_day_later(head, body):
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"date:")]
    return b"\r\n".join([lines[0], b"Date: Fri, 01 Jan 2100 12:00:00 GMT", *lines[1:]]), body


def next_day(way):
    way.add(Fault("GET", "uploads", times=99, down=a_day_later))


# A copy in parts has its source's ETag on moto, as on AWS, and not on SeaweedFS; so a move that is repeated after its
# delete is proven on moto alone. For the others the quicker server is enough.
@pytest.mark.long
@pytest.mark.parametrize(
    "store, operation, first", [("seaweedfs", upload, 0), ("seaweedfs", copy, 0), ("moto", move, 9)], indirect=["store"]
)
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.usefixtures("five_mib_parts")
def test_an_operation_killed_at_any_step_and_repeated_leaves_nothing_open(store, way, operation, first, done):
    # A move begins as a copy does.
    next_day(way)
    kills = 0
    for at in itertools.count(first):
        if "key" not in store.keys_of():
            etag = store.put_parts("key", BODY, PART)["ETag"]
            store.put("etag", b"1", Metadata={"of": etag})
        try:
            operation(DyingClient(store, way.listens_on, at, done).client, store.bucket)
            break
        except Killed:
            kills += 1
        operation(DyingClient(store, way.listens_on, 999, done).client, store.bucket)
        assert store.head("written")["ContentLength"] == len(BODY)
        assert not store.open_uploads()
        store.client.delete_object(Bucket=store.bucket, Key="written")
    assert kills >= 4


def begin(store, key, *parts):
    where = {"Bucket": store.bucket, "Key": key}
    upload_id = store.client.create_multipart_upload(**where)["UploadId"]
    for number, body in enumerate(parts, start=1):
        store.client.upload_part(**where, UploadId=upload_id, PartNumber=number, Body=body)


@pytest.mark.usefixtures("five_mib_parts")
def test_an_upload_that_was_begun_within_a_day_is_left_alone(store, way):
    begin(store, "written", b"1")
    upload(DyingClient(store, way.listens_on, 999, True).client, store.bucket)
    assert [one["Key"] for one in store.open_uploads()] == ["written"]


@pytest.mark.usefixtures("five_mib_parts")
def test_upload_of_a_single_writer_is_aborted_at_once(store, way, monkeypatch):
    begin(store, "written", b"1")
    begin(store, "written too", b"1")
    monkeypatch.setenv("ABANDONED_UPLOAD_SECONDS", "0")
    upload(DyingClient(store, way.listens_on, 999, True).client, store.bucket)
    assert store.bytes_of("written") == BODY
    assert [one["Key"] for one in store.open_uploads()] == ["written too"]


@pytest.mark.usefixtures("five_mib_parts")
@pytest.mark.parametrize("store", ["seaweedfs"], indirect=True)
def test_an_upload_that_was_begun_long_ago_and_still_gets_parts_is_left_alone(store, way):
    begin(store, "written", b"1")

    def long_ago(head, body):
        before, _, rest = body.partition(b"<Initiated>")
        changed = before + b"<Initiated>2010-11-10T20:48:33.000Z" + rest[rest.index(b"</Initiated>") :]
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
        return b"\r\n".join([*lines[:1], b"Content-Length: %d" % len(changed), *lines[1:]]), changed

    way.add(Fault("GET", "uploads", down=long_ago))
    upload(DyingClient(store, way.listens_on, 999, True).client, store.bucket)
    assert any("uploadId=" in line and line.startswith("GET") for line in way.requests)
    assert [one["Key"] for one in store.open_uploads()] == ["written"]


@pytest.mark.usefixtures("five_mib_parts")
@pytest.mark.parametrize("store", ["moto"], indirect=True)
def test_uploads_of_other_keys_are_left_alone(store, way):
    begin(store, "written too", b"1")
    next_day(way)
    upload(DyingClient(store, way.listens_on, 999, True).client, store.bucket)
    assert [one["Key"] for one in store.open_uploads()] == ["written too"]


@pytest.mark.parametrize("refusal", [(403, "AccessDenied"), (501, "NotImplemented"), (500, "InternalError")])
@pytest.mark.usefixtures("five_mib_parts")
@pytest.mark.parametrize("store", ["seaweedfs"], indirect=True)
def test_uploads_that_cannot_be_listed_cost_one_request_and_a_log_line(store, way, caplog, refusal):
    caplog.set_level("INFO", "bucket_brigade")
    way.add(Fault("GET", "uploads", times=9, refusal=refusal))
    clerk = store.clerk(port=way.listens_on)
    clerk.upload_object(BODY, store.bucket, "written")
    assert store.bytes_of("written") == BODY
    assert [line.split()[0] for line in way.requests if "uploads" in line] == ["GET", "POST"]
    assert "could not be looked for" in caplog.text


@pytest.mark.parametrize("store", ["seaweedfs"], indirect=True)
def test_an_operation_in_one_request_does_not_list_open_uploads(store, way):
    clerk = store.clerk(port=way.listens_on)
    clerk.upload_object(b"1", store.bucket, "key")
    clerk.copy_object(store.bucket, "key", store.bucket, "written")
    assert [line.split()[0] for line in way.requests] == ["PUT", "HEAD", "PUT"]
