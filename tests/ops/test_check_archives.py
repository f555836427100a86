import pytest

from tests.ops.conftest import ARCHIVE, RESTORED


@pytest.fixture(name="s3")
def client(aws, outputs):
    assert outputs
    return aws.client("s3")


def restore(s3, key, body=b"1"):
    s3.put_object(Bucket=RESTORED, Key=key, Body=body, StorageClass="GLACIER")
    s3.restore_object(Bucket=RESTORED, Key=key, RestoreRequest={"Days": 1})
    # Another thread completes it.
    answers = (s3.head_object(Bucket=RESTORED, Key=key)["Restore"] for _ in range(1_000))
    assert any('ongoing-request="false"' in answer for answer in answers)


def test_restored_objects_are_compared_with_their_archives(brigade, s3):
    for key in ("equal.txt", "other.txt", "missing.txt", "unmapped.png"):
        restore(s3, key)
    s3.put_object(Bucket=RESTORED, Key="frozen.txt", Body=b"1", StorageClass="GLACIER")
    s3.put_object(Bucket=RESTORED, Key="plain.txt", Body=b"1")
    s3.put_object(Bucket=ARCHIVE, Key="equal.txt", Body=b"1")
    s3.put_object(Bucket=ARCHIVE, Key="other.txt", Body=b"2")

    assert brigade("check", "--task", "archive_copy", "--json", "--lag", "0") == 1

    found = {each["key"]: (each["result"], each["cause"]) for each in brigade.records if each["type"] == "difference"}
    assert found == {
        "missing.txt": ("missing", "never seen"),
        "other.txt": ("different", "never seen"),
        "unmapped.png": ("unknown", "unknown"),
    }
    assert brigade.records[-1]["equal"] == 1


def test_options_of_the_mirror_are_refused(brigade, s3):
    assert s3
    assert brigade("check", "--task", "archive_copy", "--repair") == 2
    assert brigade.err.startswith("error: --repair: not with --task archive_copy")
