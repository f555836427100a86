import datetime

from moto.s3.models import s3_backends

from local.patches import s3_checksums, s3_copy
from tests.local.patching import ACCOUNT, patched

SOURCE = {"Bucket": "source", "Key": "key"}
TARGET = {"Bucket": "target", "Key": "key"}
TOMORROW = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
YESTERDAY = TOMORROW - datetime.timedelta(days=2)


def buckets_with_source(stage, body=b"new", **options):
    s3 = stage.s3("source", "target")
    s3.put_object(**SOURCE, Body=body, **options)
    return s3


def body_of(s3, **where):
    return s3.get_object(**where)["Body"].read()


@patched(s3_copy.check_conditions_of_copies)
def test_copy_if_none_match_onto_existing_object_is_refused(stage):
    s3 = buckets_with_source(stage)
    s3.put_object(**TARGET, Body=b"old")
    assert stage.refusal(s3.copy_object, **TARGET, CopySource=SOURCE, IfNoneMatch="*") == (412, "PreconditionFailed")
    assert body_of(s3, **TARGET) == b"old"


@patched()
def test_copy_if_none_match_onto_absent_object_is_made(stage):
    s3 = buckets_with_source(stage)
    s3.copy_object(**TARGET, CopySource=SOURCE, IfNoneMatch="*")
    assert body_of(s3, **TARGET) == b"new"


@patched()
def test_copy_if_none_match_onto_delete_marker_is_made(stage):
    s3 = stage.s3("source", "target", versioned=True)
    s3.put_object(**SOURCE, Body=b"new")
    s3.put_object(**TARGET, Body=b"old")
    s3.delete_object(**TARGET)
    s3.copy_object(**TARGET, CopySource=SOURCE, IfNoneMatch="*")
    assert body_of(s3, **TARGET) == b"new"


@patched(s3_copy.check_conditions_of_copies)
def test_copy_if_match_onto_another_object_is_refused(stage):
    s3 = buckets_with_source(stage)
    other = s3.put_object(**TARGET, Body=b"other")["ETag"]
    s3.put_object(**TARGET, Body=b"old")
    assert stage.refusal(s3.copy_object, **TARGET, CopySource=SOURCE, IfMatch=other) == (412, "PreconditionFailed")
    assert body_of(s3, **TARGET) == b"old"


@patched()
def test_copy_if_match_onto_the_matching_object_is_made(stage):
    s3 = buckets_with_source(stage)
    etag = s3.put_object(**TARGET, Body=b"old")["ETag"]
    s3.copy_object(**TARGET, CopySource=SOURCE, IfMatch=etag)
    assert body_of(s3, **TARGET) == b"new"


@patched(s3_copy.check_conditions_of_copies)
def test_copy_if_match_onto_absent_object_is_refused(stage):
    s3 = buckets_with_source(stage)
    assert stage.refusal(s3.copy_object, **TARGET, CopySource=SOURCE, IfMatch='"etag"') == (404, "NoSuchKey")


@patched(s3_copy.check_conditions_of_copies)
def test_copy_with_an_unmet_condition_on_its_source_is_refused(stage):
    s3 = buckets_with_source(stage)
    for condition in (
        {"CopySourceIfMatch": '"other"'},
        {"CopySourceIfModifiedSince": TOMORROW},
        {"CopySourceIfUnmodifiedSince": YESTERDAY},
        {"CopySourceIfNoneMatch": s3.head_object(**SOURCE)["ETag"]},
    ):
        assert stage.refusal(s3.copy_object, **TARGET, CopySource=SOURCE, **condition) == (412, "PreconditionFailed")


@patched()
def test_copy_with_met_conditions_on_its_source_is_made(stage):
    s3 = buckets_with_source(stage)
    etag = s3.head_object(**SOURCE)["ETag"]
    for condition in (
        {"CopySourceIfMatch": etag},
        {"CopySourceIfModifiedSince": YESTERDAY},
        {"CopySourceIfNoneMatch": '"other"'},
        {"CopySourceIfMatch": etag, "CopySourceIfUnmodifiedSince": YESTERDAY},
        {"CopySourceIfNoneMatch": '"other"', "CopySourceIfModifiedSince": TOMORROW},
    ):
        s3.copy_object(**TARGET, CopySource=SOURCE, **condition)
    assert body_of(s3, **TARGET) == b"new"


@patched()
def test_copy_of_a_version_copies_that_version(stage):
    s3 = stage.s3("source", "target", versioned=True)
    version = s3.put_object(**SOURCE, Body=b"first")["VersionId"]
    s3.put_object(**SOURCE, Body=b"second")
    answer = s3.copy_object(**TARGET, CopySource={**SOURCE, "VersionId": version})
    assert answer["CopySourceVersionId"] == version
    assert body_of(s3, **TARGET) == b"first"


@patched()
def test_copy_keeps_metadata_tags_and_content_type(stage):
    s3 = buckets_with_source(stage, Metadata={"a": "b"}, ContentType="text/plain", Tagging="x=y")
    s3.copy_object(**TARGET, CopySource=SOURCE)
    copy = s3.head_object(**TARGET)
    assert (copy["Metadata"], copy["ContentType"]) == ({"a": "b"}, "text/plain")
    assert s3.get_object_tagging(**TARGET)["TagSet"] == [{"Key": "x", "Value": "y"}]


@patched(s3_copy.replace_tags_on_copy)
def test_copy_over_tagged_object_has_only_the_tags_of_its_source(stage):
    s3 = buckets_with_source(stage, Tagging="new=1")
    s3.put_object(**TARGET, Body=b"old", Tagging="old=1")
    s3.copy_object(**TARGET, CopySource=SOURCE)
    assert s3.get_object_tagging(**TARGET)["TagSet"] == [{"Key": "new", "Value": "1"}]


@patched()
def test_copy_onto_itself_keeps_its_tags(stage):
    s3 = buckets_with_source(stage, Tagging="x=y")
    s3.copy_object(**SOURCE, CopySource=SOURCE, MetadataDirective="REPLACE", Metadata={"a": "b"})
    assert s3.get_object_tagging(**SOURCE)["TagSet"] == [{"Key": "x", "Value": "y"}]


@patched(s3_copy.refuse_copies_over_5_gb)
def test_copy_of_object_over_5_gb_is_refused(stage):
    s3 = buckets_with_source(stage)
    key = s3_backends[ACCOUNT]["aws"].get_object(**{"bucket_name": "source", "key_name": "key"})
    key.contentsize = s3_copy.COPY_SOURCE_LIMIT
    s3.copy_object(**TARGET, CopySource=SOURCE)
    key.contentsize += 1
    assert stage.refusal(s3.copy_object, **TARGET, CopySource=SOURCE) == (400, "InvalidRequest")


@patched(s3_copy.refuse_copies_of_archived_objects)
def test_copy_of_archived_object_is_refused(stage):
    s3 = buckets_with_source(stage, StorageClass="DEEP_ARCHIVE")
    assert stage.refusal(s3.copy_object, **TARGET, CopySource=SOURCE) == (403, "InvalidObjectState")


def begin_upload(s3, **options):
    return {**TARGET, "UploadId": s3.create_multipart_upload(**TARGET, **options)["UploadId"]}


@patched(s3_copy.refuse_part_copies_of_archived_objects)
def test_part_copy_of_archived_object_is_refused(stage):
    s3 = buckets_with_source(stage, StorageClass="GLACIER")
    part = {**begin_upload(s3), "PartNumber": 1}
    assert stage.refusal(s3.upload_part_copy, **part, CopySource=SOURCE) == (403, "InvalidObjectState")


@patched(s3_copy.refuse_part_copies_of_missing_objects)
def test_part_copy_of_missing_object_is_refused(stage):
    s3 = buckets_with_source(stage)
    part = {**begin_upload(s3), "PartNumber": 1}
    missing = {"Bucket": "source", "Key": "missing"}
    assert stage.refusal(s3.upload_part_copy, **part, CopySource=missing) == (404, "NoSuchKey")


@patched(s3_copy.check_conditions_of_part_copies)
def test_part_copy_with_an_unmet_condition_on_its_source_is_refused(stage):
    s3 = buckets_with_source(stage)
    part = {**begin_upload(s3), "PartNumber": 1}
    for condition in (
        {"CopySourceIfMatch": '"other"'},
        {"CopySourceIfNoneMatch": s3.head_object(**SOURCE)["ETag"]},
    ):
        assert stage.refusal(s3.upload_part_copy, **part, CopySource=SOURCE, **condition) == (412, "PreconditionFailed")


@patched(s3_copy.refuse_part_copies_beyond_the_end)
def test_part_copy_beyond_the_end_of_its_source_is_refused(stage):
    s3 = buckets_with_source(stage, body=b"0123456789")
    part = {**begin_upload(s3), "PartNumber": 1}
    s3.upload_part_copy(**part, CopySource=SOURCE, CopySourceRange="bytes=0-9")
    refused = stage.refusal(s3.upload_part_copy, **part, CopySource=SOURCE, CopySourceRange="bytes=0-10")
    assert refused == (400, "InvalidArgument")


@patched(s3_copy.check_conditions_of_completion)
def test_completed_upload_if_match_onto_another_object_is_refused(stage):
    s3 = buckets_with_source(stage)
    upload = begin_upload(s3)
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"part")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    s3.put_object(**TARGET, Body=b"old")
    refused = stage.refusal(s3.complete_multipart_upload, **upload, MultipartUpload=parts, IfMatch='"other"')
    assert refused == (412, "PreconditionFailed")
    assert body_of(s3, **TARGET) == b"old"


@patched(s3_checksums.recompute_checksums_of_copies, s3_checksums.set_checksum_type)
def test_copy_of_object_in_parts_has_checksum_of_the_whole(stage):
    s3 = buckets_with_source(stage)
    upload = {**SOURCE, "UploadId": s3.create_multipart_upload(**SOURCE, ChecksumAlgorithm="CRC32")["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"123456789")
    parts = [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    s3.copy_object(**TARGET, CopySource=SOURCE)
    copy = s3.head_object(**TARGET, ChecksumMode="ENABLED")
    # 0xCBF43926 is CRC-32's check value, that of "123456789".
    assert (copy["ChecksumCRC32"], copy["ChecksumType"]) == ("y/Q5Jg==", "FULL_OBJECT")
