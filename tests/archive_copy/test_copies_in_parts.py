"""Objects over 5 GiB, with a lower limit that a test can reach.

I1 and I2: the source is only read, and the old object at the destination stays until the copy is whole. I8: a copy
stops before Lambda's deadline.
"""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from local.patches.hooks import HOOKS
from tasks.archive_copy.handler import CopyRequestError
from tasks.object_clerk.parts import MIB
from tests.archive_copy.conftest import PROTECTED, RESTORED
from tests.archive_copy.outcomes import body, context, failed_files, file, keys, put
from tests.archive_copy.source_objects import CONTENT, HEADERS, assert_dressed_like_the_source
from tests.support.events import s3_event, s3_record
from tests.support.tags import LONG, as_set, tags_at


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


def test_copy_in_parts_is_published_only_without_another_write_meanwhile(large_from_6_mib, s3, wire):
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


def test_upload_that_vanished_during_a_copy_in_parts_starts_again(large_from_6_mib, s3, wire):
    put(s3, "a.hdf", Body=CONTENT)
    wire.fail("UploadPartCopy", (404, "NoSuchUpload"))
    large_from_6_mib(s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT))))
    assert body(s3, PROTECTED, "a.hdf") == CONTENT


def assert_no_upload_open(s3):
    assert s3.list_multipart_uploads(Bucket=PROTECTED).get("Uploads", []) == []
