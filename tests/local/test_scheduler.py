"""Schedules of the embedded AWS, which send messages with the permissions of their roles."""

import json
from contextlib import contextmanager

import pytest

from local.embedded_aws import EmbeddedAws
from local.scheduler import Scheduler
from tests.local.lambda_deployment import eventually


@pytest.fixture(name="aws", scope="module")
def embedded_aws():
    with EmbeddedAws() as aws:
        yield aws


@contextmanager
def scheduled(aws, name, *, may_send=True, trusts="scheduler.amazonaws.com"):
    """Create a queue, a role and a schedule of one name; yield the scheduler and the queue's URL."""
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = aws.client("sqs").create_queue(QueueName=f"{name}.fifo", Attributes=attributes)["QueueUrl"]
    arn = f"arn:aws:sqs:{aws.region}:{aws.account_id}:{name}.fifo"
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": trusts}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    if may_send:
        allow = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}
        iam.put_role_policy(RoleName=name, PolicyName="send", PolicyDocument=document(allow))
    target = {"Arn": arn, "RoleArn": role, "SqsParameters": {"MessageGroupId": "g"}}
    with Scheduler(aws) as scheduler:
        aws.client("scheduler").create_schedule(
            Name=name,
            ScheduleExpression="rate(60 minutes)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={**target, "Input": '{"run": "<aws.scheduler.scheduled-time>"}'},
        )
        yield scheduler, url


def document(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def bodies(aws, url):
    found = aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [json.loads(message["Body"]) for message in found.get("Messages", [])]


def test_schedule_with_a_rate_sends_its_first_message_at_once_and_names_the_time(aws):
    with scheduled(aws, "first") as (scheduler, url):
        eventually(lambda: bodies(aws, url), 10)
        scheduler.send("first")
        first, second = bodies(aws, url)
    assert first["run"].startswith("20") and second["run"] > first["run"]


@pytest.mark.parametrize("wrong", [{"may_send": False}, {"trusts": "lambda.amazonaws.com"}], ids=["policy", "trust"])
def test_role_that_may_not_send_or_does_not_trust_the_scheduler_sends_nothing(aws, caplog, wrong):
    name = "-".join(wrong).replace("_", "-")
    with scheduled(aws, name, **wrong) as (scheduler, url):
        scheduler.send(name)
        assert bodies(aws, url) == []
    assert f"the schedule {name} cannot send its message" in caplog.text
