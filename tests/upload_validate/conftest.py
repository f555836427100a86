import email.policy
import json
import logging
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import responses
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from tasks.upload_validate import handler as handler_module
from tasks.upload_validate.profile_reader import load_profile
from tests.conftest import REGION, client_of_the_tests
from tests.support.events import s3_event, s3_record
from tests.upload_validate.loopback import serving

UPLOADS, FINAL, QUARANTINE = "uploads", "published", "quarantine"
REPOSITORY, WEBHOOK = "octocat/imports", "https://wdiv.example/hook"
COUNCILS = "https://councils.example/api"
GITHUB = "https://api.github.com"
PREFIX = "E07000223/2025-05-01/2025-03-02T10:00:00Z/"

ENVIRONMENT = {
    "TEMP_BUCKET_NAME": UPLOADS,
    "FINAL_BUCKET_NAME": FINAL,
    "OUTCOMES_TABLE": "outcomes",
    "GITHUB_REPO": REPOSITORY,
    "GITHUB_API_KEY": "github-key",
    "WDIV_WEBHOOK_URL": WEBHOOK,
    "WDIV_API_KEY": "wdiv-key",
    "COUNCIL_API_URL": COUNCILS,
    "ERROR_REPORT_EMAIL": "data@example.org",
    "SENDER_EMAIL": "robot@example.org",
}


def csv_of(rows=60, *, header="houseid,street,postcode", width=3, line_end="\n"):
    """Return a valid table of more than a kilobyte."""
    lines = [header] + [",".join([f"{row} High Street"] * width) for row in range(rows)]
    return (line_end.join(lines) + line_end).encode()


# The last row has too few cells.
SHORT = csv_of() + b"short\n"


def polling_stations():
    return load_profile("polling-stations", "", None)


@pytest.fixture(scope="session", name="profile")
def profile_polling_stations():
    return polling_stations()


@dataclass
class Outside:  # pylint: disable=too-many-instance-attributes  # a record of each service
    """GitHub, the council service and the webhook, with the calls that this task makes.

    Attributes:
        issues: those of the repository, as GitHub shows them.
        hooks: what the webhook got: (headers, report).
        calls: (method, path) of each call that was answered.
        after: called with the name of each effect as soon as it has happened, before it is answered.
    """

    issues: list = field(default_factory=list)
    comments: dict = field(default_factory=dict)
    hooks: list = field(default_factory=list)
    calls: list = field(default_factory=list)
    council: tuple = (200, {"name": "Adur District Council"})
    after: object = lambda _: None
    faults: list = field(default_factory=list)
    page_size: int = 100
    lock: threading.Lock = field(default_factory=threading.Lock)

    def comments_of(self, number):
        return [one["body"] for one in self.comments.get(number, [])]

    def forget(self):
        for what in (self.issues, self.comments, self.hooks, self.calls):
            what.clear()

    def open_issue(self, title, body="", **about):
        number = len(self.issues) + 1
        url = f"https://github.com/{REPOSITORY}/issues/{number}"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        issue = {
            "number": number,
            "title": title,
            "body": body,
            "state": "open",
            "html_url": url,
            "comments": 0,
            "labels": [{"name": "Data Import"}],
            "updated_at": now,
            **about,
        }
        self.issues.append(issue)
        return issue

    def answer(self, request):
        self.calls.append((request.method, request.path_url.partition("?")[0]))
        for fault in self.faults:
            if fault[0] in f"{request.method} {request.url}":
                self.faults.remove(fault)
                if len(fault) > 2:
                    self._act(request)
                if isinstance(fault[1], Exception):
                    raise fault[1]
                return fault[1]
        return self._act(request)

    def _act(self, request):
        path = request.path_url.partition("?")[0]
        if request.url.startswith(COUNCILS):
            return self.council[0], {}, json.dumps(self.council[1])
        if request.url.startswith(WEBHOOK):
            self.hooks.append((dict(request.headers), json.loads(request.body)))
            self.after("webhook")
            return 200, {}, "{}"
        assert request.headers["Authorization"] == "Bearer github-key"
        if request.method == "GET":
            return self._list(path, request)
        body = json.loads(request.body)
        if path.endswith("/comments"):
            number = int(path.split("/")[-2])
            self.comments.setdefault(number, []).append({"body": body["body"]})
            self.issues[number - 1]["comments"] += 1
            self.after("issue")
            return 201, {}, json.dumps({"html_url": f"{self.issues[number - 1]['html_url']}#issuecomment-1"})
        issue = self.open_issue(body["title"], body["body"], labels=[{"name": name} for name in body["labels"]])
        self.after("issue")
        return 201, {}, json.dumps(issue)

    def _list(self, path, request):
        if path.endswith("/comments"):
            found = self.comments.get(int(path.split("/")[-2]), [])
        else:
            found = [one for one in self.issues if one["state"] == request.params["state"]]
            found = [one for one in found if one["updated_at"] >= request.params.get("since", "")]
            wanted = set(filter(None, request.params.get("labels", "").split(",")))
            found = [one for one in found if wanted <= {label["name"] for label in one["labels"]}]
        page = int(request.params.get("page", 1))
        shown = found[(page - 1) * self.page_size : page * self.page_size]
        headers = {}
        if page * self.page_size < len(found):
            following = re.sub(r"&page=\d+", "", request.url) + f"&page={page + 1}"
            headers["Link"] = f'<{following}>; rel="next"'
        return 200, headers, json.dumps(shown)


@pytest.fixture(name="outside")
def services_outside():
    there = Outside()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in ("GET", "POST"):
            for url in (GITHUB, COUNCILS, WEBHOOK):
                mock.add_callback(method, re.compile(re.escape(url) + ".*"), there.answer)
        yield there


@pytest.fixture(name="server")
def local_server():
    with serving() as server:
        yield server


@pytest.fixture(name="other_server")
def another_local_server():
    with serving() as server:
        yield server


def prepare(s3, dynamodb, ses):
    """Create the buckets and the table, and verify the sender."""
    for bucket in (UPLOADS, FINAL, QUARANTINE):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    dynamodb.create_table(
        TableName="outcomes",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    ses.verify_email_identity(EmailAddress=ENVIRONMENT["SENDER_EMAIL"])


@pytest.fixture(name="stage")
def everything_of_aws(s3, monkeypatch):
    prepare(s3, client_of_the_tests("dynamodb", REGION), client_of_the_tests("ses", REGION))
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    forget_container()
    yield
    forget_container()


def forget_container():
    handler_module.container.cache_clear()
    handler_module.client.cache_clear()
    logger = logging.getLogger("upload_validate")
    logger.handlers.clear()
    logger.init, logger.powertools_handler = False, None


def raw_mails():
    return [mail.raw_data for mail in ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages]


def mails():
    return [email.message_from_string(raw, policy=email.policy.default) for raw in raw_mails()]


class Killed(BaseException):
    """The container is killed: no later code runs, not even clean-up."""


@dataclass
class Context:
    """The used part of Lambda's context object."""

    milliseconds: int = 60_000
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self):
        return self.milliseconds


def notifications(sender):
    """Return the numbers of issues, comments, mails and webhook calls."""
    comments = sum(map(len, sender.outside.comments.values()))
    return len(sender.outside.issues), comments, len(mails()), len(sender.outside.hooks)


# No issue, no mail and no webhook call.
NOTHING = (0, 0, 0)


def notified(task):
    """Return the numbers of issues with comments, of mails, and of webhook calls."""
    comments = sum(map(len, task.outside.comments.values()))
    return len(task.outside.issues) + comments, len(mails()), len(task.outside.hooks)


def outcomes(answer):
    return [one["outcome"] for one in answer["sets"]]


def time_passes():
    """End the time of all invocations, as it has ended when SQS delivers their messages again."""
    dynamodb = client_of_the_tests("dynamodb", REGION)
    for item in dynamodb.scan(TableName="outcomes")["Items"]:
        ends = int(item.get("in_progress_expiration", {}).get("N", "0"))
        # Locks end within fifteen minutes; records of notifications last a year.
        if 0 < ends < datetime.now().timestamp() * 1000 + 900_000:
            dynamodb.update_item(
                TableName="outcomes",
                Key={"id": item["id"]},
                UpdateExpression="SET in_progress_expiration = :past",
                ExpressionAttributeValues={":past": {"N": "1"}},
            )


@pytest.fixture(name="task")
def task_of_uploads(stage, outside, s3):  # pylint: disable=unused-argument  # fixtures set the stage
    """Functions that upload files, call the handler and read the results."""

    def put(name, body=None, prefix=PREFIX):
        s3.put_object(Bucket=UPLOADS, Key=prefix + name, Body=csv_of() if body is None else body)
        return prefix + name

    def event_of(*keys):
        return s3_event(*(s3_record(UPLOADS, key, name="ObjectCreated:Put") for key in keys))

    def run(*keys, context=None):
        return handler_module.handler(event_of(*keys), context or Context())

    def published(bucket=FINAL):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def report(prefix=PREFIX, bucket=FINAL):
        return json.loads(s3.get_object(Bucket=bucket, Key=f"{prefix}report.json")["Body"].read())

    return SimpleNamespace(put=put, event_of=event_of, run=run, published=published, report=report, outside=outside)


@contextmanager
def killed_after(effect, outside):
    """Kill the container as soon as the webhook or GitHub has received a call."""

    def kill(name):
        if name == effect:
            outside.after = lambda _: None
            raise Killed(effect)

    outside.after = kill
    yield
    outside.after = lambda _: None
