"""A deployment in moto with everything but code: buckets, queues, tables, functions, and Terraform's outputs."""

import json
import os
import signal
import threading
from collections import Counter
from functools import cache

import boto3
import pytest

from ops import letter_reader
from ops.aws import Account
from ops.cli import main
from ops.discovery import TAG

NAME = "archive-x"
ACCOUNT = "123456789012"
REGION, DESTINATION_REGION = "eu-west-1", "us-gov-west-1"
SOURCE, MIRROR = "source-bucket", "mirror-bucket"
RESTORED, ARCHIVE = "restored-bucket", "archive-bucket"
UPLOADS, FINAL = "upload-bucket", "final-bucket"
REPORTS = f"{NAME}-{ACCOUNT}-{REGION}-batch"
ANY = "any request"
ROLE_POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})


@cache
def session_with(_key_id, **named):
    return boto3.session.Session(**named)


@pytest.fixture(autouse=True)
def sessions_are_made_once(monkeypatch):
    """Keep the sessions of all tests: a new one reads botocore's data files again."""
    make = boto3.Session

    def session(**named):
        if named.get("profile_name"):
            return make(**named)
        return session_with(os.environ.get("AWS_ACCESS_KEY_ID"), **named)

    monkeypatch.setattr("ops.aws.boto3.Session", session)


@pytest.fixture(autouse=True)
def no_long_polls(monkeypatch):
    """Read dead letters without a wait: moto's queues show all messages at once."""
    monkeypatch.setattr(letter_reader, "WAIT_SECONDS", 0)


class Run:
    """Runs `brigade`, and keeps what it printed last."""

    def __init__(self, capsys, options):
        self._capsys = capsys
        self.options = options
        self.out = self.err = ""

    def __call__(self, *arguments, options=None):
        """Run a command; return its exit status."""
        self._capsys.readouterr()
        status = main([*(self.options if options is None else options), *arguments])
        self.out, self.err = self._capsys.readouterr()
        return status

    @property
    def records(self):
        """The lines of `--json`."""
        return [json.loads(line) for line in self.out.splitlines()]


def queue_pair(sqs, name, fifo=False):
    """Create a queue and its dead-letter queue; return both URLs."""
    ending, more = (".fifo", {"FifoQueue": "true"}) if fifo else ("", {})
    letters = sqs.create_queue(QueueName=f"{name}-dead-letters{ending}", Attributes=more)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=letters, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 10})
    work = sqs.create_queue(QueueName=name + ending, Attributes={**more, "RedrivePolicy": redrive})["QueueUrl"]
    return work, letters


def function(aws, name, environment):
    """Create a function that has only a configuration."""
    iam = aws.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=ROLE_POLICY)["Role"]["Arn"]
    aws.client("lambda").create_function(
        FunctionName=name,
        Role=role,
        Runtime="python3.11",
        Handler="tasks.nothing.handler",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
        Environment={"Variables": environment},
        Tags={TAG: NAME},
    )


def arn_of_function(name):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def batch(name):
    """Return the role and the report bucket of a task's jobs, as the outputs have them."""
    role = f"arn:aws:iam::{ACCOUNT}:role/{NAME}-{name}-batch-{REGION}"
    return {"batch_role_arn": role, "report_bucket": REPORTS}


def archive_copy(aws):
    """Create `archive_copy`; return its output."""
    queue, letters = queue_pair(aws.client("sqs"), f"{NAME}-archive-copy")
    bucket_map = {".txt": ARCHIVE}
    environment = {"SOURCE_BUCKET": RESTORED, "bucket_map": json.dumps(bucket_map)}
    function(aws, f"{NAME}-archive-copy", {**environment, "WORK_QUEUE": queue, "DEAD_LETTER_QUEUE": letters})
    return {
        **batch("archive-copy"),
        "function_name": f"{NAME}-archive-copy",
        "function_arn": arn_of_function(f"{NAME}-archive-copy"),
        "source_bucket": RESTORED,
        "archive_buckets": {"documents": ARCHIVE},
        "bucket_map": bucket_map,
        "queue_url": queue,
        "dead_letter_queue_url": letters,
    }


def mirror(aws):
    """Create `partition_replicate`, with the key of a user; return its output."""
    sqs, name = aws.client("sqs"), f"{NAME}-partition-replicate"
    keys, key_letters = queue_pair(sqs, name, fifo=True)
    rechecks, recheck_letters = queue_pair(sqs, f"{name}-recheck")
    undelivered = sqs.create_queue(QueueName=f"{name}-undelivered")["QueueUrl"]
    aws.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("Key", "VersionId")],
        KeySchema=[{"AttributeName": "Key", "KeyType": "HASH"}, {"AttributeName": "VersionId", "KeyType": "RANGE"}],
    )
    shared = {"SOURCE_BUCKET": SOURCE, "OBJECTS_QUEUE": keys, "RECHECK_QUEUE": rechecks}
    function(aws, f"{name}-enqueue", {**shared, "DEAD_LETTER_QUEUE": recheck_letters})
    own = {"DEST_BUCKET": MIRROR, "DEST_BUCKET_REGION": DESTINATION_REGION, "OBJECTS_TABLE": name, "DEST_SECRET": ""}
    policy = {"VERSIONS": "", "DELETES": "mirror", "VERSION_DELETES": "keep", "ANNOTATIONS": "carry"}
    function(aws, name, {**shared, **own, **policy, "DEAD_LETTER_QUEUE": key_letters, "DEST_ENDPOINT_URL": ""})
    return {
        "enqueue_function_name": f"{name}-enqueue",
        **batch("partition-replicate"),
        "checksum_role_arn": f"arn:aws:iam::{ACCOUNT}:role/{name}-verify-{REGION}",
        "replicate_function_name": name,
        "replicate_function_arn": arn_of_function(name),
        "source_bucket": SOURCE,
        "destination_bucket": MIRROR,
        "table": name,
        "secret": None,
        "queue_url": keys,
        "dead_letter_queue_url": key_letters,
        "recheck_queue_url": rechecks,
        "recheck_dead_letter_queue_url": recheck_letters,
        "undelivered_queue_url": undelivered,
    }


def upload_validate(aws):
    """Create `upload_validate`; return its output."""
    queue, letters = queue_pair(aws.client("sqs"), f"{NAME}-upload-validate")
    environment = {"TEMP_BUCKET_NAME": UPLOADS, "FINAL_BUCKET_NAME": FINAL, "QUARANTINE_BUCKET_NAME": ""}
    more = {"OUTCOMES_TABLE": "outcomes", "WORK_QUEUE": queue, "DEAD_LETTER_QUEUE": letters}
    function(aws, f"{NAME}-upload-validate", {**environment, **more})
    return {
        "function_name": f"{NAME}-upload-validate",
        "upload_bucket": UPLOADS,
        "final_bucket": FINAL,
        "quarantine_bucket": None,
        "outcomes_table": "outcomes",
        "queue_url": queue,
        "dead_letter_queue_url": letters,
    }


def deploy(aws):
    """Deploy all three tasks; return the values of Terraform's outputs."""
    s3 = aws.client("s3")
    for bucket in (SOURCE, RESTORED, ARCHIVE, UPLOADS, FINAL, REPORTS):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    far = aws.client("s3", region_name=DESTINATION_REGION)
    far.create_bucket(Bucket=MIRROR, CreateBucketConfiguration={"LocationConstraint": DESTINATION_REGION})
    return {
        "archive_copy": archive_copy(aws),
        "partition_replicate": mirror(aws),
        "upload_validate": upload_validate(aws),
    }


@pytest.fixture(name="outputs")
def outputs_of_a_deployment(aws):
    return deploy(aws)


def write_outputs(folder, outputs):
    """Write the file that `terraform output -json` would write; return its path."""
    file = folder / "outputs.json"
    file.write_text(json.dumps({name: {"value": value} for name, value in outputs.items()}), encoding="utf-8")
    return file


@pytest.fixture(name="outputs_file")
def file_with_the_outputs(outputs, tmp_path):
    return write_outputs(tmp_path, outputs)


@pytest.fixture
def brigade(outputs_file, capsys):
    """Return the command, pointed at the deployment."""
    return Run(capsys, ["--outputs", str(outputs_file), "--region", REGION])


@pytest.fixture(name="ctrl_c")
def ctrl_c_during_a_request(monkeypatch):
    """Return a function that lets Ctrl-C be pressed during a request of the next commands."""
    # A shell that starts the tests in the background makes them ignore the signal.
    before, make, wanted, seen = signal.signal(signal.SIGINT, signal.default_int_handler), Account.client, {}, Counter()

    def press(model, **_):
        seen.update((model.name, ANY))
        if any(seen[operation] == number for operation, number in wanted.items()):
            wanted.clear()
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def client(self, *arguments, **named):
        made = make(self, *arguments, **named)
        made.meta.events.register_first("before-call", press)
        return made

    def during(operation=ANY, number=1):
        wanted[operation] = number

    monkeypatch.setattr(Account, "client", client)
    yield during
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def plain_brigade(capsys, tmp_path, monkeypatch):
    """Return the command in an empty folder, without a deployment."""
    monkeypatch.chdir(tmp_path)
    return Run(capsys, [])
