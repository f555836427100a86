"""The scheduled checks on the real Terraform: drift is counted, and repaired if that is allowed."""

import os
import shutil
from pathlib import Path

import pytest

from local import stack
from local.demo import mirror_check, partition_replicate
from local.demo.mirror import SOURCE, Mirror
from tasks.mirror_check.circumstances import messages_in
from tests.local.lambda_deployment import eventually
from tests.local.metric_data import values_of
from tests.permissions.steps import Task

ROOT = Path(__file__).parents[2]
SECONDS = 120

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not shutil.which("terraform") and os.environ.get("CI") != "true", reason="Terraform is not installed"
    ),
]


@pytest.fixture(name="deployed")
def mirror_with_checks(tmp_path):
    variables = {
        **partition_replicate.VARIABLES,
        **mirror_check.VARIABLES,
        "package_dir": str(ROOT / "dist"),
        "archive_copy_enabled": False,
        "mirror_check_repair": True,
    }
    with stack.running(variables, folder=tmp_path, prepare=partition_replicate.prepare) as running:
        yield running


def keys(s3, bucket):
    return {each["Key"]: each["ETag"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}


def plant(mirror, destination):
    """Let the mirror copy two objects, and then change both sides without an event."""
    near, far = mirror.source, mirror.destination
    for key in ("drift/equal", "drift/lost", "drift/removed"):
        near.put_object(Bucket=SOURCE, Key=key, Body=key.encode())
    eventually(lambda: keys(near, SOURCE) == keys(far, destination), SECONDS)
    near.put_bucket_notification_configuration(Bucket=SOURCE, NotificationConfiguration={})
    near.put_object(Bucket=SOURCE, Key="drift/missing", Body=b"1")
    near.delete_object(Bucket=SOURCE, Key="drift/removed")
    far.delete_object(Bucket=destination, Key="drift/lost")
    # While the queue holds a message, a removal counts as one that is on its way.
    sqs, queue = mirror.stack.aws.client("sqs"), mirror.outputs["queue_url"]
    eventually(lambda: messages_in(sqs, queue) == 0, SECONDS)


def test_planted_drift_is_counted_and_repaired_only_if_that_is_allowed(deployed):
    mirror, outputs = Mirror.of(deployed), deployed.outputs["mirror_check"]
    destination, task = mirror.outputs["destination_bucket"], Task(deployed, outputs["function_name"], "")
    # The schedule itself has started the first run, of two empty sides.
    eventually(lambda: any("a run is over" in line for line in deployed.functions.logs(task.name)), SECONDS)
    plant(mirror, destination)
    before = keys(mirror.destination, destination)

    task.set_environment(REPAIR="off")
    *lines, over = mirror_check.check(deployed)
    assert {line["key"] for line in lines} == {"drift/lost", "drift/missing", "drift/removed"}
    assert (over["different"], over["repaired"]) == (3, 0)
    assert keys(mirror.destination, destination) == before

    task.set_environment(REPAIR="on")
    assert mirror_check.check(deployed)[-1]["repaired"] == 3
    eventually(lambda: keys(mirror.source, SOURCE) == keys(mirror.destination, destination), SECONDS)
    assert [(over["different"], over["repaired"]) for over in mirror_check.check(deployed)] == [(0, 0)]

    cloudwatch = deployed.aws.client("cloudwatch")
    dimensions = {"deployment": "bucket-brigade", "service": "mirror_check", "function_name": task.name}
    for metric in ("Different", "Repaired"):
        assert values_of(cloudwatch, "BucketBrigade", metric, "Maximum", **dimensions) == [3]
