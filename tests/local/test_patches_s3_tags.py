from local.patches import s3_tags
from tests.local.patching import patched


@patched(s3_tags.take_empty_tag_sets, raises=TypeError)
def test_tagging_with_no_tags_removes_them(stage):
    s3 = stage.s3("bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"", Tagging="a=b")
    s3.put_object_tagging(Bucket="bucket", Key="key", Tagging={"TagSet": []})
    assert s3.get_object_tagging(Bucket="bucket", Key="key")["TagSet"] == []
