"""Commands of the documentation, run against a running stack, and checks of their results."""

import json
import time
import uuid
from urllib.parse import quote_plus

from local.demo.archive_copy import TIMEOUT_SECONDS
from local.demo.mirror import DESTINATION_REGION
from tests.support.snippets import shell_snippets
from tests.test_alarms import alarms_on_the_page

# The redrive first: docs/operations.md shows the dead letters that are left.
DOCUMENTS = ("terraform/README.md", "docs/operations.md")
BRIGADE = "docs/brigade.md"

BUCKET = "module.archive_copy_source_bucket[0].aws_s3_bucket"

# The first line of each snippet that cannot run here -> the reason. All other snippets run.
CANNOT_RUN = {
    "make brigade                       # installs it into .venv": "it installs packages; the terminal has `brigade`",
    "brigade prove --destination-profile my-profile-in-govcloud --report report.json": (
        "tests/ops/test_prove_on_the_stack.py runs it on a stack of its own"
    ),
    "dynamodb:DescribeContinuousBackups dynamodb:DescribeTable dynamodb:DescribeTimeToLive": "a list of permissions",
    "make dist": "`terraform init` contacts the registry, and an apply takes minutes; the demo is that apply",
    f"terraform import '{BUCKET}.protected[0]' NAME": "the demo creates the bucket",
    f"terraform state mv '{BUCKET}.disposable[0]' \\": "no bucket of the demo is disposable",
}

# The user and the secret of a deployment with an access key. The demo has neither, so the test creates both.
WITH_A_KEY = "mirror-with-an-access-key"

# Replacements in the snippets: placeholders, and outputs of a deployment with an access key.
REPLACED = {
    "my-profile-in-govcloud": "mirror",
    "$(output partition_replicate secret)": WITH_A_KEY,
    "$(output partition_replicate destination_user)": WITH_A_KEY,
}

# The key of an event that EventBridge could not deliver, and of one that failed in `enqueue`.
UNDELIVERED, FAILED = "by hand/undelivered.txt", "by hand/failed.txt"

# More messages than one call of SQS returns, which never succeed.
UNREADABLE = [f"unreadable {number}" for number in range(12)]

# An object that is still frozen although its event reports a restore: a dead letter that can be redriven later.
STILL_FROZEN = "by hand/still frozen.txt"


def snippets_to_run(document, replaced):
    """Yield the snippets of a document that can run, with replacements."""
    for text in shell_snippets(document):
        if text.splitlines()[0] not in CANNOT_RUN:
            for old, new in replaced.items():
                text = text.replace(old, new)
            yield text


def run_documentation(terminal, client, read_until):
    """Create undone work, run every command, and check that the commands have done it.

    Args:
        terminal: A `Terminal` in the folder of the deployment.
        client: Returns a boto3 client for a service, and optionally a region.
        read_until: Reads the output of the demo up to a matching line.
    """
    archive, mirror = (
        json.loads(terminal.run(f"terraform output -json {task}")) for task in ("archive_copy", "partition_replicate")
    )
    _check_the_table_of_alarms(client)
    _check_the_dashboard(client)
    _create_dead_letter(client, archive)
    _create_undelivered_events(client, mirror)
    client("secretsmanager").create_secret(Name=WITH_A_KEY)
    client("iam", DESTINATION_REGION).create_user(UserName=WITH_A_KEY)
    redrive, operations = DOCUMENTS
    terminal.run(*snippets_to_run(redrive, REPLACED))
    awaited = {STILL_FROZEN, UNDELIVERED, FAILED}
    while awaited:
        awaited.discard(read_until(r"^\S+ +(?:archived|replicated) +(.*?\S)  ")[1])
    _check_that_work_is_done(client, archive, mirror)
    _create_unreadable_messages(client, archive)
    printed = terminal.run(*snippets_to_run(operations, REPLACED))
    _check_that_all_dead_letters_are_printed(printed)
    _check_the_access_key(client)
    terminal.run(*snippets_to_run(BRIGADE, REPLACED))


def _check_the_table_of_alarms(client):
    pages = client("cloudwatch").get_paginator("describe_alarms").paginate()
    deployed = [alarm["AlarmName"].removeprefix("bucket-brigade-") for page in pages for alarm in page["MetricAlarms"]]
    assert sorted(deployed) == sorted(alarms_on_the_page())


def _check_the_dashboard(client):
    """Every metric that the dashboard shows exists, but for failures that no function had."""
    cloudwatch = client("cloudwatch")
    widgets = json.loads(cloudwatch.get_dashboard(DashboardName="bucket-brigade")["DashboardBody"])["widgets"]
    rows = [row[:-1] for widget in widgets for row in widget["properties"].get("metrics", []) if len(row) > 1]
    pages = cloudwatch.get_paginator("list_metrics").paginate()
    written = {
        (
            metric["Namespace"],
            metric["MetricName"],
            frozenset((one["Name"], one["Value"]) for one in metric["Dimensions"]),
        )
        for page in pages
        for metric in page["Metrics"]
    }
    shown = {(row[0], row[1], frozenset(zip(row[2::2], row[3::2], strict=True))) for row in rows}
    missing = {(namespace, name, *sorted(pairs)) for namespace, name, pairs in shown - written}
    assert all(name == "Failed" for _, name, *_ in missing), missing


def _create_dead_letter(client, archive):
    """Create a dead letter and remove its cause; the demo's own dead letter would fail again after a redrive."""
    s3, sqs, address = client("s3"), client("sqs"), {"Bucket": archive["source_bucket"], "Key": STILL_FROZEN}
    s3.put_object(**address, Body=b"cold", StorageClass="GLACIER")
    about = {"bucket": {"name": address["Bucket"]}, "object": {"key": quote_plus(STILL_FROZEN)}}
    record = {"eventSource": "aws:s3", "eventName": "ObjectRestore:Completed", "s3": about}
    sqs.send_message(QueueUrl=archive["queue_url"], MessageBody=json.dumps({"Records": [record]}))
    letters = {"QueueUrl": archive["dead_letter_queue_url"], "VisibilityTimeout": 0, "MaxNumberOfMessages": 10}
    end = time.monotonic() + TIMEOUT_SECONDS
    while not any(quote_plus(STILL_FROZEN) in one["Body"] for one in sqs.receive_message(**letters)["Messages"]):
        assert time.monotonic() < end, "the event of a frozen object did not become a dead letter"
    s3.put_object(**address, Body=b"cold")


def _create_undelivered_events(client, mirror):
    s3, sqs = client("s3"), client("sqs")
    for key, wrap in ((UNDELIVERED, lambda event: event), (FAILED, lambda event: {"requestPayload": event})):
        event = _missed_event(s3, mirror["source_bucket"], key)
        sqs.send_message(QueueUrl=mirror["undelivered_queue_url"], MessageBody=json.dumps(wrap(event)))


def _check_that_work_is_done(client, archive, mirror):
    assert client("s3").head_object(Bucket=archive["archive_buckets"]["documents"], Key=STILL_FROZEN)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    asked = {"QueueUrl": mirror["undelivered_queue_url"], "AttributeNames": names}
    assert set(client("sqs").get_queue_attributes(**asked)["Attributes"].values()) == {"0"}


def _create_unreadable_messages(client, archive):
    sqs, letters = client("sqs"), archive["dead_letter_queue_url"]
    for body in UNREADABLE:
        sqs.send_message(QueueUrl=archive["queue_url"], MessageBody=body)
    asked = {"QueueUrl": letters, "AttributeNames": ["ApproximateNumberOfMessages"]}
    end = time.monotonic() + TIMEOUT_SECONDS
    while int(sqs.get_queue_attributes(**asked)["Attributes"]["ApproximateNumberOfMessages"]) < len(UNREADABLE):
        assert time.monotonic() < end, "the unreadable messages did not become dead letters"


def _check_that_all_dead_letters_are_printed(printed):
    bodies = [line.removeprefix("body:").strip() for line in printed.splitlines() if line.startswith("body:")]
    assert sorted(body for body in bodies if body in UNREADABLE) == sorted(UNREADABLE)
    rows = [line.split() for line in printed.splitlines() if "the message is not JSON" in line]
    assert any(row[0] == "archive_copy" and str(len(UNREADABLE)) in row for row in rows), rows


def _check_the_access_key(client):
    (access_key,) = client("iam", DESTINATION_REGION).list_access_keys(UserName=WITH_A_KEY)["AccessKeyMetadata"]
    secret = json.loads(client("secretsmanager").get_secret_value(SecretId=WITH_A_KEY)["SecretString"])
    assert secret["accesskey"] == access_key["AccessKeyId"] and secret["secretaccesskey"]


def _missed_event(s3, bucket, key):
    """Write an object without notifications, and return the event that EventBridge would have sent."""
    configuration = s3.get_bucket_notification_configuration(Bucket=bucket)
    del configuration["ResponseMetadata"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    written = s3.put_object(Bucket=bucket, Key=key, Body=b"by hand")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    about = {"key": key, "size": 7, "etag": written["ETag"].strip('"'), "version-id": written["VersionId"]}
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2026-11-21T12:00:00Z",
        "region": s3.meta.region_name,
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {"version": "0", "bucket": {"name": bucket}, "object": about, "reason": "PutObject"},
    }
