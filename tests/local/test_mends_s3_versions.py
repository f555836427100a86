import re

from local.mends import s3_versions
from tests.local.mending import mended

ELEMENTS = re.compile(rb"<(Version|DeleteMarker)>")


@mended(s3_versions.list_versions_in_the_order_of_their_making)
def test_versions_of_the_same_moment_are_listed_from_the_newest(stage):
    s3 = stage.s3("bucket", versioned=True)
    made = [s3.put_object(Bucket="bucket", Key="key", Body=b"%d" % number)["VersionId"] for number in range(50)]
    found = s3.list_object_versions(Bucket="bucket", Prefix="key")["Versions"]
    assert [one["VersionId"] for one in found] == made[::-1]
    assert [one["VersionId"] for one in found if one["IsLatest"]] == made[-1:]


@mended(s3_versions.list_versions_in_the_order_of_their_making)
def test_pages_go_on_where_the_last_one_ended(stage):
    s3 = stage.s3("bucket", versioned=True)
    made = [s3.put_object(Bucket="bucket", Key="key", Body=b"")["VersionId"] for _ in range(20)]
    pages = s3.get_paginator("list_object_versions").paginate(Bucket="bucket", PaginationConfig={"PageSize": 3})
    assert [one["VersionId"] for page in pages for one in page["Versions"]] == made[::-1]


@mended(s3_versions.list_versions_and_delete_markers_together)
def test_delete_markers_stand_among_the_versions(stage):
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
