"""The part of the demo that shows upload_validate: sets are uploaded, checked, published or refused, and told once."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string, policy
from queue import Empty, SimpleQueue
from typing import Any

from moto.ses.models import ses_backends

from local.demo import access_keys
from local.demo.lines import fields
from local.demo.outside import KEYS, REPOSITORY, Outside
from local.demo.result import Result
from local.demo.screen import Screen
from local.stack import Stack

SENDER, RECIPIENT = "uploads@example.org", "data@example.org"
# Long enough for what is uploaded together, short enough to watch.
SETTLE_SECONDS = 1
# A verdict takes a second; a message that failed would come back much later.
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Step:
    """Files that are uploaded together, and what is to come of their set.

    Attributes:
        title: what it shows.
        prefix: of the set.
        files: name -> content.
        outcome: `published` or `rejected`.
        told: a part of the errors that have to be told, for each file that is wrong.
    """

    title: str
    prefix: str
    files: dict[str, bytes]
    outcome: str
    told: tuple[str, ...] = ()


def _table(header: str, row: str, rows: int = 60) -> bytes:
    return "".join(f"{line}\r\n" for line in [header, *[row] * rows]).encode()


STATIONS = _table("houseid,station,address,postcode", '7,Village Hall,"1 High Street, Lancing",BN15 9AA')
SHORT_ROWS = _table("houseid,station,address,postcode", "7,Village Hall,1 High Street,BN15 9AA", 40) + b"8,Church\r\n"
CAFES = "houseid,café,c\r\n".encode("windows-1252") + b"1,2,\xe9\r\n" * 150
COUNTS = _table("stationname,stationaddress,xordinate,yordinate", "Village Hall,1 High Street,518000,104000")
DISTRICTS = _table("district,stationname,places", "A1,Village Hall,3", 120)

STEPS = (
    Step(
        "a good set",
        "E07000223/2026-05-07/2026-03-01T09:30:00Z/",
        {"stations.csv": STATIONS, "cafés & clubs.csv": CAFES},
        "published",
    ),
    Step(
        "three kinds of error",
        "E06000023/2026-05-07/2026-03-02T11:00:00Z/",
        {"short.csv": SHORT_ROWS, "wide.csv": STATIONS.decode().encode("utf-16"), "empty.csv": b""},
        "rejected",
        ("Expected 4 columns on row 42 found 2", "Failed to decode body", "File is empty"),
    ),
    Step(
        "the first of two files",
        "E07000223/2026-05-07/2026-03-03T08:00:00Z/",
        {"stations.csv": COUNTS},
        "rejected",
        ("Expected 2 files, found 1",),
    ),
    Step(
        "the second one",
        "E07000223/2026-05-07/2026-03-03T08:00:00Z/",
        {"districts.csv": DISTRICTS},
        "published",
    ),
    Step(
        "a binary in disguise",
        "E06000023/2026-05-07/2026-03-04T16:45:00Z/",
        {"stations.csv": b"PK\x03\x04\x14\x00\x06\x00" + b"houseid,station,address\r\n" * 60},
        "rejected",
        ("Failed to parse body",),
    ),
)


def variables(outside: Outside) -> dict[str, Any]:
    """Returns Terraform's variables for this part.

    Args:
        outside: what runs outside AWS.
    """
    return {
        "upload_validate_enabled": True,
        "upload_validate_quarantine_enabled": True,
        "upload_validate_settle_seconds": SETTLE_SECONDS,
        "upload_validate_github_repo": REPOSITORY,
        "upload_validate_github_api_url": outside.url,
        "upload_validate_github_key_name": "/demo/github-token",
        "upload_validate_webhook_url": f"{outside.url}/hook",
        "upload_validate_webhook_key_name": "ssm:/demo/webhook-key",
        "upload_validate_council_api_url": f"{outside.url}/councils",
        "upload_validate_error_report_email": RECIPIENT,
        "upload_validate_sender_email": SENDER,
        "upload_validate_ses_identity_enabled": True,
    }


def run(stack: Stack, outside: Outside, screen: Screen) -> Result:
    """Uploads one set after the other, shows the verdicts, and checks what was published and told.

    Args:
        stack: what runs.
        outside: what runs outside AWS.
        screen: where it is shown.

    Returns:
        A `Result`.
    """
    where = stack.outputs["upload_validate"]
    for name, value in KEYS.items():
        stack.aws.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")
    screen.title(f"Sets of files are uploaded to {where['upload_bucket']}")
    lines: SimpleQueue = SimpleQueue()
    stack.functions.on_log = lambda _, line: lines.put(line)
    problems = [problem for step in STEPS for problem in _show(step, stack, outside, lines, screen)]
    stack.functions.on_log = None
    return _result(stack, outside, problems, screen)


def _show(step: Step, stack: Stack, outside: Outside, lines: SimpleQueue, screen: Screen) -> Iterator[str]:
    """Uploads the files of a step, waits for the verdict, and yields what is wrong with it."""
    s3, where = stack.aws.client("s3"), stack.outputs["upload_validate"]
    for name, content in step.files.items():
        s3.put_object(Bucket=where["upload_bucket"], Key=step.prefix + name, Body=content)
    outcome = _verdict(step.prefix, lines)
    screen.say(f"{outcome:<11}{step.title}  {step.prefix}")
    if outcome != step.outcome:
        yield f"{step.title}: {outcome} and not {step.outcome}"
        return
    report = outside.reports[-1]
    for entry in report["file_set"]:
        for error in filter(None, entry["errors"].split("\n")):
            screen.say(f"             {entry['key'].removeprefix(step.prefix)}: {error}")
    told = "\n".join(entry["errors"] for entry in report["file_set"])
    yield from (f"{step.title}: {text!r} was not told" for text in step.told if text not in told)
    bucket = where["final_bucket" if outcome == "published" else "quarantine_bucket"]
    yield from _differences(step, s3, bucket, report)


def _verdict(prefix: str, lines: SimpleQueue) -> str:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            said = fields(lines.get(timeout=0.1))
        except Empty:
            continue
        if said.get("set") == prefix and said.get("message") in ("published", "rejected"):
            return said["message"]
    return "no verdict"


def _differences(step: Step, s3: Any, bucket: str, report: dict[str, Any]) -> Iterator[str]:
    for name, content in step.files.items():
        if s3.get_object(Bucket=bucket, Key=step.prefix + name)["Body"].read() != content:
            yield f"{step.title}: {name} differs in {bucket}"
    written = json.loads(s3.get_object(Bucket=bucket, Key=f"{step.prefix}report.json")["Body"].read())
    if written != report:
        yield f"{step.title}: the report in {bucket} is not the one that was told"


def _result(stack: Stack, outside: Outside, problems: list[str], screen: Screen) -> Result:
    mails = ses_backends[stack.aws.account_id][stack.aws.region].sent_messages
    for issue in outside.issues:
        screen.say(f"issue        {issue['title']}  {issue['html_url']}")
    for mail in mails:
        screen.say(f"e-mail       {message_from_string(mail.raw_data, policy=policy.default)['Subject']}")
    summary = {
        "published": sum(report["outcome"] == "published" for report in outside.reports),
        "rejected": sum(report["outcome"] == "rejected" for report in outside.reports),
        "issues": len(outside.issues),
        "mails": len(mails),
        "webhooks": len(outside.reports),
    }
    # The two good sets of one council are one issue with a comment; nobody is written to about the first of two files.
    expected = {"published": 2, "rejected": 3, "issues": 1, "mails": 2, "webhooks": 5}
    problems += [f"{name}: {summary[name]} instead of {n}" for name, n in expected.items() if summary[name] != n]
    problems += [f"refused: {call}" for call in outside.refused]
    problems += access_keys.found(stack, KEYS.values())
    if len(outside.comments) != 1:
        problems.append(f"comments: {len(outside.comments)} instead of 1")
    for problem in problems:
        screen.failure(problem)
    sentence = (
        f"{summary['webhooks']} sets judged: {summary['published']} published, {summary['rejected']} rejected; "
        f"{summary['issues']} issue with {len(outside.comments)} comment, {summary['mails']} e-mails, "
        f"{summary['webhooks']} webhook calls"
    )
    return Result(summary, sentence, sound=not problems)
