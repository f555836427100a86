"""The use of mirror_check: a run that repairs, messages that fail, and a direct invocation that fails."""

import json

from local.demo.mirror_check import check
from tasks.utils.outcome_log import DEAD_LETTERED, RETRIED
from tests.local.lambda_deployment import eventually
from tests.permissions.mirrors import Mirror
from tests.permissions.steps import SECONDS, Task

CHANGED = "changed.txt"
# The first run began with the schedule, and before the second deployment had its secret.
FIRST_RUN_SECONDS = 300


def use_mirror_check(stack):
    outputs, mirror = stack.outputs["mirror_check"], Mirror(stack)
    task = Task(stack, outputs["function_name"], outputs["queue_url"])
    eventually(lambda: any("a run is over" in line for line in stack.functions.logs(task.name)), FIRST_RUN_SECONDS)
    repair(stack, mirror, task)
    fail_and_return(stack, mirror, task)
    fail_directly(stack, mirror, task)


def repair(stack, mirror, task):
    """Check sides that differ: the mirror's dead letters stop the repair, and without them it is made."""
    mirror.put(CHANGED, b"1")
    # The same size, so that checksums are asked for.
    mirror.there.put_object(Bucket=mirror.destination, Key=CHANGED, Body=b"2")
    letters = task.environment["OBJECTS_DEAD_LETTER_QUEUES"]
    assert check(stack)[-1]["different"]
    task.set_environment(OBJECTS_DEAD_LETTER_QUEUES="[]")
    with mirror.replicate.logging("replicated", key=CHANGED):
        assert check(stack)[-1]["repaired"]
    task.set_environment(OBJECTS_DEAD_LETTER_QUEUES=letters)


def fail_and_return(stack, mirror, task):
    """Send a message that can never succeed, one that comes back, and one that a copy replaces."""
    with task.logging(DEAD_LETTERED):
        task.send("{", MessageGroupId="unreadable")
    for receives in ("10", "1"):
        task.set_environment(MAX_RECEIVES=receives)
        stack.aws.faults.add("ListObjectsV2", bucket=mirror.source, times=1, status=400, code="ExpiredToken")
        with task.logging(RETRIED):
            task.send(json.dumps({"run": f"refused-{receives}"}), MessageGroupId="runs")
    task.set_environment(MAX_RECEIVES="10")


def fail_directly(stack, mirror, task):
    """Invoke the function asynchronously with what it does not accept: Lambda sends its record at the end."""
    queue, sqs = mirror.outputs["undelivered_queue_url"], stack.aws.client("sqs")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def messages():
        return sum(map(int, sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"].values()))

    before = messages()
    stack.aws.client("lambda").invoke(FunctionName=task.name, InvocationType="Event", Payload='{"no": "batch"}')
    eventually(lambda: messages() > before, SECONDS)
