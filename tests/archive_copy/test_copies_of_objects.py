"""The errors of earlier archive copiers, a test for each, and the cost of a copy.

I1 and I2: the source is only read, and the old object at the destination stays until the copy is whole. I8: a copy
stops before Lambda's deadline.
"""

import hashlib
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from local.patches.hooks import HOOKS
from tasks.archive_copy import handler as handler_module
from tasks.archive_copy.handler import CopyRequestError
from tasks.object_clerk.copies import CopyLimits
from tasks.object_clerk.parts import GIB, MIB
from tasks.object_clerk.races import _log_unknown_conditions
from tests.archive_copy.conftest import PROTECTED, PUBLIC, RESTORED
from tests.archive_copy.test_handler import body, context, failed_files, file, keys, put
from tests.support.events import s3_event, s3_record, sqs_event
from tests.support.tags import LONG, as_set, tags_at

HEADERS = {
    "ContentType": "application/x-hdf",
    "CacheControl": "max-age=60",
    "ContentDisposition": 'attachment; filename="a.hdf"',
    "ContentEncoding": "identity",
    "ContentLanguage": "en",
    "Expires": datetime(2030, 1, 1, tzinfo=UTC),
    "Metadata": {"mission": "aqua", "orbit": "42"},
}
TAGS = [{"Key": "project", "Value": "a b+c"}, {"Key": "state", "Value": "ready=1/2@x:y"}]


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


# The destination already holds an object.


def test_object_up_to_5_gb_with_nothing_at_its_destination_costs_one_request(archive, s3, wire):
    etag = put(s3, "a.hdf")["ETag"].strip('"')
    archive(s3_event(s3_record(RESTORED, "a.hdf", eTag=etag, size=5 * GIB)))
    assert wire.sent == ["CopyObject"]
    ((_, headers),) = wire.headers
    assert headers["If-None-Match"] in ("*", b"*")


def test_event_delivered_again_writes_nothing(archive, s3, wire):
    etag = put(s3, "a.hdf", **HEADERS, Tagging="a=b")["ETag"].strip('"')
    event = s3_event(s3_record(RESTORED, "a.hdf", eTag=etag))
    s3.put_bucket_versioning(Bucket=PROTECTED, VersioningConfiguration={"Status": "Enabled"})
    first, second = archive(event), archive(event)
    assert first == second == {"files": [file("a.hdf", PROTECTED)]}
    assert len(s3.list_object_versions(Bucket=PROTECTED)["Versions"]) == 1
    # The first copy, the second copy, which S3 refuses because of the object, and an observation of both sides.
    assert wire.sent[:2] == ["CopyObject", "CopyObject"]
    assert set(wire.sent[2:]) == {"HeadObject", "GetObjectTagging", "ListObjectAnnotations"}


def test_event_delivered_again_for_an_object_uploaded_in_parts_writes_nothing(archive, s3):
    # Its ETag is no MD5 and its copy has another ETag, so only a comparison of the bytes shows that both are equal.
    upload = s3.create_multipart_upload(Bucket=RESTORED, Key="a.hdf")["UploadId"]
    where = {"Bucket": RESTORED, "Key": "a.hdf", "UploadId": upload}
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**where, PartNumber=n, Body=bytes([n]) * 5 * MIB)["ETag"]}
        for n in (1, 2)
    ]
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    s3.put_bucket_versioning(Bucket=PROTECTED, VersioningConfiguration={"Status": "Enabled"})
    event = s3_event(s3_record(RESTORED, "a.hdf"))
    archive(event)
    archive(event)
    assert len(s3.list_object_versions(Bucket=PROTECTED)["Versions"]) == 1


def test_event_delivered_again_after_the_source_is_gone_is_done(archive, s3):
    etag = put(s3, "a.hdf")["ETag"].strip('"')
    event = s3_event(s3_record(RESTORED, "a.hdf", eTag=etag))
    archive(event)
    s3.delete_object(Bucket=RESTORED, Key="a.hdf")
    assert archive(event) == {"files": [file("a.hdf", PROTECTED)]}


def test_other_object_at_the_destination_is_replaced_by_compare_and_swap(archive, s3, wire):
    old = s3.put_object(Bucket=PROTECTED, Key="a.hdf", Body=b"old")["ETag"]
    put(s3, "a.hdf", Body=b"new")
    archive(s3_event(s3_record(RESTORED, "a.hdf")))
    assert body(s3, PROTECTED, "a.hdf") == b"new"
    conditions = [headers.get("If-Match") for operation, headers in wire.headers if operation == "CopyObject"]
    assert [c.decode() if isinstance(c, bytes) else c for c in conditions] == [None, old]


def test_object_written_between_observation_and_copy_is_observed_again(archive, s3, wire):
    s3.put_object(Bucket=PROTECTED, Key="a.hdf", Body=b"old")
    put(s3, "a.hdf", Body=b"new")
    writes = iter([None, b"another writer's"])

    def interfere(operation):
        if operation == "CopyObject" and (late := next(writes, None)):
            s3.put_object(Bucket=PROTECTED, Key="a.hdf", Body=late)

    wire.before.append(interfere)
    assert archive(s3_event(s3_record(RESTORED, "a.hdf"))) == {"files": [file("a.hdf", PROTECTED)]}
    assert body(s3, PROTECTED, "a.hdf") == b"new"
    assert wire.count("CopyObject") == 3


def test_race_lost_inside_an_answer_of_status_200_is_observed_again(archive, s3, wire):
    put(s3, "a.hdf")
    HOOKS.faults.add("CopyObject", times=1, status=200, code="PreconditionFailed")
    assert archive(s3_event(s3_record(RESTORED, "a.hdf"))) == {"files": [file("a.hdf", PROTECTED)]}
    assert wire.sent == ["CopyObject", "HeadObject", "HeadObject", "CopyObject"]


def test_key_with_constant_writes_of_others_fails_and_comes_back(archive, s3, wire):
    s3.put_object(Bucket=PROTECTED, Key="a.hdf", Body=b"old")
    put(s3, "a.hdf", Body=b"new")
    count = iter(range(1000))

    def interfere(operation):
        if operation == "CopyObject":
            s3.put_object(Bucket=PROTECTED, Key="a.hdf", Body=f"other {next(count)}".encode())

    wire.before.append(interfere)
    failed = failed_files(archive, s3_event(s3_record(RESTORED, "a.hdf")))
    assert "other writers got in between 5 times in a row" in failed[0]["err_msg"]


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


def test_destination_deleted_between_observation_and_copy_is_observed_again(archive, s3, wire):
    s3.put_object(Bucket=PROTECTED, Key="a.hdf", Body=b"old")
    put(s3, "a.hdf", Body=b"new")
    copies = iter([None, s3.delete_object])

    def interfere(operation):
        if operation == "CopyObject" and (delete := next(copies, None)):
            delete(Bucket=PROTECTED, Key="a.hdf")

    wire.before.append(interfere)
    assert archive(s3_event(s3_record(RESTORED, "a.hdf"))) == {"files": [file("a.hdf", PROTECTED)]}
    assert body(s3, PROTECTED, "a.hdf") == b"new"


@pytest.mark.parametrize("operation", ["CopyObject", "HeadObject"])
def test_event_delivered_again_after_the_source_is_gone_is_done_whatever_s3_checks_first(archive, s3, wire, operation):
    etag = put(s3, "a.hdf")["ETag"].strip('"')
    event = s3_event(s3_record(RESTORED, "a.hdf", eTag=etag))
    archive(event)
    s3.delete_object(Bucket=RESTORED, Key="a.hdf")
    if operation == "CopyObject":
        wire.fail("CopyObject", (404, "NoSuchKey"))
    assert archive(event) == {"files": [file("a.hdf", PROTECTED)]}


@pytest.mark.parametrize("differing", [{"Metadata": {"mission": "terra"}}, {"ContentType": "text/plain"}])
def test_object_with_the_same_bytes_and_other_headers_is_replaced(archive, s3, differing):
    put(s3, "a.hdf", Body=b"same", **HEADERS)
    s3.put_object(Bucket=PROTECTED, Key="a.hdf", Body=b"same", **{**HEADERS, **differing})
    archive(s3_event(s3_record(RESTORED, "a.hdf")))
    copy = s3.head_object(Bucket=PROTECTED, Key="a.hdf")
    assert {name: copy.get(name) for name in HEADERS} == HEADERS


def test_server_without_conditional_copies_is_observed_first(archive, s3, wire, capsys):
    # A process logs it once, and another test may have caused that line.
    _log_unknown_conditions.cache_clear()
    put(s3, "a.hdf", Body=b"new")
    wire.fail("CopyObject", (501, "NotImplemented"), times=2)
    assert archive(s3_event(s3_record(RESTORED, "a.hdf"))) == {"files": [file("a.hdf", PROTECTED)]}
    assert wire.sent == ["CopyObject", "HeadObject", "HeadObject", "CopyObject", "CopyObject"]
    assert body(s3, PROTECTED, "a.hdf") == b"new"
    archive(s3_event(s3_record(RESTORED, "a.hdf")))
    assert capsys.readouterr().out.count("does not know conditional writes") == 1


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


# Objects over 5 GiB, with a lower limit that a test can reach.


@pytest.fixture(name="large_from_6_mib")
def archive_with_a_low_limit(archive, monkeypatch):
    limits = CopyLimits(single=6 * MIB - 1, part_size=5 * MIB, workers=1)
    monkeypatch.setattr(handler_module, "CopyLimits", partial(replace, limits))
    return archive


CONTENT = bytes(range(256)) * 4096 * 12  # 12 MiB: three parts of at most 5 MiB


def test_object_over_the_limit_is_copied_in_parts_with_all_its_attributes(large_from_6_mib, s3, wire):
    put(s3, "a.hdf", Body=CONTENT, **HEADERS, Tagging="project=a+b%2Bc&state=ready%3D1%2F2%40x%3Ay")
    answer = large_from_6_mib(s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT))))
    assert answer == {"files": [file("a.hdf", PROTECTED)]}
    assert body(s3, PROTECTED, "a.hdf") == CONTENT
    assert_dressed_like_the_source(s3, "a.hdf")
    assert (wire.count("CopyObject"), wire.count("UploadPartCopy")) == (0, 3)


def test_object_of_unknown_size_over_the_limit_is_copied_in_parts_too(large_from_6_mib, s3, wire):
    put(s3, "a.hdf", Body=CONTENT)
    too_large = "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"
    wire.fail("CopyObject", (400, "InvalidRequest", too_large))
    large_from_6_mib(s3_event(s3_record(RESTORED, "a.hdf")))
    assert body(s3, PROTECTED, "a.hdf") == CONTENT
    assert wire.count("UploadPartCopy") == 3


def test_source_overwritten_during_a_copy_in_parts_never_gives_a_mixture(large_from_6_mib, s3, wire):
    put(s3, "a.hdf", Body=CONTENT)
    overwrite_at = iter([False, True])

    def interfere(operation):
        if operation == "UploadPartCopy" and next(overwrite_at, False):
            put(s3, "a.hdf", Body=CONTENT[::-1])

    wire.before.append(interfere)
    assert large_from_6_mib(s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT))))["files"][0]["success"]
    assert body(s3, PROTECTED, "a.hdf") == CONTENT[::-1]
    assert_no_upload_open(s3)


def test_version_overwritten_during_a_copy_in_parts_is_copied_as_it_was(large_from_6_mib, s3, wire):
    s3.put_bucket_versioning(Bucket=RESTORED, VersioningConfiguration={"Status": "Enabled"})
    version = put(s3, "a.hdf", Body=CONTENT)["VersionId"]
    wire.before.append(lambda operation: operation == "UploadPartCopy" and put(s3, "a.hdf", Body=b"newer"))
    large_from_6_mib(s3_event(s3_record(RESTORED, "a.hdf", version_id=version, size=len(CONTENT))))
    assert body(s3, PROTECTED, "a.hdf") == CONTENT


@pytest.mark.parametrize("operation", ["UploadPartCopy", "CompleteMultipartUpload", "CreateMultipartUpload"])
@pytest.mark.parametrize("error", [(403, "AccessDenied"), (503, "SlowDown")])
@pytest.mark.usefixtures("clock")
def test_copy_in_parts_that_fails_is_aborted_and_leaves_the_old_object(large_from_6_mib, s3, wire, operation, error):
    s3.put_object(Bucket=PROTECTED, Key="a.hdf", Body=b"old")
    put(s3, "a.hdf", Body=CONTENT)
    wire.fail(operation, error, times=999)
    failed = failed_files(large_from_6_mib, s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT))))
    assert error[1] in failed[0]["err_msg"]
    assert body(s3, PROTECTED, "a.hdf") == b"old"
    assert_no_upload_open(s3)


def test_copy_in_parts_delivered_again_writes_nothing(large_from_6_mib, s3, wire):
    put(s3, "a.hdf", Body=CONTENT)
    event = s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT)))
    large_from_6_mib(event)
    wire.sent.clear()
    large_from_6_mib(event)
    assert {"UploadPartCopy", "CreateMultipartUpload", "CopyObject"}.isdisjoint(wire.sent)


def test_upload_that_cannot_be_aborted_is_logged_and_the_first_error_is_raised(large_from_6_mib, s3, wire, capsys):
    put(s3, "a.hdf", Body=CONTENT)
    wire.fail("UploadPartCopy", (403, "AccessDenied"), times=9)
    wire.fail("AbortMultipartUpload", (403, "AccessDenied"), times=9)
    failed = failed_files(large_from_6_mib, s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT))))
    assert failed[0]["err_msg"].startswith("upload_part_copy")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "a multipart upload could not be aborted" in [line.get("message") for line in lines]


@pytest.mark.parametrize("minutes, is_left", [(15, True), (17, False)])
def test_upload_of_an_invocation_that_was_killed_is_aborted_by_the_next(large_from_6_mib, s3, wire, minutes, is_left):
    put(s3, "a.hdf", Body=CONTENT)
    s3.create_multipart_upload(Bucket=PROTECTED, Key="a.hdf")

    def so_much_later(answer):
        now = datetime.now(UTC) + timedelta(minutes=minutes)
        answer["ResponseMetadata"]["HTTPHeaders"]["date"] = format_datetime(now, usegmt=True)

    wire.answer_with("ListMultipartUploads", so_much_later)
    large_from_6_mib(s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT))))
    assert body(s3, PROTECTED, "a.hdf") == CONTENT
    assert bool(s3.list_multipart_uploads(Bucket=PROTECTED).get("Uploads")) is is_left


def test_copy_in_parts_stops_at_the_deadline_and_is_aborted(large_from_6_mib, s3, wire, monkeypatch):
    put(s3, "a.hdf", Body=CONTENT)
    clock = [0.0]
    monkeypatch.setattr("tasks.utils.deadline.monotonic", lambda: clock[0])
    wire.answer_with("UploadPartCopy", lambda _: clock.append(clock.pop() + 30))
    with pytest.raises(CopyRequestError, match="time ran out before part"):
        large_from_6_mib(s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT))), context(35))
    assert keys(s3, PROTECTED) == []
    assert_no_upload_open(s3)


def test_copy_in_parts_is_published_only_if_nobody_wrote_there_meanwhile(large_from_6_mib, s3, wire):
    put(s3, "a.hdf", Body=CONTENT)
    others = iter([b"another writer's"])

    def interfere(operation):
        if operation == "CompleteMultipartUpload" and (late := next(others, None)):
            s3.put_object(Bucket=PROTECTED, Key="a.hdf", Body=late)

    s3.put_bucket_versioning(Bucket=PROTECTED, VersioningConfiguration={"Status": "Enabled"})
    wire.before.append(interfere)
    large_from_6_mib(s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT))))
    # S3 refused the first completion; the second replaced the observed object.
    assert wire.count("CompleteMultipartUpload") == 2
    assert body(s3, PROTECTED, "a.hdf") == CONTENT
    assert_no_upload_open(s3)


def test_copy_in_parts_replaces_only_the_object_that_it_observed(large_from_6_mib, s3, wire):
    s3.put_object(Bucket=PROTECTED, Key="a.hdf", Body=b"old")
    put(s3, "a.hdf", Body=CONTENT)
    writes = iter(
        [
            lambda: s3.put_object(Bucket=PROTECTED, Key="a.hdf", Body=b"late"),
            lambda: s3.delete_object(Bucket=PROTECTED, Key="a.hdf"),
        ]
    )
    wire.before.append(lambda operation: operation == "CompleteMultipartUpload" and next(writes, lambda: None)())
    large_from_6_mib(s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT))))
    assert wire.count("CompleteMultipartUpload") == 3
    assert body(s3, PROTECTED, "a.hdf") == CONTENT


def test_copy_in_parts_names_the_sources_checksum_and_size_for_s3_to_check(large_from_6_mib, s3, wire):
    put(s3, "a.hdf", Body=CONTENT, ChecksumAlgorithm="CRC32")
    checksum = s3.head_object(Bucket=RESTORED, Key="a.hdf", ChecksumMode="ENABLED")["ChecksumCRC32"]
    large_from_6_mib(s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT))))
    (headers,) = [headers for operation, headers in wire.headers if operation == "CompleteMultipartUpload"]
    sent = {name.lower(): value.decode() if isinstance(value, bytes) else str(value) for name, value in headers.items()}
    assert sent["x-amz-checksum-crc32"] == checksum
    assert sent["x-amz-checksum-type"] == "FULL_OBJECT"
    assert sent["x-amz-mp-object-size"] == str(len(CONTENT))


def test_copy_of_an_object_uploaded_in_parts_is_cut_as_it_was_and_gets_its_etag(large_from_6_mib, s3, wire):
    where = {"Bucket": RESTORED, "Key": "a.hdf"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    pieces = [CONTENT[: 7 * MIB], CONTENT[7 * MIB :]]
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=piece)["ETag"]}
        for number, piece in enumerate(pieces, start=1)
    ]
    etag = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})["ETag"]
    event = s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT), eTag=etag.strip('"')))
    large_from_6_mib(event)
    assert s3.head_object(Bucket=PROTECTED, Key="a.hdf")["ETag"] == etag
    wire.sent.clear()
    large_from_6_mib(event)
    # Nothing is written and no bytes are read: the ETags are equal.
    assert set(wire.sent) <= {"HeadObject", "GetObjectTagging", "ListObjectAnnotations"}


@pytest.mark.parametrize("keeps_versions", [False, True])
def test_tags_too_long_for_a_header_come_along_in_parts(large_from_6_mib, s3, wire, keeps_versions):
    if keeps_versions:
        s3.put_bucket_versioning(Bucket=PROTECTED, VersioningConfiguration={"Status": "Enabled"})
    put(s3, "a.hdf", Body=CONTENT, **HEADERS)
    s3.put_object_tagging(Bucket=RESTORED, Key="a.hdf", Tagging=as_set(LONG))
    event = s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT)))
    large_from_6_mib(event)
    assert tags_at(s3, Bucket=PROTECTED, Key="a.hdf") == LONG
    wire.sent.clear()
    large_from_6_mib(event)
    # Both sides are compared, and nothing is written.
    assert set(wire.sent) <= {"HeadObject", "GetObjectTagging", "ListObjectAnnotations"}


def test_copy_whose_tags_are_refused_stays_and_only_its_tags_are_tried_again(large_from_6_mib, s3, wire):
    put(s3, "a.hdf", Body=CONTENT)
    s3.put_object_tagging(Bucket=RESTORED, Key="a.hdf", Tagging=as_set(LONG))
    event = s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT)))
    HOOKS.faults.add("PutObjectTagging", times=2, status=403, code="AccessDenied")
    for tried in range(2):
        wire.sent.clear()
        (failed,) = failed_files(large_from_6_mib, event)
        assert "put_object_tagging" in failed["err_msg"] and "AccessDenied" in failed["err_msg"]
        assert body(s3, PROTECTED, "a.hdf") == CONTENT
        assert wire.count("CreateMultipartUpload") == (0 if tried else 1)
    large_from_6_mib(event)
    assert tags_at(s3, Bucket=PROTECTED, Key="a.hdf") == LONG


@pytest.mark.parametrize("theirs, ours", [("a=b", ""), ("a=b", "a=c"), ("", "a=b"), ("a=b&c=d", "a=b")])
def test_equal_object_with_other_tags_gets_only_its_tags(archive, s3, wire, theirs, ours):
    put(s3, "a.hdf", Body=b"same", **HEADERS, Tagging=theirs)
    there = s3.put_object(Bucket=PROTECTED, Key="a.hdf", Body=b"same", **HEADERS, Tagging=ours)
    s3.put_bucket_versioning(Bucket=PROTECTED, VersioningConfiguration={"Status": "Enabled"})
    archive(s3_event(s3_record(RESTORED, "a.hdf")))
    where = {"Key": "a.hdf"}
    assert tags_at(s3, Bucket=PROTECTED, **where) == tags_at(s3, Bucket=RESTORED, **where)
    assert s3.head_object(Bucket=PROTECTED, **where)["ETag"] == there["ETag"]
    assert [one["VersionId"] for one in s3.list_object_versions(Bucket=PROTECTED)["Versions"]] == ["null"]
    assert wire.count("PutObjectTagging") == 1


def test_upload_that_vanished_during_a_copy_in_parts_starts_again(large_from_6_mib, s3, wire):
    put(s3, "a.hdf", Body=CONTENT)
    wire.fail("UploadPartCopy", (404, "NoSuchUpload"))
    large_from_6_mib(s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT))))
    assert body(s3, PROTECTED, "a.hdf") == CONTENT


def assert_dressed_like_the_source(s3, key):
    copy = s3.head_object(Bucket=PROTECTED, Key=key)
    assert {name: copy.get(name) for name in HEADERS} == HEADERS
    assert sorted(s3.get_object_tagging(Bucket=PROTECTED, Key=key)["TagSet"], key=lambda tag: tag["Key"]) == TAGS


def assert_no_upload_open(s3):
    assert s3.list_multipart_uploads(Bucket=PROTECTED).get("Uploads", []) == []


def record_sleeps(monkeypatch):
    slept = []
    monkeypatch.setattr("tasks.utils.retry.sleep", slept.append)
    return slept


# Annotations.


def annotate(s3, key, **notes):
    for name, payload in notes.items():
        s3.put_object_annotation(Bucket=RESTORED, Key=key, AnnotationName=name, AnnotationPayload=payload)


def notes_of(s3, key):
    where = {"Bucket": PROTECTED, "Key": key}
    names = [one["AnnotationName"] for one in s3.list_object_annotations(**where).get("Annotations", [])]
    found = {name: s3.get_object_annotation(**where, AnnotationName=name) for name in names}
    return {name: answer["AnnotationPayload"].read() for name, answer in found.items()}


def test_annotations_go_along_in_the_one_request(archive, s3, wire):
    put(s3, "a.hdf")
    annotate(s3, "a.hdf", note=b"{}")
    wire.sent.clear()
    archive(s3_event(s3_record(RESTORED, "a.hdf")))
    assert wire.sent == ["CopyObject"]
    assert notes_of(s3, "a.hdf") == {"note": b"{}"}


def test_annotations_go_along_in_parts(large_from_6_mib, s3):
    s3.put_object(Bucket=RESTORED, Key="a.hdf", Body=CONTENT)
    annotate(s3, "a.hdf", note=b"{}")
    large_from_6_mib(s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT))))
    assert notes_of(s3, "a.hdf") == {"note": b"{}"}


def test_annotations_that_an_interrupted_copy_left_come_with_the_next_delivery(large_from_6_mib, s3, wire):
    s3.put_object(Bucket=RESTORED, Key="a.hdf", Body=CONTENT)
    annotate(s3, "a.hdf", note=b"{}")
    event = s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT)))
    wire.fail("PutObjectAnnotation", (403, "AccessDenied"))
    failed = failed_files(large_from_6_mib, event)
    assert "s3:PutObjectAnnotation" in failed[0]["err_msg"]
    large_from_6_mib(event)
    assert notes_of(s3, "a.hdf") == {"note": b"{}"}


def test_ignored_annotations_are_not_copied_and_are_logged(archive, environment, s3, wire, capsys):
    environment(ANNOTATIONS="ignore")
    put(s3, "a.hdf")
    annotate(s3, "a.hdf", note=b"{}")
    wire.sent.clear()
    archive(s3_event(s3_record(RESTORED, "a.hdf")))
    assert (wire.sent, notes_of(s3, "a.hdf")) == (["CopyObject", *wire.sent[1:]], {})
    assert '"not_carried":["annotations"]' in capsys.readouterr().out


def test_refused_copy_names_the_permissions_for_annotations(archive, s3, wire):
    put(s3, "a.hdf")
    wire.fail("CopyObject", (403, "AccessDenied"))
    failed = failed_files(archive, s3_event(s3_record(RESTORED, "a.hdf")))
    assert "s3:GetObjectAnnotation" in failed[0]["err_msg"] and "s3:PutObjectAnnotation" in failed[0]["err_msg"]
