import json

import pytest

from tasks.object_clerk.s3_requests import S3Requests
from tasks.partition_replicate.table import Table
from tasks.upload_validate.file_sets import UploadBucket
from tasks.upload_validate.idempotency import Outcomes
from tasks.utils.key_state import KeyState, Origin, ReplicaVersion, VersionRow
from tests.ops.conftest import ARCHIVE, DESTINATION_REGION, FINAL, MIRROR, NAME, RESTORED, SOURCE, UPLOADS
from tests.ops.letters import REASON, TYPE, Letters, attributes, created, restored
from tests.ops.test_status import write_lines

# Without ESC, which moto cannot list.
HOSTILE = 'dir/[red]\n\u202e*"\\ +.txt'


@pytest.fixture(name="letters")
def letters_of_the_deployment(aws, outputs):
    return Letters(aws.client("sqs"), outputs)


@pytest.fixture(name="near")
def s3_of_the_deployment(aws, outputs):
    assert outputs
    return aws.client("s3")


@pytest.fixture(name="far")
def s3_of_the_mirror(aws, near):
    s3 = aws.client("s3", region_name=DESTINATION_REGION)
    for client, bucket in ((near, SOURCE), (s3, MIRROR)):
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return s3


@pytest.fixture(name="explain")
def explain_an_object(brigade):
    """Return a function that explains an object: the status, the facts, and the conclusion of each task."""

    def explain(bucket, key, *options):
        status = brigade("--json", "explain", f"s3://{bucket}/{key}", *options)
        assert brigade.err == ""
        facts = [one["fact"] for one in brigade.records if "fact" in one]
        return status, facts, " | ".join(one["conclusion"] for one in brigade.records if "conclusion" in one)

    return explain


@pytest.mark.parametrize("bucket", [SOURCE, MIRROR])
def test_equal_sides_of_a_mirror_are_status_0_from_either_side(near, far, explain, bucket):
    near.put_object(Bucket=SOURCE, Key="k", Body=b"same")
    far.put_object(Bucket=MIRROR, Key="k", Body=b"same", StorageClass="STANDARD_IA")
    far.put_object(Bucket=MIRROR, Key="k-other", Body=b"not about k")
    status, facts, conclusion = explain(bucket, "k")
    assert (status, conclusion) == (0, "both sides are equal")
    assert [fact.rpartition(", ")[2] for fact in facts] == ["STANDARD", "STANDARD_IA"]


def test_records_make_copies_in_parts_equal_and_are_shown(aws, near, far, explain):
    here = near.put_object(Bucket=SOURCE, Key="k", Body=b"here")
    there = far.put_object(Bucket=MIRROR, Key="k", Body=b"thre")
    assert explain(SOURCE, "k")[::2] == (1, "the mirror has other bytes, and no message waits: the log lines above say "
    "what happened last, if anything did")  # fmt: skip
    table, replica = Table(aws.client("dynamodb"), f"{NAME}-partition-replicate"), ReplicaVersion.by(there)
    state = KeyState(origin=Origin(here["VersionId"], here["ETag"]), replica=replica)
    table.write_version("k", KeyState(), state, VersionRow(here["VersionId"], replica, {}))
    status, facts, conclusion = explain(SOURCE, "k")
    assert (status, conclusion) == (0, "both sides are equal")
    assert any(fact.startswith("key row: revision 1, source ") for fact in facts)
    assert f"version row: {here['VersionId']} is version {there['VersionId']} of the mirror" in facts

    address = f"k?versionId={here['VersionId']}"
    assert explain(SOURCE, address)[::2] == (0, f"the version is mirrored as version {there['VersionId']}")


@pytest.mark.usefixtures("far")
def test_object_that_the_mirror_lacks_waits_for_the_messages_or_for_nothing(near, letters, explain):
    near.put_object(Bucket=SOURCE, Key="k", Body=b"new")
    assert explain(SOURCE, "k")[2].startswith("the mirror lacks the object, and no message waits")
    fifo = {"MessageGroupId": "g", "MessageDeduplicationId": "1"}
    letters.send("partition_replicate", "queue", created("k"), **fifo)
    status, facts, conclusion = explain(SOURCE, "k")
    assert (status, facts[-1]) == (1, "1 message waiting or in flight")
    assert conclusion == "the mirror lacks the object: the queues hold 1 message, maybe about it"
    assert letters.visible("partition_replicate", "queue") == 1


def test_mirrored_removal_is_equal_and_an_open_upload_is_shown(near, far, explain):
    for client, bucket in ((near, SOURCE), (far, MIRROR)):
        client.put_object(Bucket=bucket, Key="k", Body=b"x")
        client.delete_object(Bucket=bucket, Key="k")
    far.create_multipart_upload(Bucket=MIRROR, Key="k")
    status, facts, conclusion = explain(SOURCE, "k")
    assert (status, conclusion) == (0, "neither side has a current version, so both are equal")
    assert sum(fact.startswith("delete marker") for fact in facts) == 2
    assert sum(fact.startswith("multipart upload") for fact in facts) == 1


@pytest.mark.usefixtures("far")
def test_dead_letter_and_log_lines_of_a_hostile_key_are_in_its_story(aws, near, letters, explain):
    near.put_object(Bucket=SOURCE, Key=HOSTILE, Body=b"x")
    letters.mirror(HOSTILE, "other", group="g")
    line = {"level": "ERROR", "message": "dead-lettered", "reason": "403", "error": TYPE}
    lines = [(9, {**line, "key": HOSTILE}), (8, {**line, "key": HOSTILE + "x"}), (7, {**line, "key": "other"})]
    write_lines(aws, f"{NAME}-partition-replicate", *lines)
    status, facts, conclusion = explain(SOURCE, HOSTILE)
    assert status == 1
    assert conclusion.startswith(f"the mirror lacks the object: a dead letter waits for a redrive, because of {TYPE}: ")
    assert [fact for fact in facts if fact.startswith("ERROR")] == [f"ERROR: dead-lettered, error {TYPE}, reason 403"]
    assert sum(fact.startswith("dead letter: ") for fact in facts) == 1
    assert letters.visible("partition_replicate", "dead_letter_queue") == 2


@pytest.mark.usefixtures("far")
def test_hostile_key_is_shown_escaped(near, letters, brigade):
    near.put_object(Bucket=SOURCE, Key=HOSTILE, Body=b"x")
    letters.mirror(HOSTILE, group="g")
    brigade("explain", f"s3://{SOURCE}/{HOSTILE}")
    assert "dir/[red]\\n\\u202e" in brigade.out and "\u202e" not in brigade.out


def test_dead_letter_of_an_equal_object_is_status_1(near, far, letters, explain):
    near.put_object(Bucket=SOURCE, Key="k", Body=b"same")
    far.put_object(Bucket=MIRROR, Key="k", Body=b"same")
    letters.mirror("k")
    status, _, conclusion = explain(SOURCE, "k")
    assert status == 1 and conclusion.startswith("both sides are equal, but not all of its events are done: a dead")


def test_restored_object_is_archived_waits_or_has_no_archive(near, letters, explain):
    near.put_object(Bucket=RESTORED, Key="a.txt", Body=b"cold", StorageClass="GLACIER")
    assert explain(RESTORED, "a.txt")[::2] == (
        0,
        "the object is in GLACIER, and no restore was asked for: nothing is to do",
    )
    letters.send("archive_copy", "dead_letter_queue", restored("a.txt"), MessageAttributes=attributes(Reason="frozen"))
    assert explain(RESTORED, "a.txt")[0] == 1
    near.put_object(Bucket=ARCHIVE, Key="b.txt", Body=b"archived")
    assert explain(ARCHIVE, "b.txt")[::2] == (0, f"the object is archived in {ARCHIVE}")
    near.put_object(Bucket=RESTORED, Key="c.txt", Body=b"here")
    assert explain(RESTORED, "c.txt")[2].startswith(f"the object is not archived in {ARCHIVE}, and no message waits")
    near.put_object(Bucket=RESTORED, Key="d.jpg", Body=b"here")
    status, _, conclusion = explain(RESTORED, "d.jpg")
    assert status == 1 and "no archive takes the object (bucket_map does not contain values for" in conclusion


def test_uploaded_file_has_the_verdict_of_its_set(aws, near, explain):
    aws.client("dynamodb").create_table(
        TableName="outcomes",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    near.put_object(Bucket=UPLOADS, Key="set/a.csv", Body=b"a")
    near.put_object(Bucket=UPLOADS, Key="set/b.csv", Body=b"b")
    assert explain(UPLOADS, "set/a.csv")[2].startswith("the file is not published, and its file set has no verdict")
    remember_verdict(aws, near, {"outcome": "rejected", "errors": 3})
    status, facts, conclusion = explain(UPLOADS, "set/a.csv")
    assert status == 1 and conclusion.startswith("the verdict on its file set is: rejected, and no message waits")
    assert any(fact.startswith("verdict of the set that is there now: COMPLETED") for fact in facts)
    remember_verdict(aws, near, {"outcome": "published", "errors": 0})
    near.put_object(Bucket=FINAL, Key="set/a.csv", Body=b"a")
    assert explain(UPLOADS, "set/a.csv")[::2] == explain(FINAL, "set/a.csv")[::2] == (0, "the file is published")


def remember_verdict(aws, s3, result):
    """Record a verdict with the library and the settings of the task."""
    dynamodb = aws.client("dynamodb")
    for item in dynamodb.scan(TableName="outcomes")["Items"]:
        dynamodb.delete_item(TableName="outcomes", Key={"id": item["id"]})
    digest = UploadBucket(S3Requests(s3), UPLOADS, 1000).list_set("set/", {}).digest
    Outcomes(lambda: dynamodb, "outcomes").settle_once(digest, lambda: result)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("nonsense", "an address has the form s3://bucket/key or s3://bucket/key?versionId=ID, not nonsense"),
        ("s3://bucket-only/", "an address has the form"),
        ("s3://unknown/key", "no task of the deployment has the bucket unknown; its buckets are: archive-bucket, "),
        (f"s3://{SOURCE}/key", f"s3://{SOURCE}/key is not known: no bucket, record, dead letter or log line has it"),
        (f"s3://{RESTORED}/a.txt", "is not known"),
    ],
)
def test_unknown_bucket_or_key_is_one_sentence_and_status_2(brigade, address, sentence):
    assert brigade("explain", address) == 2
    assert sentence in brigade.err and brigade.err.count("\n") == 1


def test_bucket_that_is_gone_is_named(near, brigade):
    near.delete_bucket(Bucket=ARCHIVE)
    assert brigade("explain", f"s3://{RESTORED}/a.txt") == 2
    assert brigade.err == f"error: the bucket {ARCHIVE} does not exist\n"


@pytest.mark.usefixtures("far")
def test_facts_are_in_the_order_of_time(near, letters, explain, brigade):
    near.put_object(Bucket=SOURCE, Key="k", Body=b"1")
    letters.mirror("k", reason=REASON)
    near.put_object(Bucket=SOURCE, Key="k", Body=b"22")
    explain(SOURCE, "k")
    times = [one["time"] for one in brigade.records if one.get("time")]
    assert len(times) == 3 and times == sorted(times)
    assert json.dumps(brigade.records[-1]) == json.dumps({**brigade.records[-1], "done": False})
