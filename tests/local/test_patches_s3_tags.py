from local.patches import s3_tags
from tests.local.patching import patched


@patched(s3_tags.accept_empty_tag_sets, raises=TypeError)
def test_empty_tag_set_removes_all_tags(stage):
    s3 = stage.s3("bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"", Tagging="a=b")
    s3.put_object_tagging(Bucket="bucket", Key="key", Tagging={"TagSet": []})
    assert s3.get_object_tagging(Bucket="bucket", Key="key")["TagSet"] == []
