import csv
import json
import re

import pytest
from botocore.exceptions import ClientError

from ops.checking import repair as repair_module
from tasks.utils.events import Kind, ObjectEvent, object_events
from tasks.utils.key_messages import entry, group_of, to_body
from tasks.utils.key_state import KeyState, Origin, ReplicaVersion
from tasks.utils.mirror_items import key_row, version_row
from tasks.utils.s3_object import S3Object
from tests.ops.conftest import DESTINATION_REGION, MIRROR, SOURCE

HOSTILE = "=[red]\x1b[31m\nforged"


class Buckets:
    """Both buckets of the mirror."""

    def __init__(self, aws):
        self.near, self.far = aws.client("s3"), aws.client("s3", region_name=DESTINATION_REGION)
        self.sides = (self.near, SOURCE), (self.far, MIRROR)

    def put(self, key, source=None, destination=None):
        """Put an object to one side or to both."""
        if source is not None:
            self.near.put_object(Bucket=SOURCE, Key=key, Body=source)
        if destination is not None:
            self.far.put_object(Bucket=MIRROR, Key=key, Body=destination)

    def etags(self, key):
        """Return the ETags of both sides."""
        return [side.head_object(Bucket=bucket, Key=key)["ETag"] for side, bucket in self.sides]


@pytest.fixture(name="buckets")
def both_buckets(aws, outputs):
    assert outputs
    return Buckets(aws)


def test_equal_sides_are_status_0(brigade, buckets):
    buckets.put("a", b"1", b"1")
    assert brigade("check") == 0
    assert "both sides are equal: 1 key (1 equal), 1 byte at the source" in brigade.out
    assert brigade.err == ""


def test_differences_are_status_1_and_written_in_each_form(brigade, buckets, tmp_path):
    buckets.put("equal", b"1", b"1")
    buckets.put("missing", b"1")
    buckets.put(HOSTILE, None, b"1")
    combined, table = tmp_path / "combined", tmp_path / "rows.csv"

    assert brigade("check", "--combined", str(combined), "--csv", str(table)) == 1

    shown = r"=[red]\x1b[31m\nforged"
    assert sorted(combined.read_text().splitlines()) == ["+ missing", f"- {shown}", "= equal"]
    rows = list(csv.reader(table.read_text().splitlines()))
    assert rows[0][:2] == ["object", "result"]
    assert sorted(row[:2] for row in rows[1:]) == [
        [f"s3://{SOURCE}/{shown}", "extra"],
        [f"s3://{SOURCE}/missing", "missing"],
    ]
    assert "2 differences: 3 keys" in brigade.out
    assert f"-  {shown}" in brigade.out and "\x1b" not in brigade.out


def test_json_has_a_line_for_each_difference_and_the_summary(brigade, buckets):
    buckets.put(HOSTILE, b"1")
    assert brigade("check", "--json") == 1
    difference, summary = brigade.records
    assert (difference["key"], difference["result"]) == (HOSTILE, "missing")
    assert (summary["type"], summary["keys"], summary["missing"], summary["equal"]) == ("summary", 1, 1, 0)
    assert summary["requests"] >= 2 and summary["bytes"] == 1


def test_combined_goes_to_standard_output(brigade, buckets):
    buckets.put("a", b"1", b"1")
    assert brigade("check", "--combined", "-") == 0
    assert brigade.out.startswith("= a\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--combined", "nowhere/file"], "nowhere/file cannot be written: No such file or directory"),
        (["--workers", "0"], "0 is not in the range 1<=x<=64"),
    ],
)
def test_mistake_of_the_user_is_one_sentence(brigade, outputs, arguments, sentence):
    assert outputs
    assert brigade("check", *arguments) == 2
    assert brigade.err.startswith("error: ") and brigade.err.count("\n") == 1 and sentence in brigade.err


def test_missing_bucket_is_status_2(aws, brigade, outputs):
    assert outputs
    aws.client("s3").delete_bucket(Bucket=SOURCE)
    assert brigade("check") == 2
    assert brigade.err.count("\n") == 1 and f"s3://{SOURCE}" in brigade.err


def test_deployment_without_a_mirror_is_status_2(brigade, outputs, outputs_file):
    outputs_file.write_text(json.dumps({"archive_copy": {"value": outputs["archive_copy"]}}), encoding="utf-8")
    assert brigade("check") == 2
    assert brigade.err == "error: --task should be one of these: archive_copy; it is partition_replicate\n"


def causes(brigade):
    return {record["key"]: record["cause"] for record in brigade.records if record["type"] == "difference"}


@pytest.fixture(name="sqs")
def queue_client(aws):
    return aws.client("sqs")


def messages_of(sqs, outputs, name):
    url = outputs["partition_replicate"][name]
    return sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]).get("Messages", [])


def test_dead_letter_is_the_cause_and_stays_in_its_queue(brigade, buckets, sqs, outputs):
    for key in ("a", "b"):
        buckets.put(key, b"1")
        event = ObjectEvent(Kind.CREATED, "", S3Object(SOURCE, key))
        reason = {"Reason": {"DataType": "String", "StringValue": f"{key} is denied"}}
        url = outputs["partition_replicate"]["dead_letter_queue_url"]
        sqs.send_message(QueueUrl=url, MessageAttributes=reason, **entry(event, key))
    assert brigade("check", "--json") == 1
    assert causes(brigade) == {"a": "dead letter", "b": "dead letter"}
    assert {record.get("detail") for record in brigade.records} == {"a is denied", "b is denied", None}
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert counts == {"ApproximateNumberOfMessages": "2"}


def test_event_that_was_not_delivered_is_a_dead_letter_too(brigade, buckets, sqs, outputs):
    buckets.put("a", b"1")
    body = to_body(ObjectEvent(Kind.CREATED, "", S3Object(SOURCE, "a")))
    url = outputs["partition_replicate"]["undelivered_queue_url"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"requestPayload": json.loads(body)}))
    sqs.send_message(QueueUrl=url, MessageBody="no JSON")
    assert brigade("check", "--json") == 1
    assert causes(brigade) == {"a": "dead letter"}


def test_new_object_waits_until_the_lag_is_over(brigade, buckets):
    buckets.put("a", b"1")
    assert brigade("check", "--json") == 1
    assert causes(brigade) == {"a": "waiting"}
    assert brigade("check", "--json", "--lag", "0") == 1
    assert causes(brigade) == {"a": "never seen"}


def test_prefix_of_the_rule_excludes_keys_which_are_no_differences(aws, brigade, buckets, outputs):
    pattern = {"source": ["aws.s3"], "detail": {"object": {"key": [{"prefix": "mirrored/"}]}}}
    name = outputs["partition_replicate"]["replicate_function_name"]
    aws.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
    buckets.put("other/a", b"1")
    assert brigade("check", "--json") == 0
    assert causes(brigade) == {"other/a": "excluded"}
    buckets.put("mirrored/a", b"1")
    assert brigade("check", "--json") == 1


def test_open_upload_at_the_destination_is_the_cause(brigade, buckets):
    buckets.put("a", b"1")
    buckets.far.create_multipart_upload(Bucket=MIRROR, Key="a")
    assert brigade("check", "--json", "--lag", "0") == 1
    assert causes(brigade) == {"a": "half uploaded"}


def test_archived_object_is_the_cause(brigade, buckets):
    buckets.near.put_object(Bucket=SOURCE, Key="a", Body=b"1", StorageClass="GLACIER")
    assert brigade("check", "--json", "--lag", "0") == 1
    assert causes(brigade) == {"a": "archived"}


def test_repair_sends_each_key_in_its_group(brigade, buckets, sqs, outputs):
    buckets.put("missing", b"1")
    buckets.put("extra", None, b"1")
    assert brigade("check", "--repair", "--no-wait") == 1
    (message,) = messages_of(sqs, outputs, "queue_url")
    assert message["Attributes"]["MessageGroupId"] == group_of(S3Object(SOURCE, "missing"))
    (event,) = object_events(json.loads(message["Body"]))
    assert (event.kind, event.object) == (Kind.RECHECK, S3Object(SOURCE, "missing"))
    assert "not repaired: extra: nothing shows that it was removed at the source on purpose" in brigade.out
    assert "sent 1 message to the queue of the mirror" in brigade.out


def test_repair_deletes_an_extra_object_only_if_asked(brigade, buckets, sqs, outputs):
    buckets.put("extra", None, b"1")
    assert brigade("check", "--repair", "--no-wait", "--delete-extra") == 1
    (message,) = messages_of(sqs, outputs, "queue_url")
    (event,) = object_events(json.loads(message["Body"]))
    assert (event.kind, event.object.key) == (Kind.REMOVED, "extra")


def test_dry_run_sends_nothing(brigade, buckets, sqs, outputs):
    buckets.put("missing", b"1")
    assert brigade("check", "--repair", "--dry-run", "--json") == 1
    assert [record["repair"] for record in brigade.records if record["type"] == "repair"] == ["recheck"]
    assert messages_of(sqs, outputs, "queue_url") == []


def test_repair_waits_and_checks_the_keys_again(brigade, buckets, sqs, outputs, monkeypatch):
    buckets.put("missing", b"1")

    def replicated(seconds):
        assert seconds
        for message in messages_of(sqs, outputs, "queue_url"):
            buckets.put("missing", None, b"1")
            sqs.delete_message(
                QueueUrl=outputs["partition_replicate"]["queue_url"], ReceiptHandle=message["ReceiptHandle"]
            )

    monkeypatch.setattr(repair_module.time, "sleep", replicated)
    assert brigade("check", "--repair") == 0
    assert "1 difference: 1 key" in brigade.out and "both sides are equal: 1 key (1 equal)" in brigade.out


def test_wait_that_takes_too_long_is_status_2(brigade, buckets, monkeypatch):
    buckets.put("missing", b"1")
    monkeypatch.setattr(repair_module.time, "sleep", lambda seconds: None)
    assert brigade("check", "--repair", "--timeout", "0") == 2
    assert brigade.err == "error: after 0 s the queue still holds 1 message: check again later\n"


def enable_versions(buckets):
    about = {"VersioningConfiguration": {"Status": "Enabled"}}
    buckets.near.put_bucket_versioning(Bucket=SOURCE, **about)
    buckets.far.put_bucket_versioning(Bucket=MIRROR, **about)


def test_versions_show_a_lost_delete_marker_that_the_mirror_made(aws, brigade, buckets, outputs):
    enable_versions(buckets)
    buckets.put("k", b"1", b"1")
    ids = [side.list_object_versions(Bucket=b)["Versions"][0] for side, b in buckets.sides]
    marker = buckets.near.delete_object(Bucket=SOURCE, Key="k")["VersionId"]
    made = {
        ids[0]["VersionId"]: ReplicaVersion(ids[1]["VersionId"], ids[1]["ETag"]),
        marker: ReplicaVersion("lost", ""),
    }
    state = KeyState(Origin(marker, ""), made[marker])
    rows = [key_row("k", state), *(version_row("k", version, replica, {}) for version, replica in made.items())]
    for row in rows:
        aws.client("dynamodb").put_item(TableName=outputs["partition_replicate"]["table"], Item=row)

    assert brigade("check", "--versions", "--json", "--lag", "0") == 1
    difference = brigade.records[0]
    assert (difference["cause"], difference["reason"]) == (
        "other writer",
        f"the destination lacks the delete marker {marker}",
    )
    assert brigade("check", "--json", "--lag", "0", "--repair", "--dry-run") == 1
    assert [record["repair"] for record in brigade.records if record["type"] == "repair"] == ["recheck"]


@pytest.mark.parametrize("more", [[], ["--deep"]])
def test_versions_of_a_mirror_without_them_are_refused(brigade, buckets, more):
    buckets.put("k", b"1", b"1")
    assert brigade("check", "--versions", *more) == 2
    assert brigade.err.startswith("error: --versions") and brigade.err.count("\n") == 1


def shown_progress(brigade, monkeypatch, *options):
    """Return what a check shows on a terminal while it runs."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert brigade("check", *options) == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", brigade.err)


def test_progress_shows_the_time_left_by_the_number_of_objects_that_s3_counted(brigade, buckets, monkeypatch):
    for key in ("a", "b"):
        buckets.put(key, b"1", b"1")
    shown = shown_progress(brigade, monkeypatch)
    assert "0/2" in shown and re.search(r"2/2 .*left 0:00:00", shown)
    # S3 counts whole buckets only.
    assert "1/?" in shown_progress(brigade, monkeypatch, "--prefix", "a")


@pytest.mark.parametrize(("counted", "shown"), [(1, "2/2"), (None, "2/?"), ("AccessDenied", "2/?")])
def test_progress_goes_on_if_the_number_of_objects_is_old_or_unknown(brigade, buckets, monkeypatch, counted, shown):
    def objects_in(*_):
        if counted == "AccessDenied":
            raise ClientError({"Error": {"Code": counted}}, "GetMetricStatistics")
        return counted

    monkeypatch.setattr("ops.commands.check.objects_in", objects_in)
    for key in ("a", "b"):
        buckets.put(key, b"1", b"1")
    assert shown in shown_progress(brigade, monkeypatch)
