"""Each function at DEBUG under AWS's own runtime client, which sets the root logger to DEBUG too."""

import json
import logging
import site
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from moto.sts.models import sts_backends

from local.embedded_aws import EmbeddedAws
from local.lambda_service import Program, Runtime, Sandbox
from local.lambda_service.runtime_api import Ending, Invocation
from tasks.utils.telemetry import LIBRARIES
from tests.conftest import REGION
from tests.partition_replicate.events import event_of, sqs_batch
from tests.secrets.search import canary, found
from tests.support.events import s3_event, s3_record

ROOT = Path(__file__).parents[2]
ACCOUNT, THERE = "123456789012", "us-gov-west-1"
AUDIENCE = "bucket-brigade"
UPLOADS, SOURCE, MIRROR, FINAL = "uploads", "the-source", "the-mirror", "published"
PREFIX = "E07000223/2025-05-01/2025-03-02T10:00:00Z/"
# A part of each function's log or answer after successful work.
DONE = {
    "enqueue": '{"enqueued": 1}',
    "replicate by a user": '"replicated"',
    "replicate by a role": '"replicated"',
    "archive_copy": '"success": true',
    "upload_validate": '"published"',
}

NAMES = ("github key", "webhook key", "webhook path", "webhook query", "council path")
SECRETS = {name: canary(name) for name in NAMES}


class Outside(BaseHTTPRequestHandler):
    """GitHub, the councils, the webhook and Sentry: all calls succeed, and GitHub has no issues."""

    def do_POST(self):  # pylint: disable=invalid-name  # the library's name
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.heard.append((self.path, dict(self.headers), body))
        answer = b"[]" if self.command == "GET" else b'{"html_url": "https://github.com/o/r/issues/1", "number": 1}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST

    def log_message(self, format, *args):
        pass


class Deployment:  # pylint: disable=too-many-instance-attributes  # one for each resource of the functions
    """The resources of the functions: buckets, queues, tables, secrets, and the services outside."""

    def __init__(self, aws, runtime, outside):
        self.aws, self.runtime, self.outside = aws, runtime, outside
        self.url = f"http://127.0.0.1:{outside.server_port}"
        self.secrets, self.uploaded = dict(SECRETS), 0
        here, there = aws.client("s3"), aws.client("s3", region_name=THERE)
        for s3, name in ((here, UPLOADS), (here, SOURCE), (here, FINAL), (there, MIRROR)):
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
        sqs = aws.client("sqs")
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        self.queue = sqs.create_queue(QueueName="objects.fifo", Attributes=fifo)["QueueUrl"]
        for name, keys in (("objects", ("Key", "VersionId")), ("outcomes", ("id",))):
            aws.client("dynamodb").create_table(
                TableName=name,
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"))],
                BillingMode="PAY_PER_REQUEST",
            )
        self._keep_secrets()
        self._federate()

    def upload(self):
        """Upload a set and an object with new bytes."""
        self.uploaded += 1
        row = f"{self.uploaded},High Street,BN1"
        body = "\n".join(["houseid,street,postcode", *[row] * 80]).encode()
        self.aws.client("s3").put_object(Bucket=UPLOADS, Key=f"{PREFIX}a.csv", Body=body)
        self.aws.client("s3").put_object(Bucket=SOURCE, Key="a.txt", Body=body)

    def _keep_secrets(self):
        user = self.aws.administrator(THERE)
        keys = {"accesskey": user["aws_access_key_id"], "secretaccesskey": user["aws_secret_access_key"]}
        self.secrets |= keys
        manager = self.aws.client("secretsmanager")
        manager.create_secret(Name="mirror", SecretString=json.dumps(keys))
        manager.create_secret(Name="torn", SecretString=json.dumps(keys)[:-9])
        manager.create_secret(Name="webhook", SecretString=json.dumps({"key": SECRETS["webhook key"]}))
        parameters = self.aws.client("ssm")
        parameters.put_parameter(Name="/github", Value=SECRETS["github key"], Type="SecureString")
        parameters.put_parameter(Name="/dsn", Value=f"http://{canary('dsn')}@127.0.0.1:9/1", Type="SecureString")
        parameters.put_parameter(Name="/map", Value=json.dumps({".txt": FINAL}), Type="String")
        self.secrets |= {"dsn": canary("dsn")}

    def _federate(self):
        issuer = self.aws.client("iam").enable_outbound_web_identity_federation()["IssuerIdentifier"]
        iam = self.aws.client("iam", region_name=THERE)
        provider = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=[AUDIENCE])
        trust = {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": provider["OpenIDConnectProviderArn"]},
            "Condition": {"StringEquals": {f"{issuer.removeprefix('https://')}:aud": AUDIENCE}},
        }
        policy = {"Version": "2012-10-17", "Statement": [trust]}
        self.role = iam.create_role(RoleName="mirror", AssumeRolePolicyDocument=json.dumps(policy))["Role"]["Arn"]
        allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_role_policy(RoleName="mirror", PolicyName="all", PolicyDocument=policy)

    def settings(self, name):
        mirror = {
            "SOURCE_BUCKET": SOURCE,
            "DEST_BUCKET": MIRROR,
            "DEST_BUCKET_REGION": THERE,
            "OBJECTS_QUEUE": self.queue,
            "RECHECK_QUEUE": self.queue,
            "OBJECTS_TABLE": "objects",
        }
        return {
            "enqueue": mirror,
            "replicate by a user": {**mirror, "DEST_SECRET": "mirror"},
            "replicate by a role": {**mirror, "DEST_ROLE_ARN": self.role, "DEST_TOKEN_AUDIENCE": AUDIENCE},
            "archive_copy": {"bucket_map": "ssm:/map"},
            "upload_validate": {
                "TEMP_BUCKET_NAME": UPLOADS,
                "FINAL_BUCKET_NAME": FINAL,
                "OUTCOMES_TABLE": "outcomes",
                "GITHUB_REPO": "octocat/imports",
                "GITHUB_API_URL": self.url,
                "GITHUB_API_KEY": "ssm:/github",
                "WDIV_WEBHOOK_URL": f"{self.url}/{SECRETS['webhook path']}?token={SECRETS['webhook query']}",
                "WDIV_API_KEY": "secretsmanager:webhook#key",
                "COUNCIL_API_URL": f"{self.url}/{SECRETS['council path']}",
                "SENTRY_DSN": "ssm:/dsn",
            },
        }[name]

    def run(self, name, log_format="JSON", **changes):
        """Invoke a function in a sandbox of its own, with Terraform's settings for DEBUG; return outcome and log."""
        module, function, event = FUNCTIONS[name]
        environment = {
            **{name.upper(): value for name, value in self.aws.admin_credentials.items() if "key" in name},
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.aws.endpoint_url,
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_LOG_FORMAT": log_format,
            "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
            "LOGGING_LEVEL": "DEBUG",
            # The code is that of this folder, with the packages that are installed beside the tests.
            "PYTHONPATH": site.getsitepackages()[0],
            "PYTHONWARNINGS": "ignore",
            **self.settings(name),
            **changes,
        }
        program = Program(ROOT, f"tasks.{module}.handler.{function}", environment, memory_mb=1024)
        lines = []
        with Sandbox(self.runtime, program, on_output=lines.append) as sandbox:
            ready = sandbox.wait_until_ready(60)
            assert ready.ending is Ending.READY, lines
            invocation = Invocation("id", "arn:aws:lambda:eu-west-1:123456789012:function:f", event, 60.0)
            outcome = sandbox.invoke(invocation)
        return SimpleNamespace(ending=outcome.ending, answer=outcome.body, lines=lines)

    def all_secrets(self):
        """Return the secrets of the set-up and of all sessions so far."""
        made = {
            f"{part} of a session": getattr(role, part)
            for backends in sts_backends[ACCOUNT].values()
            for role in backends.assumed_roles
            for part in ("access_key_id", "secret_access_key", "session_token")
        }
        return {**self.secrets, **made, "token": "eyJ"}


def payload(event):
    return json.dumps(event).encode()


CREATED = event_of(SOURCE, "a.txt", "Object Created", size=5, etag="etag")
UPLOADED = s3_event(s3_record(UPLOADS, f"{PREFIX}a.csv", name="ObjectCreated:Put"))
FUNCTIONS = {
    "enqueue": ("partition_replicate", "enqueue", payload(CREATED)),
    "replicate by a user": ("partition_replicate", "replicate", payload(sqs_batch(CREATED))),
    "replicate by a role": ("partition_replicate", "replicate", payload(sqs_batch(CREATED))),
    "archive_copy": ("archive_copy", "handler", payload(s3_event(s3_record(SOURCE, "a.txt")))),
    "upload_validate": ("upload_validate", "handler", payload(UPLOADED)),
}


@pytest.fixture(name="deployment", scope="module")
def deployment_of_all_functions():
    outside = ThreadingHTTPServer(("127.0.0.1", 0), Outside)
    outside.heard = []
    thread = threading.Thread(target=outside.serve_forever, args=(0.02,))
    thread.start()
    with EmbeddedAws(region=REGION, account_id=ACCOUNT) as aws, Runtime() as runtime:
        yield Deployment(aws, runtime, outside)
    outside.shutdown()
    thread.join()
    outside.server_close()


def assert_no_secret_is_written(deployment, run):
    assert found(deployment.all_secrets(), [("the log", "\n".join(run.lines)), ("the answer", run.answer)]) == []


# Each case costs a process. `make test` runs those with most secrets.
@pytest.mark.parametrize(
    "name, log_format",
    [
        ("upload_validate", "JSON"),
        ("replicate by a user", "JSON"),
        ("replicate by a role", "Text"),
        pytest.param("upload_validate", "Text", marks=pytest.mark.long),
        pytest.param("replicate by a user", "Text", marks=pytest.mark.long),
        pytest.param("replicate by a role", "JSON", marks=pytest.mark.long),
        pytest.param("archive_copy", "JSON", marks=pytest.mark.long),
        pytest.param("enqueue", "JSON", marks=pytest.mark.long),
    ],
)
def test_function_at_debug_logs_what_it_does_and_no_secret(deployment, name, log_format):
    deployment.upload()
    run = deployment.run(name, log_format)
    assert run.ending is Ending.RESPONSE
    assert DONE[name] in run.answer.decode() + "".join(run.lines)
    assert_no_secret_is_written(deployment, run)


@pytest.mark.parametrize(
    "name, changes",
    [
        ("archive_copy", {"bucket_map": "ssm:/github"}),
        pytest.param("replicate by a user", {"DEST_SECRET": "torn"}, marks=pytest.mark.long),
        pytest.param("upload_validate", {"PROFILE": "none"}, marks=pytest.mark.long),
        pytest.param("upload_validate", {"SENTRY_DSN": "ssm:/github"}, marks=pytest.mark.long),
    ],
)
def test_start_that_fails_at_debug_logs_no_secret(deployment, name, changes):
    run = deployment.run(name, **changes)
    assert any(level in "".join(run.lines) for level in ("ERROR", "WARNING"))
    assert_no_secret_is_written(deployment, run)


def test_libraries_keep_their_level_when_that_of_the_root_logger_is_lowered():
    # Code in the process of a function may do this, to get more lines of its own.
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    try:
        assert not any(logging.getLogger(name).isEnabledFor(logging.DEBUG) for name in {"botocore.parsers", *LIBRARIES})
    finally:
        root.setLevel(level)
