from moto.s3.models import s3_backends

from local.patches import s3_limits
from tests.local.patching import ACCOUNT, patched

UNKNOWN = {"Bucket": "bucket", "Key": "key", "UploadId": "unknown"}


@patched(s3_limits.refuse_long_keys)
def test_key_over_1024_bytes_is_refused(stage):
    s3 = stage.s3("bucket")
    # Two bytes each, because the limit counts bytes.
    s3.put_object(Bucket="bucket", Key="é" * 512, Body=b"")
    assert stage.refusal(s3.put_object, Bucket="bucket", Key="é" * 512 + "a", Body=b"") == (400, "KeyTooLongError")


@patched(s3_limits.refuse_large_metadata)
def test_metadata_over_2_kb_is_refused(stage):
    s3 = stage.s3("bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"", Metadata={"name": "v" * 2044})
    refused = stage.refusal(s3.put_object, Bucket="bucket", Key="key", Body=b"", Metadata={"name": "v" * 2045})
    assert refused == (400, "MetadataTooLarge")


@patched(s3_limits.refuse_large_headers)
def test_headers_over_8_kb_are_refused(stage):
    s3 = stage.s3("bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"", CacheControl="v" * 7000)
    refused = stage.refusal(s3.put_object, Bucket="bucket", Key="key", Body=b"", CacheControl="v" * 8192)
    assert refused == (400, "RequestHeaderSectionTooLarge")


@patched(s3_limits.refuse_many_deletes)
def test_delete_of_1001_keys_is_refused(stage):
    s3 = stage.s3("bucket")
    keys = [{"Key": str(number)} for number in range(1001)]
    s3.delete_objects(Bucket="bucket", Delete={"Objects": keys[:1000]})
    assert stage.refusal(s3.delete_objects, Bucket="bucket", Delete={"Objects": keys}) == (400, "MalformedXML")


@patched(s3_limits.limit_page_size)
def test_page_of_a_listing_has_at_most_1000_keys(stage):
    s3 = stage.s3("bucket")
    for number in range(1001):
        s3_backends[ACCOUNT]["aws"].put_object("bucket", str(number), b"")
    for listing in (s3.list_objects_v2, s3.list_objects):
        page = listing(Bucket="bucket", MaxKeys=5000)
        assert (len(page["Contents"]), page["IsTruncated"]) == (1000, True)


@patched(s3_limits.refuse_parts_of_unknown_uploads)
def test_part_of_unknown_upload_is_refused(stage):
    s3 = stage.s3("bucket")
    assert stage.refusal(s3.upload_part, **UNKNOWN, PartNumber=1, Body=b"") == (404, "NoSuchUpload")


@patched(s3_limits.refuse_part_copies_of_unknown_uploads)
def test_part_copy_of_unknown_upload_is_refused(stage):
    s3 = stage.s3("bucket")
    s3.put_object(Bucket="bucket", Key="source", Body=b"1")
    source = {"Bucket": "bucket", "Key": "source"}
    assert stage.refusal(s3.upload_part_copy, **UNKNOWN, PartNumber=1, CopySource=source) == (404, "NoSuchUpload")


@patched(s3_limits.refuse_to_complete_unknown_uploads)
def test_completion_of_unknown_upload_is_refused(stage):
    s3 = stage.s3("bucket")
    parts = {"Parts": [{"PartNumber": 1, "ETag": "etag"}]}
    assert stage.refusal(s3.complete_multipart_upload, **UNKNOWN, MultipartUpload=parts) == (404, "NoSuchUpload")
