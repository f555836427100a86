"""Each request to S3 for an object under a KMS key needs a permission on the key, besides all permissions on S3."""

import json

from local.patches import s3_keys
from tests.local.patching import patched
from tests.local.test_patches_iam import allow, client_of_role, is_permitted

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
OBJECT, COPY = {"Bucket": "under-key", "Key": "key"}, {"Bucket": "under-key", "Key": "copy"}
READ, WRITE = "kms:Decrypt", "kms:GenerateDataKey"


def bucket_under_key(stage):
    """Create a bucket whose objects are under the key by default, with an object."""
    s3 = stage.s3("under-key", "plain", versioned=True)
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket="under-key", ServerSideEncryptionConfiguration=rules)
    s3.put_object(**OBJECT, Body=b"1", ChecksumAlgorithm="CRC32")
    return s3


def assert_needs(stage, actions, operation, **arguments):
    """Check that a request is permitted with these actions on the key, and not with any one of them less."""
    iam, call = stage.client("iam"), getattr(client_of_role(stage, "s3", allow("s3:*", "*")), operation)
    for missing in (*actions, None):
        statements = [allow("s3:*", "*"), *(allow(action, KEY) for action in actions if action != missing)]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName="role", PolicyName="policy", PolicyDocument=policy)
        assert is_permitted(call, **arguments) == (missing is None), missing
    iam.delete_role_policy(RoleName="role", PolicyName="policy")
    iam.delete_role(RoleName="role")


@patched(s3_keys.require_key_of_read)
def test_read_needs_decrypt(stage):
    version = bucket_under_key(stage).list_object_versions(Bucket="under-key")["Versions"][0]["VersionId"]
    assert_needs(stage, [READ], "get_object", **OBJECT)
    assert_needs(stage, [READ], "get_object", **OBJECT, VersionId=version)


@patched(s3_keys.require_key_of_checksums)
def test_checksums_need_decrypt(stage):
    bucket_under_key(stage)
    assert_needs(stage, [], "head_object", **OBJECT)
    assert_needs(stage, [READ], "head_object", **OBJECT, ChecksumMode="ENABLED")


@patched(s3_keys.require_key_of_write)
def test_write_needs_a_data_key(stage):
    bucket_under_key(stage)
    assert_needs(stage, [WRITE], "put_object", **OBJECT, Body=b"2")
    assert_needs(stage, [], "put_object", **OBJECT, Body=b"2", ServerSideEncryption="AES256")
    for key, needed in ((KEY, [WRITE]), ("alias/aws/s3", [])):
        named = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        assert_needs(stage, needed, "put_object", Bucket="plain", Key="key", Body=b"2", **named)


@patched(s3_keys.require_keys_of_copy)
def test_copy_needs_both(stage):
    bucket_under_key(stage)
    assert_needs(stage, [READ, WRITE], "copy_object", **COPY, CopySource=OBJECT)


@patched(s3_keys.require_key_of_multipart_upload)
def test_multipart_upload_needs_a_data_key(stage):
    bucket_under_key(stage)
    assert_needs(stage, [WRITE], "create_multipart_upload", **COPY)


@patched(s3_keys.require_key_of_part, s3_keys.require_keys_of_part_copy)
def test_part_needs_decrypt(stage):
    upload = bucket_under_key(stage).create_multipart_upload(**COPY)["UploadId"]
    part = {**COPY, "UploadId": upload, "PartNumber": 1}
    assert_needs(stage, [READ], "upload_part", **part, Body=b"1")
    assert_needs(stage, [READ], "upload_part_copy", **part, CopySource=OBJECT)
