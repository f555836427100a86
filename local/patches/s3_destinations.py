"""Destinations of S3's notifications: queues and EventBridge.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
"""

import json
from functools import partial
from typing import Any

from moto.core.responses import ActionResult
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket, S3Backend
from moto.s3.responses import S3Response
from moto.sqs.models import sqs_backends
from moto.utilities.arns import parse_arn

from local.patches.hooks import HOOKS
from local.patches.patching import patch
from local.patches.service_policies import permits_service


@patch(S3Backend, "put_bucket_notification_configuration")
def require_queues_that_accept_notifications(
    original: Any, backend: Any, bucket_name: str, notification_config: Any
) -> None:
    """S3 sends only to a queue that exists and whose policy permits S3 to send; moto sends to any."""
    bucket = backend.get_bucket(bucket_name)
    for configuration in (notification_config or {}).get("QueueConfiguration") or ():
        if not _accepts_notifications(configuration["Queue"], bucket):
            message = "Unable to validate the following destination configurations"
            raise S3ClientError("InvalidArgument", message)
    original(backend, bucket_name, notification_config)


@patch(S3Response, "get_bucket_notification")
def return_event_bridge_configuration(original: Any, response: Any) -> Any:
    """GetBucketNotificationConfiguration returns the EventBridge configuration; moto does not."""
    configuration = response.backend.get_bucket_notification_configuration(response.bucket_name)
    if configuration is not None and configuration.event_bridge is not None:
        serialized = response.serialized
        # A response object answers a single request, so nothing has to be undone.
        response.serialized = lambda answer: serialized(ActionResult({**answer.result, "EventBridgeConfiguration": {}}))
    return original(response)


@patch(S3Backend, "put_bucket_notification_configuration")
def delay_event_bridge(original: Any, backend: Any, bucket_name: str, notification_config: Any) -> None:
    """S3 sends its first event to EventBridge some minutes after it was enabled; moto sends at once, as this patch does
    unless `event_bridge_seconds` is set.

    Amazon S3 User Guide, "Enabling Amazon EventBridge".
    """
    bucket = backend.get_bucket(bucket_name)
    was_enabled = _is_event_bridge_enabled(bucket)
    original(backend, bucket_name, notification_config)
    if _is_event_bridge_enabled(bucket) and not was_enabled and HOOKS.event_bridge_seconds != 0:
        vars(bucket)["_event_bridge_is_pending"] = True
        begin = partial(setattr, bucket, "_event_bridge_is_pending", False)
        HOOKS.clock.call_later(HOOKS.event_bridge_seconds, begin)


def _is_event_bridge_enabled(bucket: FakeBucket) -> bool:
    configuration = bucket.notification_configuration
    return configuration is not None and configuration.event_bridge is not None


def _accepts_notifications(queue_arn: str, bucket: FakeBucket) -> bool:
    arn = parse_arn(queue_arn)
    queue = sqs_backends[arn.account][arn.region].queues.get(arn.resource_id)
    if queue is None or not queue.policy:
        return False
    condition_keys = {"aws:sourcearn": bucket.arn, "aws:sourceaccount": bucket.account_id}
    return permits_service(json.loads(queue.policy), "s3.amazonaws.com", "sqs:SendMessage", queue_arn, condition_keys)
