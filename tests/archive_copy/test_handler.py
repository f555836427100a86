"""The task as its callers see it: buckets before, answer and buckets after.

I4: every record and every message has an answer, an unreadable one too.
"""

import json
import logging
from types import SimpleNamespace

import pytest

from tasks.archive_copy.handler import CopyRequestError, handler
from tasks.utils.errors import SettingsError
from tests.archive_copy.conftest import PROTECTED, PUBLIC, RESTORED
from tests.support.events import load, s3_event, s3_record, sqs_event

# The seed's nine tests, under their own names.


@pytest.mark.usefixtures("aws")
def test_handler_no_bucket_map(environment):
    environment(bucket_map="")
    with pytest.raises(SettingsError, match="bucket_map is not set: a JSON object such as "):
        handler(s3_event(s3_record(RESTORED, "a.hdf")), None)


def test_handler_no_ext_in_bucket_map(archive, environment):
    bucket_map = {".hdf": PROTECTED}
    environment(bucket_map=json.dumps(bucket_map))
    failed = failed_files(archive, s3_event(s3_record(RESTORED, "granule.txt")))
    assert [file["err_msg"] for file in failed] == [
        f'bucket_map: {bucket_map} does not contain values for ".txt" or "other"'
    ]


def test_handler_no_object_key_in_event(archive):
    record = s3_record(RESTORED, "a.hdf")
    del record["s3"]["object"]["key"]
    failed = failed_files(archive, s3_event(record))
    assert failed[0]["err_msg"] == (
        f'event record: "{record}" does not contain a value for Records["s3"]["object"]["key"]'
    )


def test_handler_no_other_in_bucket_map(archive, environment, s3):
    environment(bucket_map=json.dumps({".hdf": PROTECTED}))
    put(s3, "granule.hdf")
    assert archive(s3_event(s3_record(RESTORED, "granule.hdf"))) == {"files": [file("granule.hdf", PROTECTED)]}
    assert len(failed_files(archive, s3_event(s3_record(RESTORED, "README")))) == 1


def test_handler_one_file_fail_3x(archive, s3, wire):
    put(s3, "granule.hdf")
    wire.fail("CopyObject", (503, "SlowDown"), times=99)
    failed = failed_files(archive, s3_event(s3_record(RESTORED, "granule.hdf")))
    assert wire.count("CopyObject") == 3
    assert "SlowDown" in failed[0]["err_msg"]
    assert "(tried 3 times)" in failed[0]["err_msg"]
    assert keys(s3, PROTECTED) == []


def test_handler_one_file_retry2_success(archive, s3, wire):
    put(s3, "granule.hdf")
    wire.fail("CopyObject", (503, "SlowDown"), times=2)
    assert archive(s3_event(s3_record(RESTORED, "granule.hdf"))) == {"files": [file("granule.hdf", PROTECTED)]}
    assert wire.count("CopyObject") == 3


def test_handler_one_file_success(archive, s3):
    put(s3, "granules/granule.hdf", Body=b"bytes")
    answer = archive(s3_event(s3_record(RESTORED, "granules/granule.hdf")))
    assert answer == {"files": [file("granules/granule.hdf", PROTECTED)]}
    assert body(s3, PROTECTED, "granules/granule.hdf") == b"bytes"


def test_handler_two_records_one_fail_one_success(archive, s3, wire):
    put(s3, "a.hdf")
    put(s3, "b.txt")
    wire.fail("CopyObject", (503, "SlowDown"), times=99, key="a.hdf")
    with pytest.raises(CopyRequestError) as raised:
        archive(s3_event(s3_record(RESTORED, "a.hdf"), s3_record(RESTORED, "b.txt")))
    answer = answer_in(raised.value)
    assert [found["success"] for found in answer["files"]] == [False, True]
    assert answer["files"][1] == file("b.txt", PUBLIC)
    # The object that succeeded is not copied again when the other one is retried.
    assert wire.count("CopyObject") == 4


def test_handler_two_records_success(archive, s3):
    put(s3, "a.hdf")
    put(s3, "b.txt")
    answer = archive(s3_event(s3_record(RESTORED, "a.hdf"), s3_record(RESTORED, "b.txt")))
    assert answer == {"files": [file("a.hdf", PROTECTED), file("b.txt", PUBLIC)]}


# Batches with records of each kind.

SOUND = [f"sound-{number}.txt" for number in range(7)]


def ten_records(s3, wire):
    for key in (*SOUND, "denied.hdf"):
        put(s3, key)
    wire.fail("CopyObject", (403, "AccessDenied"), times=99, key="denied.hdf")
    malformed = {"eventName": "ObjectRestore:Completed", "s3": {"bucket": {"name": RESTORED}}}
    sound = [s3_record(RESTORED, key) for key in SOUND]
    return [*sound[:3], malformed, *sound[3:], s3_record(RESTORED, "unmapped.xyz"), s3_record(RESTORED, "denied.hdf")]


WITHOUT_OTHER = json.dumps({".txt": PUBLIC, ".hdf": PROTECTED})


def test_direct_event_of_ten_with_three_bad_ones_copies_seven_and_names_three(archive, environment, s3, wire):
    environment(bucket_map=WITHOUT_OTHER)
    with pytest.raises(CopyRequestError) as raised:
        archive(s3_event(*ten_records(s3, wire)))
    answer = answer_in(raised.value)
    assert [position for position, found in enumerate(answer["files"]) if not found["success"]] == [3, 8, 9]
    assert keys(s3, PUBLIC) == SOUND
    # A denied request is not repeated: each object takes one request.
    assert wire.sent == ["CopyObject"] * 8


def test_queue_batch_of_ten_with_three_bad_ones_copies_seven_and_hands_three_back(archive, environment, s3, wire):
    environment(bucket_map=WITHOUT_OTHER)
    event = sqs_event(*(s3_event(record) for record in ten_records(s3, wire)))
    assert archive(event) == {"batchItemFailures": [{"itemIdentifier": f"message-{number}"} for number in (3, 8, 9)]}
    assert keys(s3, PUBLIC) == SOUND


@pytest.fixture(name="dead_letters")
def queue_for_dead_letters(sqs, environment):
    """Return the messages in the dead-letter queue of the task."""
    url = sqs.create_queue(QueueName="archive-copy-dead-letters")["QueueUrl"]
    environment(bucket_map=WITHOUT_OTHER, DEAD_LETTER_QUEUE=url, MAX_RECEIVES="5")
    return lambda: receive_all(sqs, url)


def test_queue_batch_moves_two_dead_letters_with_their_reasons_and_returns_the_denied_one(
    archive, s3, wire, dead_letters
):
    records = ten_records(s3, wire)
    assert archive(sqs_event(*(s3_event(record) for record in records))) == {
        "batchItemFailures": [{"itemIdentifier": "message-9"}]
    }
    received = dead_letters()
    bodies = [json.loads(message["Body"])["Records"][0] for message in received]
    assert len(bodies) == 2
    assert all(records[at] in bodies for at in (3, 8))
    types = sorted(message["MessageAttributes"]["ErrorType"]["StringValue"] for message in received)
    assert types == ["EventError", "UnmappedExtensionError"]
    reasons = " ".join(message["MessageAttributes"]["Reason"]["StringValue"] for message in received)
    assert 'does not contain a value for Records["s3"]["object"]["key"]' in reasons
    assert 'does not contain values for ".xyz" or "other"; its extensions are ' in reasons
    assert "{" not in reasons


def test_message_that_may_pass_later_is_handed_back_although_there_is_a_dead_letter_queue(
    archive, s3, wire, dead_letters
):
    put(s3, "a.txt")
    wire.fail("CopyObject", (503, "SlowDown"), times=99)
    event = sqs_event(s3_event(s3_record(RESTORED, "a.txt")))
    assert archive(event) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert not dead_letters()


def test_message_that_fails_at_its_last_receive_goes_to_the_dead_letters_with_its_reason(
    archive, s3, wire, dead_letters
):
    put(s3, "a.txt")
    wire.fail("CopyObject", (503, "SlowDown"), times=99)
    event = sqs_event(s3_event(s3_record(RESTORED, "a.txt")))
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = "5"
    assert archive(event) == {"batchItemFailures": []}
    (message,) = dead_letters()
    assert "SlowDown" in message["MessageAttributes"]["Reason"]["StringValue"]


def test_message_with_a_permanent_and_a_transient_failure_gets_another_try(archive, s3, wire, dead_letters):
    put(s3, "a.txt")
    wire.fail("CopyObject", (503, "SlowDown"), times=99)
    event = sqs_event(s3_event(s3_record(RESTORED, "unmapped.xyz"), s3_record(RESTORED, "a.txt")))
    assert archive(event) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert not dead_letters()


def test_message_that_is_not_json_is_kept_and_not_acknowledged(archive):
    assert archive(sqs_event("{not json")) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}


def test_dead_letter_queue_that_refuses_leaves_the_message_in_its_own_queue(archive, environment):
    environment(DEAD_LETTER_QUEUE="https://sqs.eu-west-1.amazonaws.com/123456789012/no-such-queue")
    assert archive(sqs_event("{not json")) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}


# Other envelopes and other events.


def test_test_event_of_s3_is_answered_with_nothing(archive, wire):
    assert archive(load("s3_test_event")) == {"files": []}
    assert archive(sqs_event(load("s3_test_event"))) == {"batchItemFailures": []}
    assert wire.sent == []


@pytest.mark.parametrize(
    "name, said",
    [
        ("ObjectRestore:Post", "not yet: the restore has begun"),
        ("ObjectRestore:Delete", "nothing to do: the restored copy has expired"),
        ("ObjectRemoved:Delete", "nothing to do: the object was removed"),
        ("ObjectTagging:Put", "nothing to do: only the tags changed"),
        ("LifecycleExpiration:Delete", "nothing to do: the object has expired"),
        ("ReducedRedundancyLostObject", "nothing to do: this event asks for no copy"),
    ],
)
def test_event_that_asks_for_no_copy_is_answered_and_never_fails(archive, wire, name, said):
    answer = archive(s3_event(s3_record(RESTORED, "a.hdf", name=name)))
    assert answer["files"] == []
    (skipped,) = answer["skipped"]
    assert skipped["reason"].startswith(said)
    assert (skipped["source_bucket"], skipped["source_key"]) == (RESTORED, "a.hdf")
    assert archive(sqs_event(s3_event(s3_record(RESTORED, "a.hdf", name=name)))) == {"batchItemFailures": []}
    assert wire.sent == []


def test_event_from_eventbridge_is_copied_under_its_undecoded_key(archive, s3):
    put(s3, "granules/a+b c.hdf")
    event = load("eventbridge_restore_completed")
    del event["detail"]["object"]["version-id"], event["detail"]["object"]["etag"]
    assert archive(event) == {"files": [file("granules/a+b c.hdf", PROTECTED)]}
    assert keys(s3, PROTECTED) == ["granules/a+b c.hdf"]


def test_record_without_an_event_name_is_copied_as_the_seed_did(archive, s3):
    put(s3, "a.hdf")
    event = {"Records": [{"s3": {"bucket": {"name": RESTORED}, "object": {"key": "a.hdf"}}}]}
    assert archive(event) == {"files": [file("a.hdf", PROTECTED)]}


def test_batch_operations_get_a_result_for_each_task(archive, s3, wire):
    event = load("batch_operations_1_0")
    first = event["tasks"][0]
    put(s3, "granules/a+b c.hdf")
    put(s3, "slow.txt")
    event["tasks"] += [
        {**first, "taskId": "gone", "s3Key": "gone.txt"},
        {**first, "taskId": "slow", "s3Key": "slow.txt"},
        {"taskId": "keyless", "s3BucketArn": first["s3BucketArn"]},
    ]
    wire.fail("CopyObject", (503, "SlowDown"), times=99, key="slow.txt")
    answer = archive(event)
    assert answer["invocationId"] == event["invocationId"]
    assert answer["invocationSchemaVersion"] == "1.0"
    results = {result["taskId"]: result["resultCode"] for result in answer["results"]}
    assert results == {
        first["taskId"]: "Succeeded",
        "gone": "PermanentFailure",
        "slow": "TemporaryFailure",
        "keyless": "PermanentFailure",
    }
    assert keys(s3, PROTECTED) == ["granules/a+b c.hdf"]


def test_batch_operations_of_schema_2_name_their_bucket_and_version(archive, s3):
    s3.put_bucket_versioning(Bucket=RESTORED, VersioningConfiguration={"Status": "Enabled"})
    event = load("batch_operations_2_0")
    event["tasks"][0]["s3VersionId"] = put(s3, "granules/a.hdf", Body=b"meant")["VersionId"]
    put(s3, "granules/a.hdf", Body=b"newer")
    assert [result["resultCode"] for result in archive(event)["results"]] == ["Succeeded"]
    assert body(s3, PROTECTED, "granules/a.hdf") == b"meant"


@pytest.mark.parametrize("event", [None, [], "text", {}, {"Records": None}, {"Records": ["text", None]}])
def test_direct_event_that_is_no_event_fails_with_a_sentence(archive, event):
    with pytest.raises(CopyRequestError, match="File copy failed. "):
        archive(event)


# Time.


REQUEST = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def context(seconds):
    return SimpleNamespace(aws_request_id=REQUEST, get_remaining_time_in_millis=lambda: seconds * 1000)


def test_batch_that_begins_too_late_comes_back_whole(archive, s3, wire):
    put(s3, "a.txt")
    event = sqs_event(s3_event(s3_record(RESTORED, "a.txt")))
    assert archive(event, context(1)) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert wire.sent == []


def test_deferred_message_is_logged_and_is_no_failure(archive, capsys):
    archive(sqs_event(s3_event(s3_record(RESTORED, "a.txt"))), context(1))
    (line,) = log_lines(capsys)
    assert (line["level"], line["message"], line["message_id"]) == ("WARNING", "will be retried", "message-0")
    assert line["reason"] == "no time was left to begin with this message"


def test_line_of_an_unreadable_record_has_the_record_as_json(archive, capsys):
    record = {"s3": {"bucket": {"name": RESTORED}, "object": None}}
    failed_files(archive, s3_event(record))
    line = log_lines(capsys)[0]
    assert json.loads(line["record"]) == record
    assert line["reason"] == 'the event record does not contain a value for Records["s3"]["object"]["key"]'


def test_direct_event_that_begins_too_late_says_so(archive, wire):
    with pytest.raises(CopyRequestError, match="no time was left to begin"):
        archive(s3_event(s3_record(RESTORED, "a.txt")), context(1))
    assert wire.sent == []


# Log lines and metrics.


def test_log_lines_hold_request_bucket_key_version_and_outcome(archive, s3, capsys):
    s3.put_bucket_versioning(Bucket=RESTORED, VersioningConfiguration={"Status": "Enabled"})
    version = put(s3, "a.txt")["VersionId"]
    archive(s3_event(s3_record(RESTORED, "a.txt", version_id=version)), context(60))
    line = log_lines(capsys)[0]
    expected = {
        "level": "INFO",
        "message": "archived",
        "service": "archive_copy",
        "function_request_id": REQUEST,
        "bucket": RESTORED,
        "key": "a.txt",
        "version_id": version,
        "destination": f"s3://{PUBLIC}/a.txt",
        "attempts": 1,
    }
    assert {name: line.get(name) for name in expected} == expected


def test_metrics_count_copies_failures_bytes_and_the_age_of_the_oldest_event(archive, s3, capsys):
    put(s3, "a.txt", Body=b"12345")
    put(s3, "b.txt", Body=b"1234567")
    records = [s3_record(RESTORED, key, size=size) for key, size in (("a.txt", 5), ("b.txt", 7), ("c.txt", 9))]
    archive(sqs_event(*(s3_event(record) for record in records)))
    (line,) = [line for line in log_lines(capsys) if "_aws" in line]
    assert (line["Copied"], line["Failed"], line["Bytes"]) == ([2.0], [1.0], [12.0])
    assert line["EventAge"][0] > 0
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "BucketBrigade"
    assert line["service"] == "archive_copy"


def test_metrics_of_two_deployments_are_separate(archive, s3, capsys):
    put(s3, "a.txt")
    event = sqs_event(s3_event(s3_record(RESTORED, "a.txt")))
    for prefix in ("one", "two"):
        archive(event, SimpleNamespace(**vars(context(60)), function_name=f"{prefix}-archive-copy"))
    (copied, again) = [line for line in log_lines(capsys) if "_aws" in line]
    (dimensions,) = copied["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert sorted(dimensions) == ["function_name", "service"]
    assert (copied["function_name"], again["function_name"]) == ("one-archive-copy", "two-archive-copy")


def test_copy_has_the_storage_class_of_its_archive(archive, environment, s3):
    environment(bucket_map=json.dumps({".txt": {"bucket": PUBLIC, "storage_class": "GLACIER"}, "other": PROTECTED}))
    for key in ("a.txt", "a.hdf"):
        put(s3, key)
        archive(s3_event(s3_record(RESTORED, key)))
    assert s3.head_object(Bucket=PUBLIC, Key="a.txt")["StorageClass"] == "GLACIER"
    assert "StorageClass" not in s3.head_object(Bucket=PROTECTED, Key="a.hdf")


def test_map_in_a_parameter_works_as_in_the_environment(archive, aws, environment, s3):
    aws.client("ssm").put_parameter(Name="/b2/map", Value=json.dumps({"other": PUBLIC}), Type="String")
    environment(bucket_map="ssm:/b2/map")
    put(s3, "a.hdf")
    archive(s3_event(s3_record(RESTORED, "a.hdf")))
    assert keys(s3, PUBLIC) == ["a.hdf"]


def test_missing_parameter_of_the_map_fails_with_a_sentence_that_names_it(archive, environment):
    environment(bucket_map="ssm:/b2/map")
    with pytest.raises(SettingsError, match="bucket_map: the parameter /b2/map cannot be read: .*ParameterNotFound"):
        archive(s3_event(s3_record(RESTORED, "a.hdf")))


def test_hostile_key_stays_inside_its_log_line(archive, s3, capsys):
    key = 'a\n{"level":"INFO"}\u2028\u202eb.txt'
    put(s3, key)
    archive(s3_event(s3_record(RESTORED, key)))
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out.splitlines()[0])["key"] == key
    assert len(out.splitlines()) == 2
    logging.getLogger("bucket_brigade").warning("a message: %s", key)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.isascii() and json.loads(line)["message"].isprintable()


def test_record_that_no_text_can_hold_is_logged_and_fails(archive, capsys):
    with pytest.raises(CopyRequestError, match="surrogate"):
        archive({"Records": [{"s3": {"bucket": {"name": RESTORED}, "object": {"key": "\ud800.txt"}}}]})
    assert log_lines(capsys)[0]["message"] == "failed"


def put(s3, key, **how):
    return s3.put_object(Bucket=RESTORED, Key=key, **{"Body": key.encode(), **how})


def body(s3, bucket, key):
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def keys(s3, bucket):
    return [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def file(key, target):
    return {"success": True, "source_bucket": RESTORED, "source_key": key, "target_bucket": target, "err_msg": ""}


def answer_in(error):
    return json.loads(str(error).removeprefix("File copy failed. "))


def failed_files(archive, event):
    with pytest.raises(CopyRequestError, match="^File copy failed. {") as raised:
        archive(event)
    return [found for found in answer_in(raised.value)["files"] if not found["success"]]


def receive_all(sqs, url):
    received = []
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
        "Messages"
    ):
        received += found
    return received


def log_lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_logging_level_overrides_the_level_of_lambda(archive, environment, s3, monkeypatch, capsys):
    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", "INFO")
    environment(LOGGING_LEVEL="ERROR")
    put(s3, "a.txt")
    with pytest.raises(CopyRequestError):
        archive(s3_event(s3_record(RESTORED, "a.txt"), s3_record(RESTORED, "gone.txt")))
    assert [line["message"] for line in log_lines(capsys) if "_aws" not in line] == ["failed"]


@pytest.mark.parametrize("task", [{}, "text", None, {"s3Key": "a.txt"}])
def test_invocation_with_a_task_that_has_no_id_is_refused_with_a_sentence(archive, task):
    event = load("batch_operations_2_0")
    with pytest.raises(CopyRequestError, match="^File copy failed. "):
        archive({**event, "tasks": [task]})
