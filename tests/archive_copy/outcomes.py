"""Objects that a test uploads, and what it finds afterwards: in buckets, answers, queues and log lines."""

import json
from types import SimpleNamespace

import pytest

from tasks.archive_copy.handler import CopyRequestError
from tests.archive_copy.conftest import RESTORED

REQUEST = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def context(seconds):
    return SimpleNamespace(aws_request_id=REQUEST, get_remaining_time_in_millis=lambda: seconds * 1000)


def put(s3, key, **how):
    return s3.put_object(Bucket=RESTORED, Key=key, **{"Body": key.encode(), **how})


def body(s3, bucket, key):
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def keys(s3, bucket):
    return [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def file(key, target):
    return {"success": True, "source_bucket": RESTORED, "source_key": key, "target_bucket": target, "err_msg": ""}


def answer_in(error):
    return json.loads(str(error).removeprefix("File copy failed. "))


def failed_files(archive, event):
    with pytest.raises(CopyRequestError, match="^File copy failed. {") as raised:
        archive(event)
    return [found for found in answer_in(raised.value)["files"] if not found["success"]]


def receive_all(sqs, url):
    received = []
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
        "Messages"
    ):
        received += found
    return received


def log_lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]
