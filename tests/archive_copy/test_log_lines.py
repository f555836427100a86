"""Log lines and metrics of the task."""

import json
import logging
from types import SimpleNamespace

import pytest

from tasks.archive_copy.handler import CopyRequestError
from tests.archive_copy.conftest import PUBLIC, RESTORED
from tests.archive_copy.outcomes import REQUEST, context, failed_files, log_lines, put
from tests.support.events import s3_event, s3_record, sqs_event


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


def test_metrics_count_copies_failures_bytes_and_the_age_of_each_event(archive, s3, capsys):
    put(s3, "a.txt", Body=b"12345")
    put(s3, "b.txt", Body=b"1234567")
    records = [s3_record(RESTORED, key, size=size) for key, size in (("a.txt", 5), ("b.txt", 7), ("c.txt", 9))]
    archive(sqs_event(*(s3_event(record) for record in records)))
    (line,) = [line for line in log_lines(capsys) if "_aws" in line]
    assert (line["Copied"], line["Done"], line["Failed"], line["Bytes"]) == ([2.0], [2.0], [1.0], [12.0])
    assert len(line["EventAge"]) == 2 and min(line["EventAge"]) > 0
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "BucketBrigade"
    assert line["service"] == "archive_copy"


def test_metrics_of_two_deployments_are_separate(archive, environment, s3, capsys):
    put(s3, "a.txt")
    event = sqs_event(s3_event(s3_record(RESTORED, "a.txt")))
    for prefix in ("one", "two"):
        environment(DEPLOYMENT=prefix)
        archive(event, SimpleNamespace(**vars(context(60)), function_name=f"{prefix}-archive-copy"))
    (copied, again) = [line for line in log_lines(capsys) if "_aws" in line]
    (dimensions,) = copied["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert sorted(dimensions) == ["deployment", "function_name", "service"]
    assert (copied["deployment"], copied["function_name"]) == ("one", "one-archive-copy")
    assert (again["deployment"], again["function_name"]) == ("two", "two-archive-copy")


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


def test_logging_level_overrides_the_level_of_lambda(archive, environment, s3, monkeypatch, capsys):
    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", "INFO")
    environment(LOGGING_LEVEL="ERROR")
    put(s3, "a.txt")
    with pytest.raises(CopyRequestError):
        archive(s3_event(s3_record(RESTORED, "a.txt"), s3_record(RESTORED, "gone.txt")))
    assert [line["message"] for line in log_lines(capsys) if "_aws" not in line] == ["failed"]


def test_line_of_an_unreadable_record_has_the_record_as_json(archive, capsys):
    record = {"s3": {"bucket": {"name": RESTORED}, "object": None}}
    failed_files(archive, s3_event(record))
    line = log_lines(capsys)[0]
    assert json.loads(line["record"]) == record
    assert line["reason"] == 'the event record does not contain a value for Records["s3"]["object"]["key"]'
