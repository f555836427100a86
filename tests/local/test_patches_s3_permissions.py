from botocore.exceptions import ClientError

from local.patches import s3_permissions
from tests.local.patching import ACCOUNT, patched
from tests.local.test_patches_iam import OTHER_ACCOUNT, allow, bucket_of_another_account, client_of_role, is_permitted

SOURCE = {"Bucket": "source", "Key": "key"}
TARGET = {"Bucket": "target", "Key": "key"}
OBJECTS = "arn:aws:s3:::source/*"
TAGS = {"TagSet": [{"Key": "a", "Value": "b"}]}
NOT_FOUND = ("NoSuchKey", "404")


def is_visibly_absent(call, **arguments):
    try:
        return is_permitted(call, **arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] in NOT_FOUND


@patched(s3_permissions.use_version_actions)
def test_version_has_its_own_permissions(stage):
    version = stage.s3("source", versioned=True).put_object(**SOURCE, Body=b"1")["VersionId"]
    current = ["s3:GetObject", "s3:GetObjectTagging", "s3:PutObjectTagging", "s3:DeleteObjectTagging", "s3:ListBucket"]
    s3 = client_of_role(stage, "s3", allow(current, "*"))
    calls = (
        (s3.get_object, {}),
        (s3.head_object, {}),
        (s3.put_object_tagging, {"Tagging": TAGS}),
        (s3.get_object_tagging, {}),
        (s3.delete_object_tagging, {}),
    )
    for call, arguments in calls:
        assert is_permitted(call, **SOURCE, **arguments)
        assert not is_permitted(call, **SOURCE, **arguments, VersionId=version)


@patched(s3_permissions.use_version_actions)
def test_tags_of_a_version_have_their_own_permission(stage):
    version = stage.s3("source", versioned=True).put_object(**SOURCE, Body=b"1")["VersionId"]
    s3 = client_of_role(stage, "s3", allow("s3:GetObjectVersionTagging", OBJECTS))
    assert is_permitted(s3.get_object_tagging, **SOURCE, VersionId=version)
    assert not is_permitted(s3.get_object, **SOURCE, VersionId=version)


@patched(s3_permissions.use_version_actions)
def test_permission_to_delete_does_not_cover_removal_of_tags(stage):
    stage.s3("source").put_object(**SOURCE, Body=b"1")
    s3 = client_of_role(stage, "s3", allow("s3:DeleteObject", OBJECTS))
    assert not is_permitted(s3.delete_object_tagging, **SOURCE)


@patched(s3_permissions.use_version_actions)
def test_attributes_have_their_own_permission(stage):
    stage.s3("source").put_object(**SOURCE, Body=b"1")
    s3 = client_of_role(stage, "s3", allow("s3:GetObject", OBJECTS))
    assert not is_permitted(s3.get_object_attributes, **SOURCE, ObjectAttributes=["ETag"])


@patched(s3_permissions.require_read_of_copy_source)
def test_copy_needs_to_read_its_source(stage):
    stage.s3("source", "target").put_object(**SOURCE, Body=b"1")
    s3 = client_of_role(stage, "s3", allow(["s3:PutObject", "s3:PutObjectTagging"], "*"))
    assert not is_permitted(s3.copy_object, **TARGET, CopySource=SOURCE)


@patched(s3_permissions.require_read_of_copy_source)
def test_copy_of_version_needs_to_read_versions(stage):
    version = stage.s3("source", "target", versioned=True).put_object(**SOURCE, Body=b"1")["VersionId"]
    s3 = client_of_role(stage, "s3", allow(["s3:PutObject", "s3:GetObject"], "*"))
    assert is_permitted(s3.copy_object, **TARGET, CopySource=SOURCE)
    assert not is_permitted(s3.copy_object, **TARGET, CopySource={**SOURCE, "VersionId": version})


@patched(s3_permissions.require_read_of_copy_source)
def test_copy_of_tagged_object_needs_to_read_and_write_tags(stage):
    stage.s3("source", "target").put_object(**SOURCE, Body=b"1", Tagging="a=b")
    s3 = client_of_role(stage, "s3", allow(["s3:PutObject", "s3:GetObject"], "*"))
    assert not is_permitted(s3.copy_object, **TARGET, CopySource=SOURCE)
    assert is_permitted(s3.copy_object, **TARGET, CopySource=SOURCE, TaggingDirective="REPLACE")


@patched()
def test_copy_of_tagged_object_with_all_permissions_is_made(stage):
    stage.s3("source", "target").put_object(**SOURCE, Body=b"1", Tagging="a=b")
    read = allow(["s3:GetObject", "s3:GetObjectTagging"], OBJECTS)
    s3 = client_of_role(stage, "s3", read, allow(["s3:PutObject", "s3:PutObjectTagging"], "arn:aws:s3:::target/*"))
    assert is_permitted(s3.copy_object, **TARGET, CopySource=SOURCE)


@patched(s3_permissions.require_read_of_part_copy_source)
def test_part_copy_needs_to_read_its_source(stage):
    stage.s3("source", "target").put_object(**SOURCE, Body=b"1")
    upload = stage.client("s3").create_multipart_upload(**TARGET)["UploadId"]
    s3 = client_of_role(stage, "s3", allow("s3:PutObject", "*"))
    part = {**TARGET, "UploadId": upload, "PartNumber": 1}
    assert not is_permitted(s3.upload_part_copy, **part, CopySource=SOURCE)


@patched(s3_permissions.require_tagging_permission)
def test_upload_with_tags_needs_to_write_tags(stage):
    stage.s3("source")
    s3 = client_of_role(stage, "s3", allow("s3:PutObject", OBJECTS))
    assert is_permitted(s3.put_object, **SOURCE, Body=b"1")
    assert not is_permitted(s3.put_object, **SOURCE, Body=b"1", Tagging="a=b")


@patched(s3_permissions.hide_absence_without_list_permission)
def test_absent_key_is_visible_only_with_the_permission_to_list(stage):
    stage.s3("source", "target")
    reader = client_of_role(stage, "s3", allow(["s3:GetObject", "s3:PutObject"], "*"))
    calls = ((reader.get_object, SOURCE), (reader.head_object, SOURCE))
    calls += ((reader.copy_object, {**TARGET, "CopySource": SOURCE}),)
    assert not any(is_visibly_absent(call, **arguments) for call, arguments in calls)
    lister = allow("s3:ListBucket", "arn:aws:s3:::source")
    stage.client("iam").delete_role_policy(RoleName="role", PolicyName="policy")
    stage.client("iam").delete_role(RoleName="role")
    both = client_of_role(stage, "s3", allow(["s3:GetObject", "s3:PutObject"], "*"), lister)
    calls = ((both.get_object, SOURCE), (both.head_object, SOURCE))
    calls += ((both.copy_object, {**TARGET, "CopySource": SOURCE}),)
    assert all(is_visibly_absent(call, **arguments) for call, arguments in calls)


@patched(s3_permissions.require_delete_of_each_key)
def test_delete_of_many_keys_needs_the_permission_for_each(stage):
    s3 = stage.s3("source", versioned=True)
    version = s3.put_object(**SOURCE, Body=b"1")["VersionId"]
    limited = client_of_role(stage, "s3", allow("s3:DeleteObject", "arn:aws:s3:::source/k*"))
    deleted = {}
    for named in ({"Key": "key"}, {"Key": "other"}, {"Key": "key", "VersionId": version}):
        with_errors = is_permitted(
            lambda named=named: deleted.update(limited.delete_objects(Bucket="source", Delete={"Objects": [named]}))
        )
        assert with_errors
        deleted.setdefault("outcomes", []).append("Errors" if "Errors" in deleted else "Deleted")
        deleted.pop("Errors", None)
    assert deleted["outcomes"] == ["Deleted", "Errors", "Errors"]


DENIED = {(403, "AccessDenied"), (403, "403")}


@patched(s3_permissions.refuse_buckets_of_other_owners)
def test_request_that_expects_another_owner_is_denied(stage):
    s3 = stage.s3("source")
    s3.put_object(**SOURCE, Body=b"1")
    calls = (
        (s3.head_object, SOURCE),
        (s3.get_object, SOURCE),
        (s3.put_object, {**SOURCE, "Body": b"2"}),
        (s3.put_object_tagging, {**SOURCE, "Tagging": TAGS}),
        (s3.create_multipart_upload, SOURCE),
        (s3.delete_object, SOURCE),
        (s3.list_objects_v2, {"Bucket": "source"}),
        (s3.list_object_versions, {"Bucket": "source"}),
    )
    for call, arguments in calls:
        assert stage.refusal(call, **arguments, ExpectedBucketOwner=OTHER_ACCOUNT) in DENIED
    assert s3.get_object(**SOURCE, ExpectedBucketOwner=ACCOUNT)["Body"].read() == b"1"


@patched(s3_permissions.refuse_buckets_of_other_owners)
def test_copy_that_expects_another_owner_of_its_source_is_denied(stage):
    s3 = stage.s3("target")
    bucket_of_another_account("source")
    s3.put_object(**SOURCE, Body=b"1")
    of_target = {**TARGET, "ExpectedBucketOwner": ACCOUNT}
    copy = {**of_target, "CopySource": SOURCE}
    assert stage.refusal(s3.copy_object, **copy, ExpectedSourceBucketOwner=ACCOUNT) in DENIED
    part = {**copy, "UploadId": s3.create_multipart_upload(**of_target)["UploadId"], "PartNumber": 1}
    assert stage.refusal(s3.upload_part_copy, **part, ExpectedSourceBucketOwner=ACCOUNT) in DENIED
    s3.copy_object(**copy, ExpectedSourceBucketOwner=OTHER_ACCOUNT)
    assert s3.get_object(**TARGET)["Body"].read() == b"1"


@patched()
def test_missing_bucket_answers_404_with_any_expected_owner(stage):
    call = stage.client("s3").get_object
    assert stage.refusal(call, **SOURCE, ExpectedBucketOwner=ACCOUNT) == (404, "NoSuchBucket")
