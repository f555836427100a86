"""Where S3 sends its notifications: only to queues that take them, and all of it is told again.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
"""

import json
from fnmatch import fnmatchcase
from typing import Any

from moto.core.responses import ActionResult
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket, S3Backend
from moto.s3.responses import S3Response
from moto.sqs.models import sqs_backends
from moto.utilities.arns import parse_arn

from local.mends.iam import CONTEXT
from local.mends.mending import mend

SERVICE = "s3.amazonaws.com"
ACTION = "sqs:sendmessage"
# All operators that a queue's policy for S3 has use for; what they say of a request is compared with wildcards.
OPERATORS = ("ArnEquals", "ArnLike", "StringEquals", "StringLike", "Bool")


@mend(S3Backend, "put_bucket_notification_configuration")
def need_queues_that_take_them(original: Any, backend: Any, bucket_name: str, notification_config: Any) -> None:
    """S3 sends to a queue only when it is there and its policy lets S3 send; moto sends to any."""
    bucket = backend.get_bucket(bucket_name)
    for configuration in (notification_config or {}).get("QueueConfiguration") or ():
        if not _takes_notifications(configuration["Queue"], bucket):
            message = "Unable to validate the following destination configurations"
            raise S3ClientError("InvalidArgument", message)
    original(backend, bucket_name, notification_config)


@mend(S3Response, "get_bucket_notification")
def tell_of_event_bridge(original: Any, response: Any) -> Any:
    """GetBucketNotificationConfiguration tells whether there is EventBridge as well; moto does not."""
    configuration = response.backend.get_bucket_notification_configuration(response.bucket_name)
    if configuration is not None and configuration.event_bridge is not None:
        serialized = response.serialized
        # A response object answers a single request.
        response.serialized = lambda told: serialized(ActionResult({**told.result, "EventBridgeConfiguration": {}}))
    return original(response)


def _takes_notifications(queue_arn: str, bucket: FakeBucket) -> bool:
    arn = parse_arn(queue_arn)
    queue = sqs_backends[arn.account][arn.region].queues.get(arn.resource_id)
    if queue is None or not queue.policy:
        return False
    context = {"aws:sourcearn": bucket.arn, "aws:sourceaccount": bucket.account_id, **CONTEXT}
    statements = _listed(json.loads(queue.policy)["Statement"])
    effects = {statement["Effect"] for statement in statements if _concerns(statement, queue_arn, context)}
    return effects == {"Allow"}


def _concerns(statement: dict[str, Any], queue_arn: str, context: dict[str, str]) -> bool:
    """Tell whether a statement is about S3 that sends to the queue."""
    return (
        _names_s3(statement.get("Principal"))
        and any(fnmatchcase(ACTION, action.lower()) for action in _listed(statement.get("Action")))
        and any(fnmatchcase(queue_arn, resource) for resource in _listed(statement.get("Resource")))
        and all(
            operator in OPERATORS and _holds(key, wanted, context)
            for operator, conditions in statement.get("Condition", {}).items()
            for key, wanted in conditions.items()
        )
    )


def _names_s3(principal: Any) -> bool:
    if isinstance(principal, dict):
        return SERVICE in _listed(principal.get("Service")) or "*" in _listed(principal.get("AWS"))
    return principal == "*"


def _holds(key: str, wanted: Any, context: dict[str, str]) -> bool:
    return any(fnmatchcase(context.get(key.lower(), ""), value) for value in _listed(wanted))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
