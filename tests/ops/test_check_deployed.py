"""Planted drift on the deployed mirror, named and repaired by `brigade check`."""

import json
import time

import pytest

from local.demo.mirror import SOURCE
from tests.ops.deployed import command_for, deployed_mirror

# Every wait is for some seconds of work; a busy machine takes longer.
TIMEOUT_SECONDS = 300
# A change within these seconds may have an event on its way.
LAG = 20

NEVER_SEEN, OTHER_WRITER = "never seen", "other writer"
NAMED = {
    "drift/missing": ("missing", NEVER_SEEN),
    "drift/extra": ("extra", OTHER_WRITER),
    "drift/bytes": ("different", OTHER_WRITER),
    "drift/metadata": ("different", NEVER_SEEN),
    "drift/tags": ("different", NEVER_SEEN),
    "drift/marker": ("extra", OTHER_WRITER),
    "drift/waiting": ("missing", "waiting"),
    "drift/dead": ("missing", "dead letter"),
    "drift/archived": ("missing", "archived"),
    "drift/half": ("missing", "half uploaded"),
    "outside/excluded": ("missing", "excluded"),
}


@pytest.fixture(name="mirror")
def mirror_with_a_prefix(tmp_path, monkeypatch):
    with deployed_mirror(tmp_path, monkeypatch, partition_replicate_prefixes=["drift/"]) as mirror:
        yield mirror


@pytest.fixture(name="brigade")
def command(mirror, tmp_path, capsys):
    return command_for(mirror, tmp_path, capsys)


def put(mirror, key, *bodies, **about):
    for body in bodies:
        mirror.source.put_object(Bucket=SOURCE, Key=key, Body=body, **about)


def plant(mirror):
    """Plant drift of each kind; no event of the source is delivered from now on."""
    near, far, bucket = mirror.source, mirror.destination, mirror.outputs["destination_bucket"]
    near.put_bucket_notification_configuration(Bucket=SOURCE, NotificationConfiguration={})
    for key in ("drift/missing", "drift/dead", "drift/half", "outside/excluded"):
        put(mirror, key, b"1")
    put(mirror, "drift/archived", b"1", StorageClass="GLACIER")
    far.put_object(Bucket=bucket, Key="drift/extra", Body=b"1")
    far.put_object(Bucket=bucket, Key="drift/bytes", Body=b"2")
    far.put_object(Bucket=bucket, Key="drift/metadata", Body=b"1", Metadata={"other": "1"})
    far.put_object_tagging(Bucket=bucket, Key="drift/tags", Tagging={"TagSet": [{"Key": "a", "Value": "other"}]})
    far.create_multipart_upload(Bucket=bucket, Key="drift/half")
    listed = far.list_object_versions(Bucket=bucket)
    (marker,) = [each for each in listed["DeleteMarkers"] if each["Key"] == "drift/marker"]
    far.delete_object(Bucket=bucket, Key="drift/marker", VersionId=marker["VersionId"])
    middle = [each for each in listed["Versions"] if each["Key"] == "drift/middle"][1]
    far.delete_object(Bucket=bucket, Key="drift/middle", VersionId=middle["VersionId"])
    body = {"detail-type": "Object Created", "source": "aws.s3"}
    body["detail"] = {"bucket": {"name": SOURCE}, "object": {"key": "drift/dead"}}
    mirror.stack.aws.client("sqs").send_message(
        QueueUrl=mirror.outputs["dead_letter_queue_url"],
        MessageGroupId="g",
        MessageDeduplicationId="d",
        MessageBody=json.dumps(body),
        MessageAttributes={"Reason": {"DataType": "String", "StringValue": "denied"}},
    )


def differences(brigade):
    return {each["key"]: (each["result"], each["cause"]) for each in brigade.records if each["type"] == "difference"}


def wait_until_equal(brigade):
    end = time.monotonic() + TIMEOUT_SECONDS
    while brigade("check", "--versions", "--prefix", "drift/"):
        assert time.monotonic() < end, brigade.out + brigade.err
        time.sleep(1)


@pytest.mark.long
def test_planted_drift_is_named_and_repaired(mirror, brigade):
    for key in ("drift/equal", "drift/bytes", "drift/metadata", "drift/marker"):
        put(mirror, key, b"1")
    put(mirror, "drift/tags", b"1", Tagging="a=1")
    put(mirror, "drift/middle", b"1", b"22", b"333")
    mirror.source.delete_object(Bucket=SOURCE, Key="drift/marker")
    wait_until_equal(brigade)
    plant(mirror)
    time.sleep(LAG + 1)
    put(mirror, "drift/waiting", b"1")

    assert brigade("check", "--deep", "--lag", str(LAG)) == 1, brigade.err
    assert differences(brigade) == NAMED
    assert brigade("check", "--versions", "--lag", "0") == 1, brigade.err
    found = differences(brigade)
    assert found["drift/middle"] == found["drift/marker"] == ("different", OTHER_WRITER)

    # An archived object is repaired once it can be read.
    put(mirror, "drift/archived", b"1")
    assert brigade("check", "--deep", "--lag", "0", "--repair", "--delete-extra") == 0, brigade.out + brigade.err
    assert brigade("check", "--deep") == 0, brigade.out
    assert differences(brigade) == {"outside/excluded": NAMED["outside/excluded"]}
    # A version in the middle cannot come back, because nothing can be written beneath a newer version. The versions
    # of another writer stay beneath.
    assert brigade("check", "--versions", "--lag", "0") == 1
    left = {"drift/middle", "drift/bytes", "drift/extra", "drift/metadata", "outside/excluded"}
    assert set(differences(brigade)) == left
