from local.mends import s3_parts
from local.mends.s3_checksums import checksum
from tests.local.mending import mended


@mended(s3_parts.tell_checksums_of_parts, raises=KeyError)
def test_listed_parts_have_their_checksums(stage):
    s3 = stage.s3("bucket")
    where = {"Bucket": "bucket", "Key": "key"}
    upload = s3.create_multipart_upload(**where, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")["UploadId"]
    for number, body in ((1, b"one"), (2, b"two")):
        s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32")
    parts = s3.list_parts(**where, UploadId=upload)["Parts"]
    assert [part["ChecksumCRC32"] for part in parts] == [checksum("CRC32", body) for body in (b"one", b"two")]
