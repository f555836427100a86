"""The task from outside: uploads go in; buckets, issues, mails and calls come out.

I4: every event has an end. I9: no key is shown.
"""

import gzip
import json

from tasks.upload_validate.handler import handler
from tasks.utils.deadline import limit_timeout
from tests.conftest import REGION, client_of_the_tests
from tests.support.events import sqs_event
from tests.upload_validate.conftest import (
    FINAL,
    GITHUB,
    PREFIX,
    QUARANTINE,
    REPOSITORY,
    SHORT,
    WEBHOOK,
    Context,
    csv_of,
    forget_container,
    mails,
    notified,
    outcomes,
)


def test_valid_set_is_published_and_notified(task, s3):
    key = task.put("stations.csv")
    answer = task.run(key)
    assert outcomes(answer) == ["published"]
    assert task.published() == [f"{PREFIX}report.html", f"{PREFIX}report.json", key]
    assert s3.get_object(Bucket=FINAL, Key=key)["Body"].read() == csv_of()
    (issue,) = task.outside.issues
    assert issue["title"] == "Import E07000223-Adur District Council for 2025-05-01"
    assert issue["body"].startswith(f"EMS: Idox Eros (Halarose)\nFiles:\n- `{key}`\n\n<!-- ")
    assert [label["name"] for label in issue["labels"]] == ["Data Import", "ready"]
    ((headers, report),) = task.outside.hooks
    assert headers["Authorization"] == "Token wdiv-key"
    assert report == task.report()
    assert mails() == []


def test_requests_of_a_direct_event_wait_no_longer_than_the_invocation_lasts(task, aws):
    # Among them are the requests for keys, before the first set is listed.
    key, waits = task.put("stations.csv"), {}
    aws.events.register("before-send", lambda request, **_: waits.update({request.url: limit_timeout(9_999)}), "note")
    task.run(key)
    aws.events.unregister("before-send", unique_id="note")
    assert len({url.split("/")[2] for url in waits}) > 2
    assert max(waits.values()) < 9_999


def test_report_has_the_fields_in_their_order_and_of_their_types(task, s3):
    task.run(task.put("stations.csv"))
    report = task.report()
    assert list(report)[:6] == ["gss", "council_name", "timestamp", "election_date", "github_issue", "file_set"]
    assert {name: report[name] for name in list(report)[:5]} == {
        "gss": "E07000223",
        "council_name": "Adur District Council",
        "timestamp": "2025-03-02T10:00:00Z",
        "election_date": "2025-05-01",
        "github_issue": f"https://github.com/{REPOSITORY}/issues/1",
    }
    (entry,) = report["file_set"]
    assert dict(list(entry.items())[:6]) == {
        "key": f"{PREFIX}stations.csv",
        "csv_valid": True,
        "csv_rows": 61,
        "csv_encoding": "utf-8",
        "ems": "Idox Eros (Halarose)",
        "errors": "",
    }
    written = s3.get_object(Bucket=FINAL, Key=f"{PREFIX}report.json")
    assert written["ContentType"] == "application/json"
    assert written["Body"].read().decode() == json.dumps(report, indent=2)


def test_set_with_errors_is_not_published_and_its_errors_are_mailed(task):
    good, bad = task.put("a.csv"), task.put("b.csv", SHORT)
    assert outcomes(task.run(good, bad)) == ["rejected"]
    assert task.published() == []
    assert task.outside.issues == []
    (mail,) = mails()
    assert mail["Subject"] == "Error with data for council E07000223-Adur District Council"
    assert (mail["From"], mail["To"]) == ("robot@example.org", "data@example.org")
    assert all("row 62 found 1" in mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    ((_, report),) = task.outside.hooks
    assert [entry["errors"] for entry in report["file_set"]] == [
        "",
        "Incomplete file: Expected 3 columns on row 62 found 1",
    ]
    assert report["github_issue"] == ""


def test_mail_and_webhook_carry_row_line_and_reason_as_the_page_does(task, s3, monkeypatch):
    monkeypatch.setenv("QUARANTINE_BUCKET_NAME", QUARANTINE)
    cut = task.put("cut.csv", csv_of() + b'"1\n1","2')
    packed = task.put("packed.csv", gzip.compress(csv_of()))
    task.run(cut, packed)
    where = ["line 62, row 62", "line 63, row 62"]
    reasons = [
        "the quote that opens on this line is never closed",
        "This is a gzip archive. Unpack it and upload the file that is in it.",
    ]
    (mail,) = mails()
    page = s3.get_object(Bucket=QUARANTINE, Key=f"{PREFIX}report.html")["Body"].read().decode()
    for text in (page, *(mail.get_body((kind,)).get_content() for kind in ("plain", "html"))):
        assert [part for part in (*where, *reasons) if part not in text] == []
    ((_, report),) = task.outside.hooks
    problems = [problem for entry in report["file_set"] for problem in entry["problems"]]
    assert [(problem["text"], problem["row"], problem["line"], problem["reason"]) for problem in problems] == [
        ("Incomplete file: Expected 3 columns on row 62 found 2", 62, 62, ""),
        ("Failed to parse body", 62, 63, reasons[0]),
        ("Expected file to be at least 1KB", None, None, ""),
        ("Failed to parse body", None, None, reasons[1]),
    ]


def test_effects_come_in_the_order_that_survives_a_crash(task, wire):
    task.outside.after = wire.sent.append
    task.run(task.put("a.csv"))
    steps = [step for step in wire.sent if step in ("CopyObject", "PutObject", "issue", "webhook")]
    assert steps[-5:] == ["CopyObject", "issue", "PutObject", "PutObject", "webhook"]


def test_message_that_can_never_succeed_is_dead_lettered_with_its_reason(task, sqs, monkeypatch):
    url = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
    monkeypatch.setenv("DEAD_LETTER_QUEUE", url)
    # The form of GitHub's answers: https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
    answer = {
        "message": "Validation Failed",
        "errors": [{"resource": "Issue", "field": "title", "code": "missing_field"}],
        "documentation_url": "https://docs.github.com/rest",
    }
    task.outside.faults.append((f"POST {GITHUB}", (422, {}, json.dumps(answer))))
    key = task.put("a.csv")
    assert handler(sqs_event(task.event_of(key)), Context()) == {"batchItemFailures": []}
    (message,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    reason = message["MessageAttributes"]["Reason"]["StringValue"]
    assert reason.endswith(": 422 Validation Failed; Issue; title; missing_field")
    assert message["MessageAttributes"]["ErrorType"]["StringValue"] == "RefusedError"


def test_many_files_and_second_deliveries_make_one_issue_one_comment_for_each_content(task, wire):
    keys = [task.put(f"{number}.csv") for number in range(5)]
    event = sqs_event(*(task.event_of(key) for key in keys))
    for _ in range(3):
        before = wire.count("ListObjectsV2")
        assert handler(event, Context()) == {"batchItemFailures": []}
    # The second delivery of five messages on one set lists the upload and the final bucket once each.
    assert wire.count("ListObjectsV2") == before + 2
    assert notified(task) == (1, 0, 1)
    task.run(task.put("5.csv"))
    assert notified(task) == (2, 0, 2)
    assert task.outside.comments_of(1)[0].startswith("Updated\nEMS: ")


def test_corrected_upload_takes_the_place_of_the_old_one_and_so_does_its_report(task, s3):
    key = task.put("a.csv")
    task.run(key)
    task.put("a.csv", csv_of(90))
    task.run(key)
    assert task.report()["file_set"][0]["csv_rows"] == 91
    assert "91 rows" in s3.get_object(Bucket=FINAL, Key=f"{PREFIX}report.html")["Body"].read().decode()
    assert s3.get_object(Bucket=FINAL, Key=key)["Body"].read() == csv_of(90)


def test_rejected_correction_leaves_what_was_published(task, s3):
    key = task.put("a.csv")
    task.run(key)
    task.put("a.csv", SHORT)
    task.run(key)
    assert s3.get_object(Bucket=FINAL, Key=key)["Body"].read() == csv_of()
    assert task.report()["outcome"] == "published"


def test_set_with_errors_is_put_into_quarantine_with_its_report(task, s3, monkeypatch):
    monkeypatch.setenv("QUARANTINE_BUCKET_NAME", QUARANTINE)
    key = task.put("a.csv", SHORT)
    task.run(key)
    assert task.published(QUARANTINE) == [key, f"{PREFIX}report.html", f"{PREFIX}report.json"]
    assert task.published() == []
    page = s3.get_object(Bucket=QUARANTINE, Key=f"{PREFIX}report.html")
    assert (page["ContentType"], b"Not published" in page["Body"].read()) == ("text/html; charset=utf-8", True)


def test_keys_are_read_by_name_and_shown_nowhere(task, monkeypatch, capsys):
    client_of_the_tests("ssm", REGION).put_parameter(Name="/wdiv/key", Value="secret-of-wdiv", Type="SecureString")
    client_of_the_tests("secretsmanager", REGION).create_secret(
        Name="github", SecretString=json.dumps({"token": "github-key"})
    )
    monkeypatch.setenv("WDIV_API_KEY", "/wdiv/key")
    monkeypatch.setenv("GITHUB_API_KEY", "secretsmanager:github#token")
    forget_container()
    task.outside.faults.append((f"POST {WEBHOOK}", (418, {}, "no")))
    key = task.put("a.csv")
    handler(sqs_event(task.event_of(key)), Context())
    handler(sqs_event(task.event_of(key)), Context())
    assert task.outside.hooks[0][0]["Authorization"] == "Token secret-of-wdiv"
    output = capsys.readouterr()
    assert "418" in output.out
    assert "secret-of-wdiv" not in output.out + output.err
    assert "github-key" not in output.out + output.err
