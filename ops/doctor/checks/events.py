"""Checks of the way of an event from a bucket to a function."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ops.deployment import Deployment, Mirror
from ops.doctor.checkup import Check
from ops.doctor.commands import apply, aws
from ops.doctor.facts import Facts
from ops.doctor.findings import Result, check_that, ok, problem, warning
from ops.doctor.subjects import Bucket, Function, Queue, buckets, functions, mirror_of, queues

# The events that start a task.
STARTS = {"archive_copy": "s3:ObjectRestore:Completed", "upload_validate": "s3:ObjectCreated:*"}

RULE = "aws_cloudwatch_event_rule.partition_replicate[0]"
TARGET = "aws_cloudwatch_event_target.partition_replicate[0]"
PERMISSION = "aws_lambda_permission.partition_replicate[0]"
UNDELIVERED = "aws_sqs_queue.partition_replicate_undelivered[0]"


def notified(deployment: Deployment) -> Iterator[Queue]:
    """Yield the queues that take notifications."""
    yield from (queue for queue in queues(deployment) if queue.sender)


def notification(facts: Facts, queue: Queue) -> Iterator[Result]:
    """Check that the notifications of a bucket reach the task's queue."""
    name = queue.sender or ""
    now = _notification_of(facts, Bucket(queue.task, name, "source", queue.task.functions[0]))
    arn, event = facts.arn_of_queue(queue.work.url), STARTS[queue.task.name]
    own = [each for each in now.get("QueueConfigurations", []) if each["QueueArn"] == arn]
    reaches = any(fnmatchcase(event, pattern) for each in own for pattern in each["Events"])
    others = sum(len(found) for key, found in now.items() if key.endswith("Configurations")) - len(own)
    more = f"; it has {others} other notifications, which may have replaced it" if others else ""
    added = [*now.get("QueueConfigurations", []), {"QueueArn": arn, "Events": [event]}]
    lost = problem(
        f"no notification of {name} sends {event} to it{more}", _put(name, {**now, "QueueConfigurations": added})
    )
    yield check_that(reaches, f"{name} sends {event} to it", lost)
    if any(each.get("Filter") for each in own):
        some = f"the notification of {name} has a filter: other keys never arrive"
        yield warning(some, aws("s3api", "get-bucket-notification-configuration", bucket=name))


def event_bridge(facts: Facts, bucket: Bucket) -> Iterator[Result]:
    """Check that a source bucket sends its events to EventBridge."""
    now = _notification_of(facts, bucket)
    off = problem(
        "it sends no events to EventBridge: no change is mirrored",
        _put(bucket.label, {**now, "EventBridgeConfiguration": {}}),
    )
    yield check_that("EventBridgeConfiguration" in now, "it sends its events to EventBridge", off)


def mirrored(deployment: Deployment) -> Iterator[Bucket]:
    """Yield the source buckets of mirrors."""
    yield from (each for each in buckets(deployment) if isinstance(each.task, Mirror) and each.is_read)


def permission_of_bucket(facts: Facts, queue: Queue) -> Iterator[Result]:
    """Check that a queue takes the notifications of its bucket."""
    policy, arn = facts.queue(queue.work.url).get("Policy", ""), f"arn:{facts.partition}:s3:::{queue.sender}"
    refused = problem(f"its policy does not let {queue.sender} send", apply(f"{queue.module}.aws_sqs_queue.this"))
    allowed = any(_names(found, "s3.amazonaws.com", "sqs:SendMessage", arn) for found in _statements(policy))
    yield check_that(allowed, f"its policy lets {queue.sender} send", refused)


def enqueuers(deployment: Deployment) -> Iterator[Function]:
    """Yield the functions that EventBridge invokes."""
    yield from (each for each in functions(deployment) if each.kind == "partition_replicate_enqueue")


def rule(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that an enabled rule selects the events of the source and sends them to the function."""
    arn = facts.configuration(function.label)["FunctionArn"]
    names = facts.read("events", "list_rule_names_by_target", TargetArn=arn)["RuleNames"]
    if not names:
        yield problem("no rule of EventBridge has it as its target: no change is mirrored", apply(TARGET))
    for name in names:
        yield from _of_rule(facts, function, name)
        yield _of_target(facts, function, name, arn)
        yield _of_permission(facts, function, name)


def _of_rule(facts: Facts, function: Function, name: str) -> Iterator[Result]:
    found, source = facts.read("events", "describe_rule", Name=name), mirror_of(function).source
    enable = aws("events", "enable-rule", name=name, region=facts.region)
    # ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS is enabled too.
    disabled = problem(f"the rule {name} is {found['State']}: no change is mirrored", enable)
    yield check_that(found["State"].startswith("ENABLED"), f"the rule {name} is {found['State']}", disabled)
    selected = json.loads(found.get("EventPattern") or "{}").get("detail", {}).get("bucket", {}).get("name", [])
    other = problem(f"the rule {name} does not select the events of {source}", apply(RULE))
    yield check_that(source in selected, f"the rule {name} selects the events of {source}", other)


def _of_target(facts: Facts, function: Function, name: str, arn: str) -> Result:
    targets = facts.read("events", "list_targets_by_rule", Rule=name)["Targets"]
    kept = next(each.get("DeadLetterConfig", {}).get("Arn") for each in targets if each["Arn"] == arn)
    wanted = facts.arn_of_queue(function.on_failure)
    lost = problem(f"undelivered events of the rule {name} go to {kept or 'no queue'}, not to {wanted}", apply(TARGET))
    return check_that(kept == wanted, f"undelivered events of the rule {name} go to {wanted}", lost)


def _of_permission(facts: Facts, function: Function, name: str) -> Result:
    arn = facts.read("events", "describe_rule", Name=name)["Arn"]
    policy = facts.read("lambda", "get_policy", "ResourceNotFoundException", FunctionName=function.label).get(
        "Policy", ""
    )
    own = [each for each in _statements(policy) if _names(each, "events.amazonaws.com", "lambda:InvokeFunction", arn)]
    if not own:
        return problem(f"its policy does not let the rule {name} invoke it", apply(PERMISSION))
    if any("aws:sourceaccount" in json.dumps(each.get("Condition")).lower() for each in own):
        return problem("its policy names a source account, which EventBridge does not send", apply(PERMISSION))
    return ok(f"its policy lets the rule {name} invoke it")


def undelivered(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that events that reach no function are kept."""
    url = function.on_failure
    missing = "AWS.SimpleQueueService.NonExistentQueue"
    found = facts.read("sqs", "get_queue_attributes", missing, QueueUrl=url, AttributeNames=["All"])
    if not found:
        yield problem(f"the queue {url} does not exist: undelivered events are lost", apply(UNDELIVERED))
        return
    policy = found["Attributes"].get("Policy", "")
    allowed = any(_names(each, "events.amazonaws.com", "sqs:SendMessage") for each in _statements(policy))
    refused = problem("the policy of the queue of undelivered events does not let EventBridge send", apply(UNDELIVERED))
    yield check_that(allowed, "EventBridge may send undelivered events to their queue", refused)


def _notification_of(facts: Facts, bucket: Bucket) -> dict[str, Any]:
    found = facts.read_bucket(bucket, "get_bucket_notification_configuration")
    return {name: value for name, value in found.items() if name != "ResponseMetadata"}


def _put(bucket: str, configuration: Mapping[str, Any]) -> str:
    """Return the command that sets all notifications of a bucket: S3 has no call that adds one."""
    words = ("s3api", "put-bucket-notification-configuration")
    return aws(*words, bucket=bucket, notification_configuration=configuration)


def _statements(policy: str) -> list[dict[str, Any]]:
    found = json.loads(policy or "{}").get("Statement", [])
    return [each for each in (found if isinstance(found, list) else [found]) if each.get("Effect") == "Allow"]


def _names(statement: Mapping[str, Any], service: str, action: str, source: str = "") -> bool:
    """Return whether a statement names a service, an action, and the ARN that the service acts for."""
    principal, actions = statement.get("Principal"), statement.get("Action", [])
    services = principal.get("Service", []) if isinstance(principal, dict) else []
    return (
        service in ([services] if isinstance(services, str) else services)
        and any(
            fnmatchcase(action.lower(), each.lower()) for each in ([actions] if isinstance(actions, str) else actions)
        )
        and source in json.dumps(statement.get("Condition", {}))
    )


CHECKS = (
    Check("notification", "whether the bucket's notifications reach the task's queue", notified, notification),
    Check("queue policy", "whether the queue takes the bucket's notifications", notified, permission_of_bucket),
    Check("eventbridge", "whether the source sends its events to EventBridge", mirrored, event_bridge),
    Check("rule", "whether the rule is enabled, and may invoke its target", enqueuers, rule),
    Check("undelivered", "whether events that reach no function are kept", enqueuers, undelivered),
)
