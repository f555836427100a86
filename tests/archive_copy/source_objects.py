"""Source objects with headers, tags or several parts, and checks of their copies."""

from datetime import UTC, datetime

from tests.archive_copy.conftest import PROTECTED

HEADERS = {
    "ContentType": "application/x-hdf",
    "CacheControl": "max-age=60",
    "ContentDisposition": 'attachment; filename="a.hdf"',
    "ContentEncoding": "identity",
    "ContentLanguage": "en",
    "Expires": datetime(2030, 1, 1, tzinfo=UTC),
    "Metadata": {"mission": "aqua", "orbit": "42"},
}
TAGS = [{"Key": "project", "Value": "a b+c"}, {"Key": "state", "Value": "ready=1/2@x:y"}]

CONTENT = bytes(range(256)) * 4096 * 12  # 12 MiB: three parts of at most 5 MiB


def assert_dressed_like_the_source(s3, key):
    copy = s3.head_object(Bucket=PROTECTED, Key=key)
    assert {name: copy.get(name) for name in HEADERS} == HEADERS
    assert sorted(s3.get_object_tagging(Bucket=PROTECTED, Key=key)["TagSet"], key=lambda tag: tag["Key"]) == TAGS
