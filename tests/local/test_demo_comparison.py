import boto3
import pytest

from local.demo.comparison import differences, history_differences
from tests.support.mocked import patched_aws

REGION = "eu-west-1"


@pytest.fixture(name="s3")
def two_equal_buckets():
    with patched_aws():
        s3 = boto3.client("s3", region_name=REGION)
        for bucket in ("source", "mirror"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
            put(s3, bucket, "a")
            put(s3, bucket, "b/ü")
        yield s3


def put(s3, bucket, key, **more):
    about = {"Body": b"bytes", "Metadata": {"name": "value"}, "Tagging": "tag=value", "ContentType": "text/x"}
    s3.put_object(Bucket=bucket, Key=key, **{**about, **more})


def found(s3):
    return list(differences(s3, "source", s3, "mirror"))


def test_equal_buckets_have_no_differences(s3):
    assert not found(s3)


def test_key_on_only_one_side_is_a_difference(s3):
    s3.delete_object(Bucket="mirror", Key="a")
    put(s3, "mirror", "c")
    assert found(s3) == ["a: is not in mirror", "c: is not in source"]


@pytest.mark.parametrize(
    "more, name",
    [
        ({"Body": b"other"}, "bytes"),
        ({"Metadata": {"name": "other"}}, "Metadata"),
        ({"Tagging": "tag=other"}, "tags"),
        ({"ContentType": "text/other"}, "ContentType"),
        ({"CacheControl": "no-store"}, "CacheControl"),
    ],
)
def test_object_that_differs_in_one_property_is_a_difference(s3, more, name):
    put(s3, "mirror", "b/ü", **more)
    assert found(s3) == [f"b/ü: differs in {name}"]


def test_differing_history_is_a_difference(s3):
    for bucket in ("source", "mirror"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for key in ("a", "b/ü"):
            put(s3, bucket, key, Body=b"first")
            s3.delete_object(Bucket=bucket, Key=key)
            put(s3, bucket, key, Body=b"last")
    sides = (s3, "source", s3, "mirror")
    assert not list(history_differences(*sides))
    put(s3, "source", "a", Body=b"between")
    for bucket in ("source", "mirror"):
        put(s3, bucket, "a", Body=b"last")
    assert not found(s3)
    (difference,) = history_differences(*sides)
    assert difference.startswith("a: its history differs")
