import base64
import hashlib
import io

from botocore.config import Config

from local.patches import s3_checksums
from tests.local.patching import new_client, patched

KEY = {"Bucket": "bucket", "Key": "key"}
WRONG = {
    "ChecksumCRC32": base64.b64encode(bytes(4)).decode(),
    "ChecksumSHA1": base64.b64encode(bytes(20)).decode(),
    "ChecksumSHA256": base64.b64encode(bytes(32)).decode(),
    "ContentMD5": base64.b64encode(bytes(16)).decode(),
}
# As small as a part may be unless it is the last.
PART = bytes(5 * 1024**2)


def sha256(body):
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def begin_upload(s3, **options):
    return {**KEY, "UploadId": s3.create_multipart_upload(**KEY, **options)["UploadId"]}


def upload_parts(s3, upload, *bodies, algorithm="SHA256"):
    parts = []
    for number, body in enumerate(bodies, 1):
        answer = s3.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
        name = f"Checksum{algorithm}"
        parts.append({"PartNumber": number, "ETag": answer["ETag"], name: answer[name]})
    return parts


@patched(s3_checksums.verify_objects)
def test_object_with_a_wrong_checksum_is_refused(stage):
    s3 = stage.s3("bucket")
    for name, value in WRONG.items():
        assert stage.refusal(s3.put_object, **KEY, Body=b"body", **{name: value}) == (400, "BadDigest")
    assert "Contents" not in s3.list_objects_v2(Bucket="bucket")


@patched(s3_checksums.store_stated_checksums)
def test_object_with_its_checksum_is_stored_with_it(stage):
    s3 = stage.s3("bucket")
    s3.put_object(**KEY, Body=b"body", ChecksumSHA256=sha256(b"body"))
    head = s3.head_object(**KEY, ChecksumMode="ENABLED")
    assert (head["ChecksumSHA256"], head["ChecksumType"]) == (sha256(b"body"), "FULL_OBJECT")


@patched(s3_checksums.set_checksum_type)
def test_checksum_of_whole_object_has_its_type(stage):
    s3 = stage.s3("bucket")
    s3.put_object(**KEY, Body=b"body", ChecksumAlgorithm="CRC32")
    assert s3.get_object(**KEY, ChecksumMode="ENABLED")["ChecksumType"] == "FULL_OBJECT"


@patched(s3_checksums.store_stated_checksums)
def test_checksum_in_a_trailer_is_stored(stage):
    s3 = stage.s3("bucket")
    body = b"x-amz-checksum-sha256:AAAA="
    # A client without a signature of the body sends the checksum behind it.
    client = new_client("s3", config=Config(s3={"payload_signing_enabled": False}))
    client.put_object(**KEY, Body=io.BytesIO(body), ChecksumAlgorithm="SHA256")
    assert s3.head_object(**KEY, ChecksumMode="ENABLED")["ChecksumSHA256"] == sha256(body)


@patched(s3_checksums.verify_parts)
def test_part_with_a_wrong_checksum_is_refused_and_not_stored(stage):
    s3 = stage.s3("bucket")
    upload = begin_upload(s3)
    for name, value in WRONG.items():
        refused = stage.refusal(s3.upload_part, **upload, PartNumber=1, Body=b"body", **{name: value})
        assert refused == (400, "BadDigest")
    assert "Parts" not in s3.list_parts(**upload)


@patched(s3_checksums.verify_objects)
def test_body_that_was_changed_in_transit_is_refused(stage):
    s3 = stage.s3("bucket")
    changed = {"x-amz-content-sha256": hashlib.sha256(b"other").hexdigest()}
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: request.headers.update(changed), "change")
    try:
        refused = stage.refusal(s3.put_object, **KEY, Body=b"body")
    finally:
        s3.meta.events.unregister("before-send.s3.PutObject", unique_id="change")
    assert refused == (400, "XAmzContentSHA256Mismatch")


@patched(s3_checksums.verify_completed_uploads)
def test_completed_upload_with_a_wrong_checksum_of_the_whole_is_refused(stage):
    s3 = stage.s3("bucket")
    upload = begin_upload(s3, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    parts = {"Parts": upload_parts(s3, upload, b"123456789", algorithm="CRC32")}
    right = {"ChecksumType": "FULL_OBJECT", "ChecksumCRC32": "y/Q5Jg=="}
    wrong = right | {"ChecksumCRC32": "AAAAAA=="}
    assert stage.refusal(s3.complete_multipart_upload, **upload, MultipartUpload=parts, **wrong) == (400, "BadDigest")
    s3.complete_multipart_upload(**upload, MultipartUpload=parts, **right)
    assert s3.head_object(**KEY, ChecksumMode="ENABLED")["ChecksumCRC32"] == "y/Q5Jg=="


@patched(s3_checksums.verify_completed_uploads)
def test_completed_upload_with_a_wrong_composite_checksum_is_refused(stage):
    s3 = stage.s3("bucket")
    upload = begin_upload(s3, ChecksumAlgorithm="SHA256")
    parts = {"Parts": upload_parts(s3, upload, PART, b"end")}
    composed = sha256(hashlib.sha256(PART).digest() + hashlib.sha256(b"end").digest())
    complete = {**upload, "MultipartUpload": parts}
    refused = stage.refusal(s3.complete_multipart_upload, **complete, ChecksumSHA256=f"{sha256(PART + b'end')}-2")
    assert refused == (400, "BadDigest")
    s3.complete_multipart_upload(**complete, ChecksumSHA256=f"{composed}-2")


@patched(s3_checksums.verify_completed_uploads)
def test_completed_upload_without_a_parts_checksum_is_refused(stage):
    s3 = stage.s3("bucket")
    upload = begin_upload(s3, ChecksumAlgorithm="SHA256")
    parts = [{**part, "ChecksumSHA256": None} for part in upload_parts(s3, upload, b"body")]
    bare = {"Parts": [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]}
    assert stage.refusal(s3.complete_multipart_upload, **upload, MultipartUpload=bare) == (400, "InvalidRequest")


@patched(s3_checksums.verify_completed_uploads)
def test_completed_upload_with_a_wrong_checksum_of_a_part_is_refused(stage):
    s3 = stage.s3("bucket")
    upload = begin_upload(s3, ChecksumAlgorithm="SHA256")
    parts = upload_parts(s3, upload, b"body")
    wrong = {"Parts": [{**parts[0], "ChecksumSHA256": sha256(b"other")}]}
    assert stage.refusal(s3.complete_multipart_upload, **upload, MultipartUpload=wrong) == (400, "InvalidPart")


@patched(s3_checksums.verify_completed_uploads)
def test_completed_upload_of_another_size_is_refused(stage):
    s3 = stage.s3("bucket")
    upload = begin_upload(s3)
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"body")["ETag"]
    complete = {**upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}
    assert stage.refusal(s3.complete_multipart_upload, **complete, MpuObjectSize=5) == (400, "InvalidRequest")
    s3.complete_multipart_upload(**complete, MpuObjectSize=4)


@patched(s3_checksums.return_checksums_of_completed_uploads)
def test_answer_to_completed_upload_has_the_checksum(stage):
    s3 = stage.s3("bucket")
    upload = begin_upload(s3, ChecksumAlgorithm="SHA256")
    parts = {"Parts": upload_parts(s3, upload, b"body")}
    answer = s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    assert answer["ChecksumSHA256"] == f"{sha256(hashlib.sha256(b'body').digest())}-1"
    assert answer["ChecksumType"] == "COMPOSITE"


@patched(s3_checksums.return_checksum_type)
def test_head_of_object_in_parts_has_the_number_of_parts_and_the_type(stage):
    s3 = stage.s3("bucket")
    upload = begin_upload(s3, ChecksumAlgorithm="SHA256")
    parts = {"Parts": upload_parts(s3, upload, PART, b"end")}
    s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    head = s3.head_object(**KEY, ChecksumMode="ENABLED")
    assert (head["ChecksumSHA256"].rpartition("-")[2], head["ChecksumType"]) == ("2", "COMPOSITE")


@patched(s3_checksums.return_checksums_of_copied_parts)
def test_answer_to_part_copy_has_the_checksum(stage):
    s3 = stage.s3("bucket")
    s3.put_object(Bucket="bucket", Key="source", Body=b"body")
    upload = begin_upload(s3, ChecksumAlgorithm="SHA256")
    copied = s3.upload_part_copy(**upload, PartNumber=1, CopySource={"Bucket": "bucket", "Key": "source"})
    part = {"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}
    part["ChecksumSHA256"] = copied["CopyPartResult"]["ChecksumSHA256"]
    assert part["ChecksumSHA256"] == sha256(b"body")
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
