"""What `replicate` does with one key after the other, and what it costs."""

import json
from types import SimpleNamespace

import pytest
from botocore.exceptions import ReadTimeoutError

from tasks.partition_replicate import handler as handler_module
from tasks.utils.deadline import limit_timeout
from tests.partition_replicate.conftest import MIRROR, SOURCE, STATES
from tests.partition_replicate.events import event_of
from tests.support.events import load
from tests.support.keys import HAND_PICKED

# What annotations cost: one list at the source.
LIST = "ListObjectAnnotations"

PAIRS = [(source, mirror) for source in STATES for mirror in STATES]
# The histories of test_convergence.py take place in every pair; here what sets a pair apart has to be seen once.
like_pairs = pytest.mark.parametrize("world", [(state, state) for state in STATES], ids="-".join, indirect=True)
every_pair = pytest.mark.parametrize("world", PAIRS, ids="-".join, indirect=True)


def test_small_object_costs_four_requests_to_s3_and_two_to_the_table(world, wire):
    event = world.put("a.txt", b"bytes")
    assert world.replicate(event) == []
    assert world.mirrored("a.txt") == b"bytes"
    assert world.requests(wire) == ["GetObject", "PutObject", LIST, "HeadObject"]
    assert world.table_requests == ["GetItem", "PutItem"]


def test_overwrite_costs_four_requests_to_s3_and_two_to_the_table(world, wire):
    world.replicate(world.put("a.txt", b"first"))
    wire.sent.clear()
    world.table_requests.clear()
    assert world.replicate(world.put("a.txt", b"second")) == []
    assert world.mirrored("a.txt") == b"second"
    assert world.requests(wire) == ["GetObject", "PutObject", LIST, "HeadObject"]
    assert world.table_requests == ["GetItem", "PutItem"]


def test_event_delivered_again_costs_three_requests_and_no_write(world, wire):
    event = world.put("a.txt", b"bytes")
    world.replicate(event)
    wire.sent.clear()
    world.table_requests.clear()
    assert world.replicate(event) == []
    assert world.requests(wire) == ["HeadObject", "HeadObject", LIST]
    assert world.table_requests == ["GetItem"]


@every_pair
def test_overwrite_is_mirrored(world):
    world.replicate(world.put("a.txt", b"first"), world.put("a.txt", b"second"))
    assert world.replicate(world.put("a.txt", b"third")) == []
    assert world.mirrored("a.txt") == b"third"


@like_pairs
def test_overwrite_with_the_same_bytes_and_other_metadata_is_mirrored(world):
    world.replicate(world.put("a.txt", b"bytes", Metadata={"of": "first"}))
    assert world.replicate(world.put("a.txt", b"bytes", Metadata={"of": "second"})) == []
    assert world.head("a.txt")["Metadata"] == {"of": "second"}


@every_pair
def test_delete_is_mirrored_and_an_object_put_again_too(world):
    world.replicate(world.put("a.txt"))
    assert world.replicate(world.delete("a.txt")) == []
    assert world.mirrored("a.txt") is None
    assert world.replicate(world.put("a.txt", b"again")) == []
    assert world.mirrored("a.txt") == b"again"


@like_pairs
def test_late_create_does_not_bring_a_deleted_object_back(world):
    create = world.put("a.txt")
    assert world.replicate(world.delete("a.txt"), create) == []
    assert world.mirrored("a.txt") is None


@pytest.mark.parametrize("world", [("Enabled", mirror) for mirror in STATES], ids="-".join, indirect=True)
def test_newest_version_removed_for_good_brings_the_older_one_back(world):
    world.replicate(world.put("a.txt", b"older"))
    newest = world.put("a.txt", b"newest")
    world.replicate(newest)
    assert world.replicate(world.delete("a.txt", newest["detail"]["object"]["version-id"])) == []
    assert world.mirrored("a.txt") == b"older"


@pytest.mark.parametrize("world", [("Enabled", mirror) for mirror in STATES], ids="-".join, indirect=True)
def test_delete_marker_removed_for_good_brings_the_object_back(world):
    world.replicate(world.put("a.txt", b"bytes"))
    deleted = world.delete("a.txt")
    world.replicate(deleted)
    assert world.mirrored("a.txt") is None
    assert world.replicate(world.delete("a.txt", deleted["detail"]["object"]["version-id"])) == []
    assert world.mirrored("a.txt") == b"bytes"


@pytest.mark.parametrize("world", [("unversioned", "Enabled")], indirect=True)
def test_delete_leaves_the_versions_of_the_destination(world):
    world.replicate(world.put("a.txt", b"precious"))
    version = world.head("a.txt")["VersionId"]
    world.replicate(world.delete("a.txt"))
    assert world.versions("a.txt") == (1, 1)
    assert world.body(world.mirror, MIRROR, "a.txt", VersionId=version) == b"precious"


@like_pairs
def test_delete_is_not_mirrored_if_deletes_are_kept(world, environment):
    environment(DELETES="keep")
    world.replicate(world.put("a.txt", b"bytes"))
    assert world.replicate(world.delete("a.txt")) == []
    assert world.mirrored("a.txt") == b"bytes"


@like_pairs
def test_expired_object_stays_at_the_destination_and_its_row_goes(world):
    created = world.put("a.txt", b"bytes")
    world.replicate(created)
    version = world.delete("a.txt")["detail"]["object"].get("version-id")
    expired = event_of(SOURCE, "a.txt", "Object Deleted", reason="Lifecycle Expiration", version_id=version)
    assert world.replicate(expired, created) == []
    assert world.mirrored("a.txt") == b"bytes"
    assert world.row("a.txt", version or "$null") in (None, world.skipped("a.txt", version))


def test_removal_older_than_what_was_handled_removes_nothing(world):
    # The key was deleted, written again, and has expired: the delete's event comes once more before that of the expiry.
    world.put("a.txt", b"first")
    deleted = world.delete("a.txt")
    world.replicate(world.put("a.txt", b"second"))
    world.delete("a.txt")
    assert world.replicate(deleted) == []
    assert world.mirrored("a.txt") == b"second"


@like_pairs
def test_tags_are_mirrored_and_removed_without_writing_the_bytes_again(world, wire):
    world.replicate(world.put("a.txt", b"bytes", Tagging="a=b%20c&d=%C3%A9"))
    assert world.tags("a.txt") == {"a": "b c", "d": "é"}
    wire.sent.clear()
    assert world.replicate(world.tag("a.txt", a="other")) == []
    assert world.tags("a.txt") == {"a": "other"}
    assert world.replicate(world.tag("a.txt")) == []
    assert world.tags("a.txt") == {}
    assert wire.count("PutObject") == 0


def test_headers_and_metadata_are_mirrored_without_the_framing(world):
    headers = {
        "CacheControl": "max-age=60",
        "ContentDisposition": "attachment",
        "ContentEncoding": "aws-chunked,gzip",
        "ContentLanguage": "fi",
        "ContentType": "text/csv",
        "Expires": "Wed, 21 Oct 2035 07:28:00 GMT",
        "StorageClass": "STANDARD_IA",
    }
    assert world.replicate(world.put("a.txt", b"bytes", Metadata={"who": "me"}, **headers)) == []
    found = world.head("a.txt")
    assert {name: found[name] for name in headers if name != "Expires"} == {
        **{name: value for name, value in headers.items() if name != "Expires"},
        "ContentEncoding": "gzip",
    }
    assert (found["ExpiresString"], found["Metadata"]) == ("Sun, 21 Oct 2035 07:28:00 GMT", {"who": "me"})


def test_key_of_the_destination_encrypts_the_mirror(world, environment):
    environment(DEST_KMS_KEY="arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1234")
    assert world.replicate(world.put("a.txt")) == []
    found = world.head("a.txt")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == (
        "aws:kms",
        "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1234",
    )


def test_storage_class_that_the_destination_does_not_know_becomes_its_default(world, wire):
    wire.fail("PutObject", (400, "InvalidStorageClass"))
    assert world.replicate(world.put("a.txt", StorageClass="STANDARD_IA")) == []
    assert "StorageClass" not in world.head("a.txt")


def test_destination_without_conditional_writes_is_observed_and_then_written(world, wire):
    wire.fail("PutObject", (501, "NotImplemented"))
    assert world.replicate(world.put("a.txt", b"bytes")) == []
    assert world.mirrored("a.txt") == b"bytes"


def test_equal_object_of_another_writer_is_left_alone(world, wire):
    world.mirror.put_object(Bucket=MIRROR, Key="a.txt", Body=b"bytes")
    event = world.put("a.txt", b"bytes")
    assert world.replicate(event) == []
    assert world.requests(wire) == ["GetObject", "PutObject", "HeadObject", "HeadObject", LIST]
    assert world.replicate(event) == []


def test_different_object_of_another_writer_is_replaced(world):
    world.mirror.put_object(Bucket=MIRROR, Key="a.txt", Body=b"another")
    assert world.replicate(world.put("a.txt", b"bytes")) == []
    assert world.mirrored("a.txt") == b"bytes"


def test_source_that_vanished_does_not_block_its_key(world):
    event = world.put("a.txt")
    world.s3.delete_object(Bucket=SOURCE, Key="a.txt")
    assert world.replicate(event) == []
    assert world.replicate(world.put("a.txt", b"again")) == []
    assert world.mirrored("a.txt") == b"again"


def test_empty_object_is_mirrored(world):
    assert world.replicate(world.put("empty", b"")) == []
    assert world.mirrored("empty") == b""


@pytest.mark.parametrize("key", HAND_PICKED)
def test_odd_key_is_mirrored(world, key):
    assert world.replicate(world.put(key, b"bytes")) == []
    assert world.mirrored(key) == b"bytes"


def test_log_line_names_key_destination_and_what_was_not_carried(world, capsys):
    world.replicate(world.put("a.txt"))
    line = json.loads(capsys.readouterr().out.splitlines()[0])
    expected = {
        "message": "replicated",
        "bucket": SOURCE,
        "key": "a.txt",
        "destination": f"s3://{MIRROR}/a.txt",
        "bytes": 5,
        "not_carried": ["ACL"],
    }
    assert {name: line.get(name) for name in expected} == expected


# Races.


@pytest.mark.parametrize("world", [("unversioned", "Enabled")], indirect=True)
def test_recorded_version_is_the_one_that_was_written(world, wire):
    """A later observation would find the version of another writer."""
    after_write = []

    def write_after_us(operation):
        if operation == "HeadObject" and not after_write:
            after_write.append(world.head("a.txt")["VersionId"])
            world.mirror.put_object(Bucket=MIRROR, Key="a.txt", Body=b"another")

    event = world.put("a.txt")
    wire.before.append(write_after_us)
    world.replicate(event)
    assert after_write
    assert world.row("a.txt")["DestVersionId"]["S"] == after_write[0]


def test_source_overwritten_between_read_and_write_is_observed_again(world, wire):
    event = world.put("a.txt", b"first")

    def overwrite(operation):
        if operation == "PutObject":
            wire.before.clear()
            world.put("a.txt", b"second")

    wire.before.append(overwrite)
    assert world.replicate(event) == []
    assert world.mirrored("a.txt") == b"second"


def test_write_whose_answer_is_lost_is_repeated(world, wire):
    event = world.put("a.txt", b"bytes")
    world.replicate(event)
    wire.fail("PutObject", ReadTimeoutError(endpoint_url="https://s3"), times=2)
    assert world.replicate(world.put("a.txt", b"other")) == []
    assert world.mirrored("a.txt") == b"other"


# S3 Batch Operations.


def test_objects_that_were_there_before_are_mirrored_by_batch_operations(world, wire):
    event = load("batch_operations_1_0")
    first = {**event["tasks"][0], "s3BucketArn": f"arn:aws:s3:::{SOURCE}"}
    tasks = [("1", "a b.txt", "a+b.txt"), ("2", "gone", "gone"), ("3", "slow", "slow")]
    event["tasks"] = [{**first, "taskId": number, "s3Key": encoded} for number, _, encoded in tasks]
    event["tasks"].append({"taskId": "4", "s3BucketArn": "arn:aws:s3:::not-ours", "s3Key": "a"})
    world.put("a b.txt", b"old")
    world.put("slow")
    wire.fail("HeadObject", (503, "SlowDown"), times=99, key="slow")
    answer = handler_module.replicate(event, None)
    assert {one["taskId"]: one["resultCode"] for one in answer["results"]} == {
        "1": "Succeeded",
        "2": "Succeeded",
        "3": "TemporaryFailure",
        "4": "PermanentFailure",
    }
    assert world.mirrored("a b.txt") == b"old"


def test_requests_of_a_task_of_batch_operations_wait_no_longer_than_its_invocation_lasts(world):
    event = load("batch_operations_1_0")
    event["tasks"] = [{**event["tasks"][0], "s3BucketArn": f"arn:aws:s3:::{SOURCE}", "s3Key": "a.txt"}]
    world.put("a.txt", b"bytes")
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 20_000)
    waits = []
    table = handler_module.worker().replicator.table.dynamodb
    table.meta.events.register("before-send", lambda request, **_: waits.append(limit_timeout(900)))
    handler_module.replicate(event, context)
    assert world.mirrored("a.txt") == b"bytes"
    assert waits and max(waits) < 20
