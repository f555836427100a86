"""Decisions on permissions of services: on behalf of a role, and by the policy of a queue."""

from local.permissions import Decision
from tests.local.lambda_deployment import ACCOUNT, REGION, deployed, eventually
from tests.local.patching import queue_policy_for_s3

ROLE = f"arn:aws:iam::{ACCOUNT}:role/f-role"
RECEIVES = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
WRITES_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}


def test_decisions_of_lambda_and_s3_are_reported():
    decisions = set()
    with deployed() as stage:
        queue, arn = stage.queue("q", Policy=queue_policy_for_s3("q"))
        stage.aws.hooks.on_decision = decisions.add
        stage.client("logs").create_log_group(logGroupName="/aws/lambda/f")
        stage.function("def handler(event, context): print('SEEN', 1)", role=stage.role("f-role", *RECEIVES, "logs:*"))
        stage.map(arn)
        s3 = stage.client("s3")
        s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
        notify = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
        s3.put_bucket_notification_configuration(
            Bucket="bucket", NotificationConfiguration={"QueueConfigurations": [notify]}
        )
        s3.put_object(Bucket="bucket", Key="key")
        eventually(stage.seen)
        eventually(lambda: stage.left(queue) == 0)
        policies = stage.client("iam")
        policies.delete_role_policy(RoleName="f-role", PolicyName="allowed")
        eventually(lambda: Decision(ROLE, "sqs:ReceiveMessage", arn, False) in decisions)
    assert {decision.action for decision in decisions if decision.principal == ROLE} == RECEIVES | WRITES_LOG
    assert Decision("s3.amazonaws.com", "sqs:SendMessage", arn, True) in decisions
