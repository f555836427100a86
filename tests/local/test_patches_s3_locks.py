from datetime import UTC, datetime, timedelta

from local.patches import s3_locks
from tests.local.patching import patched
from tests.local.test_patches_iam import allow, client_of_role, is_permitted

KEY = {"Bucket": "bucket", "Key": "key"}
OBJECTS = "arn:aws:s3:::bucket/*"
MAY_REMOVE = ["s3:DeleteObject", "s3:DeleteObjectVersion"]


def locked(stage, mode="GOVERNANCE"):
    """Create a bucket with a version that is locked for an hour; return the client and the version."""
    s3 = stage.client("s3")
    where = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    s3.create_bucket(Bucket="bucket", ObjectLockEnabledForBucket=True, **where)
    version = {**KEY, "VersionId": s3.put_object(**KEY, Body=b"1")["VersionId"]}
    until = datetime.now(UTC) + timedelta(hours=1)
    s3.put_object_retention(**version, Retention={"Mode": mode, "RetainUntilDate": until})
    return s3, version


@patched()
def test_locked_version_cannot_be_removed_and_can_get_a_delete_marker(stage):
    s3, version = locked(stage, "COMPLIANCE")
    assert stage.refusal(s3.delete_object, **version) == (403, "AccessDenied")
    assert stage.refusal(s3.delete_object, **version, BypassGovernanceRetention=True) == (403, "AccessDenied")
    s3.put_object(**KEY, Body=b"2")
    assert s3.delete_object(**KEY)["DeleteMarker"]
    assert s3.get_object(**version)["Body"].read() == b"1"


@patched(s3_locks.require_permission_to_bypass_governance)
def test_bypassing_governance_needs_the_permission(stage):
    _, version = locked(stage)
    s3 = client_of_role(stage, "s3", allow(MAY_REMOVE, OBJECTS))
    assert not is_permitted(s3.delete_object, **version, BypassGovernanceRetention=True)


@patched(s3_locks.require_permission_to_bypass_governance)
def test_bypassing_governance_needs_the_header(stage):
    _, version = locked(stage)
    s3 = client_of_role(stage, "s3", allow([*MAY_REMOVE, "s3:BypassGovernanceRetention"], OBJECTS))
    for bypass in ({}, {"BypassGovernanceRetention": False}):
        assert not is_permitted(s3.delete_object, **version, **bypass)
    assert is_permitted(s3.delete_object, **version, BypassGovernanceRetention=True)


def visible_lock_headers(stage, *actions):
    s3, version = locked(stage)
    s3.put_object_legal_hold(**version, LegalHold={"Status": "ON"})
    reader, headers = client_of_role(stage, "s3", allow(["s3:GetObjectVersion", *actions], OBJECTS)), []
    assert is_permitted(lambda: headers.extend(reader.head_object(**version)))
    return sorted(name for name in headers if name.startswith("ObjectLock"))


@patched(s3_locks.hide_locks_without_permission)
def test_lock_is_hidden_without_its_permissions(stage):
    assert visible_lock_headers(stage) == []


@patched(s3_locks.hide_locks_without_permission)
def test_retention_is_returned_with_its_permission(stage):
    assert visible_lock_headers(stage, "s3:GetObjectRetention") == ["ObjectLockMode", "ObjectLockRetainUntilDate"]


@patched(s3_locks.hide_locks_without_permission)
def test_legal_hold_is_returned_with_its_permission(stage):
    assert visible_lock_headers(stage, "s3:GetObjectLegalHold") == ["ObjectLockLegalHoldStatus"]
