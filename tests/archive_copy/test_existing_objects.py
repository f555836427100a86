"""The destination already holds an object, or another writer writes one during the copy.

I2: the old object stays until the copy is whole.
"""

import pytest

from local.patches.hooks import HOOKS
from tasks.object_clerk.parts import GIB, MIB
from tasks.object_clerk.races import _log_unknown_conditions
from tests.archive_copy.conftest import PROTECTED, RESTORED
from tests.archive_copy.outcomes import body, failed_files, file, put
from tests.archive_copy.source_objects import HEADERS
from tests.support.events import s3_event, s3_record
from tests.support.tags import tags_at


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
