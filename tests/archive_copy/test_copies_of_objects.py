"""The errors of earlier archive copiers, a test for each, and the cost of a copy.

I1: the source is only read. I8: a copy stops before Lambda's deadline.
"""

import hashlib
import threading

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from tasks.archive_copy import handler as handler_module
from tasks.archive_copy.handler import CopyRequestError
from tests.archive_copy.conftest import PROTECTED, PUBLIC, RESTORED
from tests.archive_copy.outcomes import body, context, failed_files, file, keys, put
from tests.archive_copy.source_objects import HEADERS, assert_dressed_like_the_source
from tests.support.events import s3_event, s3_record, sqs_event


def test_key_is_decoded_before_it_is_copied(archive, s3):
    key = "granules/a+b é.txt"
    put(s3, key)
    event = s3_event(s3_record(RESTORED, key))
    event["Records"][0]["s3"]["object"]["key"] = "granules/a%2Bb+%C3%A9.txt"
    assert archive(event) == {"files": [file(key, PUBLIC)]}
    assert keys(s3, PUBLIC) == [key]


def test_metadata_headers_and_tags_come_along(archive, s3):
    put(s3, "a.hdf", **HEADERS, Tagging="project=a+b%2Bc&state=ready%3D1%2F2%40x%3Ay")
    archive(s3_event(s3_record(RESTORED, "a.hdf")))
    assert_dressed_like_the_source(s3, "a.hdf")


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://s3"),
        ConnectTimeoutError(endpoint_url="https://s3"),
        ReadTimeoutError(endpoint_url="https://s3"),
        (500, "InternalError"),
        (503, "SlowDown"),
        (400, "RequestTimeout"),
        (409, "ConditionalRequestConflict"),
        (429, "TooManyRequests"),
    ],
    ids=str,
)
def test_failure_that_may_pass_is_tried_again(archive, s3, wire, error):
    put(s3, "a.hdf")
    wire.fail("CopyObject", error, times=2)
    assert archive(s3_event(s3_record(RESTORED, "a.hdf"))) == {"files": [file("a.hdf", PROTECTED)]}
    assert wire.count("CopyObject") == 3


@pytest.mark.parametrize(
    "error", [(403, "AccessDenied"), (404, "NoSuchKey"), (404, "NoSuchBucket"), (400, "InvalidTag")], ids=str
)
def test_failure_that_stays_is_not_tried_again(archive, s3, wire, error):
    put(s3, "a.hdf")
    wire.fail("CopyObject", error, times=99)
    failed = failed_files(archive, s3_event(s3_record(RESTORED, "a.hdf")))
    assert error[1] in failed[0]["err_msg"]
    assert wire.sent == ["CopyObject"]


def test_object_that_is_not_restored_fails_with_that_reason(archive, s3, wire):
    put(s3, "a.hdf", StorageClass="DEEP_ARCHIVE")
    failed = failed_files(archive, s3_event(s3_record(RESTORED, "a.hdf")))
    assert "InvalidObjectState" in failed[0]["err_msg"]
    assert wire.sent == ["CopyObject"]


def test_no_wait_follows_the_last_copy(archive, environment, s3, monkeypatch):
    environment(copy_retry_sleep_secs="60")
    slept = record_sleeps(monkeypatch)
    put(s3, "a.hdf")
    archive(s3_event(s3_record(RESTORED, "a.hdf")))
    assert not slept


def test_waits_between_attempts_grow_and_vary(archive, environment, s3, wire, monkeypatch):
    environment(copy_retries="5", copy_retry_sleep_secs="1")
    slept = record_sleeps(monkeypatch)
    put(s3, "a.hdf")
    wire.fail("CopyObject", (503, "SlowDown"), times=4)
    archive(s3_event(s3_record(RESTORED, "a.hdf")))
    # 1, 2, 4, 8 seconds and up to half a second of jitter on each.
    assert [int(wait) for wait in slept] == [1, 2, 4, 8]
    assert all(wait - int(wait) <= 0.5 for wait in slept)
    assert len({wait - int(wait) for wait in slept}) > 1


def test_no_attempt_is_waited_for_that_the_deadline_would_cut_off(archive, environment, s3, wire, monkeypatch):
    environment(copy_retries="10", copy_retry_sleep_secs="30")
    slept = record_sleeps(monkeypatch)
    put(s3, "a.hdf")
    wire.fail("CopyObject", (503, "SlowDown"), times=99)
    with pytest.raises(CopyRequestError, match="SlowDown"):
        archive(s3_event(s3_record(RESTORED, "a.hdf")), context(20))
    assert (slept, wire.count("CopyObject")) == ([], 1)


def test_version_that_was_restored_is_copied_although_the_object_was_overwritten(archive, s3):
    s3.put_bucket_versioning(Bucket=RESTORED, VersioningConfiguration={"Status": "Enabled"})
    restored = put(s3, "a.hdf", Body=b"restored")["VersionId"]
    put(s3, "a.hdf", Body=b"newer")
    archive(s3_event(s3_record(RESTORED, "a.hdf", version_id=restored)))
    assert body(s3, PROTECTED, "a.hdf") == b"restored"


def test_object_that_took_the_place_of_the_restored_one_is_not_copied(archive, s3):
    etag = put(s3, "a.hdf", Body=b"restored")["ETag"].strip('"')
    put(s3, "a.hdf", Body=b"newer")
    failed = failed_files(archive, s3_event(s3_record(RESTORED, "a.hdf", eTag=etag)))
    assert "another object has taken the source's place" in failed[0]["err_msg"]
    assert keys(s3, PROTECTED) == []


# Verification, and writes of others during a copy.


def test_copy_with_another_md5_than_its_source_fails(archive, s3, wire):
    etag = put(s3, "a.hdf", Body=b"as it is")["ETag"].strip('"')

    def damage(operation):
        if operation == "HeadObject" and not damaged:
            damaged.append(s3.put_object(Bucket=PROTECTED, Key="a.hdf", Body=b"as it iz"))

    damaged = []
    wire.answer_with("CopyObject", lambda answer: answer["CopyObjectResult"].update(ETag=damaged_etag(b"as it iz")))
    wire.before.append(damage)
    failed = failed_files(archive, s3_event(s3_record(RESTORED, "a.hdf", eTag=etag)))
    assert "the copy is not what the source is" in failed[0]["err_msg"]


def damaged_etag(content):
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def test_source_overwritten_right_after_a_correct_copy_is_no_damage(archive, s3, wire):
    etag = put(s3, "a.hdf", Body=b"restored")["ETag"].strip('"')
    # Like that of an encrypted source: its ETag has the shape of an MD5, and is none.
    wire.answer_with("CopyObject", lambda answer: answer["CopyObjectResult"].update(ETag=f'"{"0" * 32}"'))
    wire.before.append(lambda operation: operation == "HeadObject" and put(s3, "a.hdf", Body=b"newer"))
    assert archive(s3_event(s3_record(RESTORED, "a.hdf", eTag=etag))) == {"files": [file("a.hdf", PROTECTED)]}
    assert body(s3, PROTECTED, "a.hdf") == b"restored"


def test_copy_encrypted_by_kms_costs_one_request_too(archive, s3, wire):
    encryption = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket=PROTECTED, ServerSideEncryptionConfiguration={"Rules": [encryption]})
    etag = put(s3, "a.hdf")["ETag"].strip('"')

    def as_kms_does(answer):
        answer.update(ServerSideEncryption="aws:kms", SSEKMSKeyId="key")
        answer["CopyObjectResult"]["ETag"] = f'"{"0" * 32}"'

    wire.answer_with("CopyObject", as_kms_does)
    archive(s3_event(s3_record(RESTORED, "a.hdf", eTag=etag)))
    assert wire.sent == ["CopyObject"]


def test_objects_of_a_direct_event_and_of_a_batch_are_copied_in_parallel(archive, environment, s3, wire):
    environment(COPY_CONCURRENCY="4")
    together = threading.Barrier(4, timeout=20)
    wire.before.append(lambda operation: operation == "CopyObject" and together.wait())
    records = [s3_record(RESTORED, f"{number}.hdf") for number in range(4)]
    for number in range(4):
        put(s3, f"{number}.hdf")
    assert len(archive(s3_event(*records))["files"]) == 4
    for number in range(4):
        s3.delete_object(Bucket=PROTECTED, Key=f"{number}.hdf")
    assert archive(sqs_event(*map(s3_event, records))) == {"batchItemFailures": []}


def test_no_more_objects_are_copied_at_once_than_allowed(archive, environment, s3, wire):
    environment(COPY_CONCURRENCY="2")
    running, most = [], []

    def enter(operation):
        running.append(operation)
        most.append(len(running))

    wire.before.append(enter)
    wire.answer_with("CopyObject", lambda _: running.pop())
    records = [s3_record(RESTORED, f"{number}.hdf") for number in range(6)]
    for number in range(6):
        put(s3, f"{number}.hdf")
    archive(s3_event(*records))
    assert max(most) <= 2


def test_botocore_makes_each_request_once(archive):
    archive({"Event": "s3:TestEvent"})
    assert handler_module.container().archiver.s3.meta.config.retries["total_max_attempts"] == 1


def record_sleeps(monkeypatch):
    slept = []
    monkeypatch.setattr("tasks.utils.retry.sleep", slept.append)
    return slept
