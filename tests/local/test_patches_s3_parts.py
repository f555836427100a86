from datetime import UTC, datetime, timedelta

from local.patches import s3_parts
from local.patches.s3_checksums import checksum
from tests.local.patching import patched


@patched(s3_parts.return_checksums_of_parts, raises=KeyError)
def test_listed_parts_have_their_checksums(stage):
    s3 = stage.s3("bucket")
    where = {"Bucket": "bucket", "Key": "key"}
    upload = s3.create_multipart_upload(**where, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")["UploadId"]
    for number, body in ((1, b"one"), (2, b"two")):
        s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32")
    parts = s3.list_parts(**where, UploadId=upload)["Parts"]
    assert [part["ChecksumCRC32"] for part in parts] == [checksum("CRC32", body) for body in (b"one", b"two")]


@patched(s3_parts.store_upload_start, s3_parts.list_uploads_with_start)
def test_listed_uploads_have_their_start_time(stage):
    s3 = stage.s3("bucket")
    before = datetime.now(UTC) - timedelta(seconds=1)
    ids = {s3.create_multipart_upload(Bucket="bucket", Key=key)["UploadId"] for key in ("a", "b")}
    uploads = s3.list_multipart_uploads(Bucket="bucket")["Uploads"]
    assert {upload["UploadId"] for upload in uploads} == ids
    assert all(before < upload["Initiated"] <= datetime.now(UTC) for upload in uploads)
