"""The task as its callers see it: buckets before, answer and buckets after."""

import json

import pytest

from tasks.archive_copy.handler import CopyRequestError, handler
from tasks.utils.errors import SettingsError
from tests.archive_copy.conftest import PROTECTED, PUBLIC, RESTORED
from tests.archive_copy.outcomes import answer_in, body, failed_files, file, keys, put
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


def test_batch_operations_task_of_an_archived_object_has_nothing_to_do(archive, s3):
    event = load("batch_operations_1_0")
    event["tasks"][0]["s3Key"] = "frozen.hdf"
    put(s3, "frozen.hdf", StorageClass="GLACIER")
    (result,) = archive(event)["results"]
    expected = ("Succeeded", "nothing to do: the object is archived and not restored")
    assert (result["resultCode"], result["resultString"]) == expected
    assert keys(s3, PROTECTED) == []


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


@pytest.mark.parametrize("task", [{}, "text", None, {"s3Key": "a.txt"}])
def test_invocation_with_a_task_that_has_no_id_is_refused_with_a_sentence(archive, task):
    event = load("batch_operations_2_0")
    with pytest.raises(CopyRequestError, match="^File copy failed. "):
        archive({**event, "tasks": [task]})
