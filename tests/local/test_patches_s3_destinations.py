import json

import pytest
from botocore.exceptions import ClientError

from local.patches import s3_destinations, s3_events
from tests.local.patching import ACCOUNT, REGION, patched, queue_policy_for_s3

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue"
S3 = {"Service": "s3.amazonaws.com"}
ALLOWED = {"Effect": "Allow", "Principal": S3, "Action": "sqs:SendMessage", "Resource": QUEUE}
LIKE_BUCKET = {"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:b*"}}
FROM_BUCKET = {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::bucket"}, "StringEquals": {"aws:SourceAccount": ACCOUNT}}
PLAIN_HTTP = {"Bool": {"aws:SecureTransport": "false"}}
TLS = {"Bool": {"aws:SecureTransport": "true"}}


def notify(s3):
    configuration = {"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="bucket", NotificationConfiguration={"QueueConfigurations": [configuration]}
    )


def is_refused(s3):
    with pytest.raises(ClientError, match="InvalidArgument.*Unable to validate"):
        notify(s3)
    return not s3.get_bucket_notification_configuration(Bucket="bucket").get("QueueConfigurations")


@patched(s3_destinations.require_queues_that_accept_notifications)
def test_notification_to_missing_queue_is_refused(stage):
    assert is_refused(stage.s3("bucket"))


@patched(s3_destinations.require_queues_that_accept_notifications)
def test_notification_to_queue_without_a_policy_is_refused(stage):
    stage.queue("queue")
    assert is_refused(stage.s3("bucket"))


@patched(s3_destinations.require_queues_that_accept_notifications)
def test_notification_to_queue_that_does_not_permit_the_bucket_is_refused(stage):
    s3 = stage.s3("bucket")
    for statements in (
        [{**ALLOWED, "Principal": {"Service": "events.amazonaws.com"}}],
        [{**ALLOWED, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}],
        [{**ALLOWED, "Action": "sqs:ReceiveMessage"}],
        [{**ALLOWED, "Resource": f"{QUEUE}s"}],
        [{**ALLOWED, "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::other"}}}],
        [{**ALLOWED, "Condition": {"StringEquals": {"aws:SourceAccount": "210987654321"}}}],
        [{**ALLOWED, "Condition": {"Null": {"aws:SourceArn": "false"}}}],
        [ALLOWED, {**ALLOWED, "Effect": "Deny", "Principal": "*", "Condition": TLS}],
    ):
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        url = stage.queue("queue", Policy=policy)
        assert is_refused(s3)
        stage.client("sqs").delete_queue(QueueUrl=url)


@patched()
def test_notification_to_queue_that_permits_the_bucket_is_accepted(stage):
    s3 = stage.s3("bucket")
    for statements in (
        ALLOWED,
        [{**ALLOWED, "Condition": FROM_BUCKET}],
        [{**ALLOWED, "Action": ["SQS:*"], "Resource": "*", "Condition": LIKE_BUCKET}],
        [{**ALLOWED, "Principal": {"AWS": "*"}}],
        [ALLOWED, {**ALLOWED, "Effect": "Deny", "Principal": "*", "Condition": PLAIN_HTTP}],
    ):
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        url = stage.queue("queue", Policy=policy)
        notify(s3)
        stage.client("sqs").delete_queue(QueueUrl=url)


@patched(s3_destinations.return_event_bridge_configuration)
def test_notification_configuration_is_returned_as_it_was_put(stage):
    s3 = stage.s3("bucket")
    stage.queue("queue", Policy=queue_policy_for_s3("queue"))
    configuration = {"Id": "id", "QueueArn": QUEUE, "Events": ["s3:ObjectRestore:Completed"]}
    configuration = {"QueueConfigurations": [configuration], "EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket="bucket", NotificationConfiguration=configuration)
    found = s3.get_bucket_notification_configuration(Bucket="bucket")
    del found["ResponseMetadata"]
    assert found == configuration


@patched(s3_destinations.return_event_bridge_configuration)
def test_event_bridge_is_returned_as_the_only_destination(stage):
    s3 = stage.s3("bucket")
    s3.put_bucket_notification_configuration(
        Bucket="bucket", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    assert s3.get_bucket_notification_configuration(Bucket="bucket")["EventBridgeConfiguration"] == {}


@patched(s3_destinations.delay_event_bridge, s3_events.drop_events_before_event_bridge_starts)
def test_events_before_event_bridge_starts_are_dropped(stage):
    s3, queue = stage.s3("bucket"), stage.queue("events")
    bridge = stage.client("events")
    bridge.put_rule(Name="rule", EventPattern=json.dumps({"source": ["aws.s3"]}))
    bridge.put_targets(Rule="rule", Targets=[{"Id": "queue", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:events"}])
    # Until `clock.run_all`.
    stage.hooks.event_bridge_seconds = None
    enabled = {"Bucket": "bucket", "NotificationConfiguration": {"EventBridgeConfiguration": {}}}
    s3.put_bucket_notification_configuration(**enabled)
    s3.put_object(Bucket="bucket", Key="early", Body=b"1")
    assert s3.get_bucket_notification_configuration(Bucket="bucket")["EventBridgeConfiguration"] == {}
    stage.hooks.clock.run_all()
    s3.put_bucket_notification_configuration(**enabled)
    s3.put_object(Bucket="bucket", Key="late", Body=b"1")
    assert [event["detail"]["object"]["key"] for event in stage.bodies(queue)] == ["late"]
