"""The part of the demo for upload_validate: sets are uploaded, checked, published or rejected, and reported once."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string, policy
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from moto.ses.models import ses_backends

from local.demo import access_keys
from local.demo.external_services import KEYS, REPOSITORY, ExternalServices
from local.demo.lines import fields
from local.demo.result import Result
from local.demo.results import errors_of
from local.demo.screen import AddRow, Headings, Screen
from local.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SENDER, RECIPIENT = "uploads@example.org", "data@example.org"
HEADINGS: Headings = {"verdict": "left", "set": "left", "file and reason": "left"}
# Long enough for files that are uploaded together, short enough to watch.
SETTLE_SECONDS = 1
# A verdict takes a second; a failed message would return much later.
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Step:
    """Files that are uploaded together, and the expected verdict on their set.

    Attributes:
        title: What the step shows.
        prefix: The prefix of the set.
        files: Name -> content.
        outcome: `published` or `rejected`.
        errors: A part of the expected error of each invalid file.
    """

    title: str
    prefix: str
    files: dict[str, bytes]
    outcome: str
    errors: tuple[str, ...] = ()


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


def variables(services: ExternalServices) -> dict[str, Any]:
    """Return Terraform's variables for this part.

    Args:
        services: The services outside AWS.
    """
    return {
        "upload_validate_enabled": True,
        "upload_validate_quarantine_enabled": True,
        "upload_validate_settle_seconds": SETTLE_SECONDS,
        "upload_validate_github_repo": REPOSITORY,
        "upload_validate_github_api_url": services.url,
        "upload_validate_github_key_name": "/demo/github-token",
        "upload_validate_webhook_url": f"{services.url}/hook",
        "upload_validate_webhook_key_name": "ssm:/demo/webhook-key",
        "upload_validate_council_api_url": f"{services.url}/councils",
        "upload_validate_error_report_email": RECIPIENT,
        "upload_validate_sender_email": SENDER,
        "upload_validate_ses_identity_enabled": True,
    }


def run(stack: Stack, services: ExternalServices, screen: Screen) -> Result:
    """Upload one set after the other, show the verdicts, and check the published files and the reports.

    Args:
        stack: The running stack.
        services: The services outside AWS.
        screen: The output.
    """
    outputs = stack.outputs["upload_validate"]
    for name, value in KEYS.items():
        stack.aws.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")
    screen.title(f"upload_validate: sets of files are uploaded to {outputs['upload_bucket']}")
    lines: SimpleQueue[str] = SimpleQueue()
    stack.functions.on_log = lambda _, line: lines.put(line)
    problems: list[str] = []
    with screen.table(HEADINGS) as show:
        for step in STEPS:
            outcome = _upload(step, stack.aws.client("s3"), outputs["upload_bucket"], lines)
            _show(step, outcome, services, show)
            if outcome != step.outcome:
                problems.append(f"{step.title}: {outcome} instead of {step.outcome}")
            else:
                problems += _check_report(step, stack, services.reports[-1])
    stack.functions.on_log = None
    return _result(stack, services, problems, screen)


def _upload(step: Step, s3: "S3Client", bucket: str, lines: SimpleQueue[str]) -> str:
    """Upload the files of a step, and return the verdict."""
    for name, content in step.files.items():
        s3.put_object(Bucket=bucket, Key=step.prefix + name, Body=content)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            record = fields(lines.get(timeout=0.1))
        except Empty:
            continue
        if record.get("set") == step.prefix and record.get("message") in ("published", "rejected"):
            return str(record["message"])
    return "no verdict"


def _show(step: Step, outcome: str, services: ExternalServices, show: AddRow) -> None:
    errors = errors_of(step.prefix, services) if outcome == "rejected" else []
    for number, reason in enumerate(errors or [", ".join(step.files)]):
        first = (outcome, step.prefix) if number == 0 else ("", "")
        show((*first, reason), colour="yellow" if errors else "green")


def _check_report(step: Step, stack: Stack, report: dict[str, Any]) -> Iterator[str]:
    """Yield missing errors, and differences from the files and the report in S3."""
    reported = "\n".join(entry["errors"] for entry in report["file_set"])
    yield from (f"{step.title}: {text!r} was not reported" for text in step.errors if text not in reported)
    bucket = stack.outputs["upload_validate"]["final_bucket" if step.outcome == "published" else "quarantine_bucket"]
    yield from _differences(step, stack.aws.client("s3"), bucket, report)


def _differences(step: Step, s3: "S3Client", bucket: str, report: dict[str, Any]) -> Iterator[str]:
    for name, content in step.files.items():
        if s3.get_object(Bucket=bucket, Key=step.prefix + name)["Body"].read() != content:
            yield f"{step.title}: {name} differs in {bucket}"
    stored = json.loads(s3.get_object(Bucket=bucket, Key=f"{step.prefix}report.json")["Body"].read())
    if stored != report:
        yield f"{step.title}: the report in {bucket} differs from the webhook's"


def _result(stack: Stack, services: ExternalServices, problems: list[str], screen: Screen) -> Result:
    mails = ses_backends[stack.aws.account_id][stack.aws.region].sent_messages
    for issue in services.issues:
        screen.say(f"issue        {issue['title']}  {issue['html_url']}")
    for mail in mails:
        screen.say(f"e-mail       {message_from_string(mail.raw_data, policy=policy.default)['Subject']}")
    summary = {
        "published": sum(report["outcome"] == "published" for report in services.reports),
        "rejected": sum(report["outcome"] == "rejected" for report in services.reports),
        "issues": len(services.issues),
        "mails": len(mails),
        "webhooks": len(services.reports),
    }
    # The two good sets of one council share an issue, with a comment. The first of two files causes no mail.
    expected = {"published": 2, "rejected": 3, "issues": 1, "mails": 2, "webhooks": 5}
    problems += [f"{name}: {summary[name]} instead of {n}" for name, n in expected.items() if summary[name] != n]
    problems += [f"refused: {call}" for call in services.refused]
    problems += access_keys.found(stack, KEYS.values())
    if len(services.comments) != 1:
        problems.append(f"comments: {len(services.comments)} instead of 1")
    for problem in problems:
        screen.failure(problem)
    sentence = (
        f"{summary['webhooks']} sets judged: {summary['published']} published, {summary['rejected']} rejected; "
        f"{summary['issues']} issue with {len(services.comments)} comment, {summary['mails']} e-mails, "
        f"{summary['webhooks']} webhook calls"
    )
    return Result(summary, sentence, passed=not problems)
