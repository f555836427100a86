"""Runs the commands of the documentation against a stack that is up, and checks what they do."""

import json
import uuid

from local.demo.archive_copy import NEVER_MADE
from tests.support.snippets import shell_snippets

DOCUMENTS = ("docs/operations.md", "terraform/README.md")

# The first line of each snippet that cannot run here, and why. Every other snippet is run.
CANNOT_RUN = {
    "make dist": "`terraform init` asks the registry, and an apply takes minutes; the demo itself is that apply",
    "terraform import 'module.archive_copy_source_bucket[0].aws_s3_bucket.this' NAME": "the bucket is made by the demo",
}

# What a reader replaces in a snippet, and by what.
REPLACED = {"my-profile-in-govcloud": "mirror"}

# An event that EventBridge could not deliver, and one with which `enqueue` failed.
UNDELIVERED, FAILED = "by hand/undelivered.txt", "by hand/failed.txt"


def snippets_to_run(document):
    """The snippets of a document that can run, with everything replaced that a reader replaces."""
    for text in shell_snippets(document):
        if text.splitlines()[0] not in CANNOT_RUN:
            for old, new in REPLACED.items():
                text = text.replace(old, new)
            yield text


def run_documentation(terminal, client, read_until):
    """Leaves work undone, runs every command, and checks that the work is done then.

    Args:
        terminal: a `Terminal` in the folder of the deployment.
        client: makes a boto3 client by the name of the service.
        read_until: reads what the demo says up to a line that matches.
    """
    outputs = {name: one["value"] for name, one in json.loads(terminal.run("terraform output -json")).items()}
    mirror = outputs["partition_replicate"]
    s3, sqs = client("s3"), client("sqs")
    # The cause of one dead letter is removed; the other comes back.
    s3.create_bucket(Bucket=NEVER_MADE, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    for key, wrap in ((UNDELIVERED, lambda event: event), (FAILED, lambda event: {"requestPayload": event})):
        event = _missed_event(s3, mirror["source_bucket"], key)
        sqs.send_message(QueueUrl=mirror["undelivered_queue_url"], MessageBody=json.dumps(wrap(event)))
    for document in DOCUMENTS:
        terminal.run(*snippets_to_run(document))
    awaited = {"images/never-arrives.iso", UNDELIVERED, FAILED}
    while awaited:
        awaited.discard(read_until(r"^(?:archived|replicated)  (.*\S)  ")[1])
    assert s3.head_object(Bucket=NEVER_MADE, Key="images/never-arrives.iso")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    left = sqs.get_queue_attributes(QueueUrl=mirror["undelivered_queue_url"], AttributeNames=names)["Attributes"]
    assert set(left.values()) == {"0"}


def _missed_event(s3, bucket, key):
    """Write an object while S3 sends no event, and make the event that EventBridge would have sent."""
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
