"""Outside services that fail or are not set, the log, and settings that are read late."""

import json

import pytest

from tasks.upload_validate.handler import handler
from tasks.utils.errors import SettingsError
from tests.support.events import s3_event, sqs_event
from tests.upload_validate.conftest import (
    FINAL,
    GITHUB,
    NOTHING,
    PREFIX,
    Context,
    csv_of,
    mails,
    notified,
    outcomes,
)

SHORT = csv_of() + b"short\n"


def test_github_failing_after_the_copies_loses_nothing(task, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    task.outside.faults += [(f"POST {GITHUB}", (503, {}, "down"))] * 4
    key = task.put("a.csv")
    event = sqs_event(task.event_of(key))
    assert handler(event, Context()) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert f"{PREFIX}report.json" not in task.published()
    assert handler(event, Context()) == {"batchItemFailures": []}
    assert notified(task) == (1, 0, 1)
    assert task.report()["github_issue"] == task.outside.issues[0]["html_url"]


@pytest.mark.parametrize(
    "council", [(404, {}), (500, "down"), (200, []), (200, {"name": None}), (200, {"name": " "}), (200, "{")]
)
def test_council_without_a_name_has_its_code_as_name(task, monkeypatch, council):
    monkeypatch.setattr("time.sleep", lambda _: None)
    task.outside.council = council
    task.run(task.put("a.csv"))
    assert task.report()["council_name"] == "E07000223"
    assert task.outside.issues[0]["title"] == "Import E07000223-E07000223 for 2025-05-01"


def test_notifications_without_keys_are_logged_and_not_sent(task, monkeypatch, capsys):
    for name in ("GITHUB_API_KEY", "WDIV_API_KEY", "ERROR_REPORT_EMAIL"):
        monkeypatch.delenv(name)
    task.run(task.put("a.csv"), task.put("a.csv", SHORT, prefix="E01/2025/1/"))
    lines = {line.get("message"): line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert lines["would raise an issue"]["title"] == "Import E07000223-Adur District Council for 2025-05-01"
    assert lines["would raise an issue"]["labels"] == ["Data Import", "ready"]
    assert lines["would send an e-mail"]["subject"].startswith("Error with data for council E01-")
    assert lines["would call the webhook"]["report"]["gss"] == "E01"
    assert notified(task) == NOTHING
    assert task.report()["github_issue"] == ""


def test_log_and_metrics_have_the_outcome_of_each_set(task, capsys):
    key = task.put("a.csv")
    task.run(key)
    task.run(key)
    lines = list(map(json.loads, capsys.readouterr().out.splitlines()))
    said = [line["message"] for line in lines if line.get("set") == PREFIX]
    assert said == ["published", "already published"]
    first, again = [line for line in lines if "_aws" in line]
    assert (first["Published"], first["Done"], len(first["EventAge"])) == ([1.0], [1.0], 1)
    assert first["Bytes"] == [float(len(csv_of()))]
    assert (again["Done"], "Published" in again, "Bytes" in again) == ([1.0], False, False)


@pytest.mark.usefixtures("stage", "outside")
def test_settings_that_are_missing_are_named_at_the_start(monkeypatch):
    for name in ("TEMP_BUCKET_NAME", "FINAL_BUCKET_NAME", "GITHUB_REPO", "WDIV_WEBHOOK_URL", "OUTCOMES_TABLE"):
        monkeypatch.delenv(name)
    with pytest.raises(SettingsError) as raised:
        handler(s3_event(), None)
    for name in ("TEMP_BUCKET_NAME", "FINAL_BUCKET_NAME", "GITHUB_REPO", "WDIV_WEBHOOK_URL", "OUTCOMES_TABLE"):
        assert f"{name} is not set" in str(raised.value)


def test_table_schema_comes_from_s3(task, s3, monkeypatch):
    schema = {"fields": [{"name": "a", "type": "integer"}, {"name": "b"}]}
    s3.put_object(Bucket=FINAL, Key="schemas/a.json", Body=json.dumps(schema))
    monkeypatch.setenv("PROFILE", "table-schema")
    monkeypatch.setenv("TABLE_SCHEMA", f"s3://{FINAL}/schemas/a.json")
    valid, wrong = task.put("x.csv", b"a,b\n1,2\n", prefix="march/"), task.put("x.csv", b"a,b\nx,2\n", prefix="april/")
    assert outcomes(task.run(valid, wrong)) == ["published", "rejected"]
    assert [issue["title"] for issue in task.outside.issues] == ["Import march"]
    assert mails()[0]["Subject"] == "Error with data in april"
    assert not any("councils" in path for _, path in task.outside.calls)
    assert task.report("march/")["gss"] == ""


@pytest.mark.parametrize("hostile", ['a\n{"level": "INFO"}.csv', "\u2028.csv", "\u202egpj.csv", "\x1b[31mred.csv"])
@pytest.mark.parametrize("body", [csv_of(), SHORT], ids=["sound", "wrong"])
def test_hostile_key_is_inert_in_the_log(task, capsys, hostile, body):
    task.run(task.put(hostile, body))
    lines = capsys.readouterr().out.splitlines()
    # Each line is one JSON object in ASCII, without a control character of the uploader.
    assert all(line.isascii() and line.isprintable() for line in lines)
    said = [json.loads(line) for line in lines]
    assert [one["set"] for one in said if "set" in one] == [PREFIX]
