"""Recursive loops of functions and queues."""

import json

import pytest

from tests.local.lambda_deployment import SQS_CLIENT, SQS_ENVIRONMENT, deployed, eventually

pytestmark = pytest.mark.long


@pytest.fixture(name="stage")
def fixture_stage():
    with deployed() as stage:
        yield stage


# Sends the next number to its own queue, as a continuation does.
RECURSIVE = (
    SQS_CLIENT
    + """
def handler(event, context):
    for record in event["Records"]:
        print("SEEN", record["body"])
        if int(record["body"]) < 20:
            sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=str(int(record["body"]) + 1))
"""
)


def recursive(stage):
    """Create a function that sends to its own queue; return the queue and its dead-letter queue."""
    dead, dead_arn = stage.queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    queue, arn = stage.queue("q", VisibilityTimeout=60, RedrivePolicy=redrive)
    environment = {"QUEUE": queue, **SQS_ENVIRONMENT}
    stage.function(RECURSIVE, environment=environment, role=stage.role("r", "sqs:*", "logs:*"))
    stage.map(arn, BatchSize=1)
    return queue, dead


def test_recursive_loop_stops_at_the_seventeenth_invocation_and_its_message_becomes_a_dead_letter():
    # Failed messages return at once.
    with deployed(redelivery_seconds=0) as stage:
        queue, dead = recursive(stage)
        stage.send(queue, "1")
        assert stage.received(dead, seconds=20)["Body"] == "17"
        # The sixteenth invocation may still be running.
        eventually(lambda: sorted(stage.seen()) == list(range(1, 17)))
        # The message returned once, because of maxReceiveCount, and was dropped again.
        assert len(stage.log("Lambda found a recursive loop")) == stage.dropped() == 2


def test_allowed_recursive_loop_continues(stage):
    queue, dead = recursive(stage)
    put = stage.functions.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    assert put["RecursiveLoop"] == "Allow"
    stage.send(queue, "1")
    eventually(lambda: sorted(stage.seen()) == list(range(1, 21)), seconds=20)
    eventually(lambda: stage.left(queue) == 0)
    assert (stage.left(dead), stage.dropped()) == (0, 0)


def test_messages_of_other_chains_do_not_count_as_a_loop(stage):
    queue, dead = recursive(stage)
    for _ in range(18):
        stage.send(queue, "20")
    eventually(lambda: stage.seen() == [20] * 18)
    assert (stage.left(dead), stage.dropped()) == (0, 0)
