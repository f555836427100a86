import re

from local.patches import s3_versions
from tests.local.patching import patched

ELEMENTS = re.compile(rb"<(Version|DeleteMarker)>")


@patched(s3_versions.list_newest_version_first)
def test_versions_of_the_same_millisecond_are_listed_newest_first(stage):
    s3 = stage.s3("bucket", versioned=True)
    made = [s3.put_object(Bucket="bucket", Key="key", Body=b"%d" % number)["VersionId"] for number in range(50)]
    found = s3.list_object_versions(Bucket="bucket", Prefix="key")["Versions"]
    assert [one["VersionId"] for one in found] == made[::-1]
    assert [one["VersionId"] for one in found if one["IsLatest"]] == made[-1:]


@patched(s3_versions.list_newest_version_first)
def test_each_page_continues_after_the_previous_one(stage):
    s3 = stage.s3("bucket", versioned=True)
    made = [s3.put_object(Bucket="bucket", Key="key", Body=b"")["VersionId"] for _ in range(20)]
    pages = s3.get_paginator("list_object_versions").paginate(Bucket="bucket", PaginationConfig={"PageSize": 3})
    assert [one["VersionId"] for page in pages for one in page["Versions"]] == made[::-1]


@patched(s3_versions.encode_keys_of_versions)
def test_keys_with_control_characters_are_listed_with_their_versions(stage):
    s3 = stage.s3("bucket", versioned=True)
    keys = ["a/\x01\x7f", "a/é +%2F", "b&<"]
    for key in keys:
        s3.put_object(Bucket="bucket", Key=key, Body=b"")
        s3.delete_object(Bucket="bucket", Key=key)
    page = s3.list_object_versions(Bucket="bucket", Prefix="a/")
    assert [one["Key"] for one in page["Versions"]] == keys[:2] == [one["Key"] for one in page["DeleteMarkers"]]
    assert [one["Key"] for one in s3.list_object_versions(Bucket="bucket")["Versions"]] == keys


@patched(s3_versions.interleave_versions_and_delete_markers)
def test_delete_markers_are_listed_between_the_versions(stage):
    s3 = stage.s3("bucket", versioned=True)
    listed = []
    s3.meta.events.register(
        "before-parse.s3.ListObjectVersions",
        lambda response_dict, **_: listed.extend(ELEMENTS.findall(response_dict["body"])),
    )
    for _ in range(2):
        s3.put_object(Bucket="bucket", Key="key", Body=b"")
        s3.delete_object(Bucket="bucket", Key="key")
    s3.list_object_versions(Bucket="bucket")
    assert listed == [b"DeleteMarker", b"Version"] * 2


@patched(s3_versions.remove_one_version_while_suspended)
def test_versions_of_a_bucket_with_suspended_versioning_are_removed_one_by_one(stage):
    s3 = stage.s3("bucket", versioned=True)
    versions = [s3.put_object(Bucket="bucket", Key="key", Body=b"")["VersionId"] for _ in range(2)]
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Suspended"})
    s3.delete_object(Bucket="bucket", Key="key", VersionId=versions[1])
    assert [one["VersionId"] for one in s3.list_object_versions(Bucket="bucket")["Versions"]] == versions[:1]


@patched(s3_versions.remove_one_version_while_suspended)
def test_delete_markers_of_a_bucket_with_suspended_versioning_can_be_removed(stage):
    s3 = stage.s3("bucket", versioned=True)
    version = s3.put_object(Bucket="bucket", Key="key", Body=b"")["VersionId"]
    marker = s3.delete_object(Bucket="bucket", Key="key")["VersionId"]
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Suspended"})
    every = [{"Key": "key", "VersionId": each} for each in (version, marker)]
    s3.delete_objects(Bucket="bucket", Delete={"Objects": every})
    assert not s3.list_object_versions(Bucket="bucket").keys() & {"Versions", "DeleteMarkers"}
