"""EventBridge: which rules get an event, and functions as their targets."""

import copy
import json
import logging
from typing import Any

from moto.awslambda.utils import get_backend
from moto.core.utils import iso_8601_datetime_without_milliseconds, utcfromtimestamp
from moto.events.models import Rule
from moto.sqs.models import sqs_backends
from moto.utilities.arns import parse_arn

from local.patches.hooks import HOOKS
from local.patches.patching import patch
from local.patches.service_policies import permits_service

logger = logging.getLogger(__name__)

SERVICE = "events.amazonaws.com"

EVENT_FIELDS = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")


@patch(Rule, "send_to_targets")
def deliver_to_functions(original: Any, rule: Rule, original_event: Any, transform_input: bool = True) -> None:
    """A rule's targets may be functions, which get the whole event; moto does not implement them."""
    if not rule.event_pattern.matches_event(original_event):
        return
    for target in rule.targets:
        if parse_arn(target["Arn"]).service == "lambda":
            _invoke(target["Arn"], original_event)
    others = copy.copy(rule)
    others.targets = [target for target in rule.targets if parse_arn(target["Arn"]).service != "lambda"]
    original(others, original_event, transform_input)


@patch(Rule, "send_to_targets")
def require_permission_to_invoke(original: Any, rule: Rule, original_event: Any, transform_input: bool = True) -> None:
    """EventBridge invokes a function whose policy permits it for the ARN of the rule; moto does not check.

    EventBridge sends no source account, so a permission limited to an account does not match. An event without
    permission becomes a dead letter at once. EventBridge User Guide, "Troubleshooting" and "Using dead-letter queues to
    process undelivered events".
    """
    permitted = copy.copy(rule)
    permitted.targets = [target for target in rule.targets if _may_invoke(rule, target["Arn"])]
    original(permitted, original_event, transform_input)
    if rule.event_pattern.matches_event(original_event):
        for target in rule.targets:
            if target not in permitted.targets:
                _send_dead_letter(rule, target, original_event)


@patch(Rule, "send_to_targets")
def isolate_target_failures(original: Any, rule: Rule, original_event: Any, transform_input: bool = True) -> None:
    """A failing target affects no other target; with moto its error also stops the other targets and the caller."""
    for target in rule.targets:
        single_target = copy.copy(rule)
        single_target.targets = [target]
        try:
            original(single_target, original_event, transform_input)
        except Exception as error:  # pylint: disable=broad-exception-caught  # no error may reach the event's source
            logger.warning("%s could not deliver an event to %s: %s", rule.arn, target["Arn"], error)


@patch(Rule, "send_to_targets")
def skip_idle_rules(original: Any, rule: Rule, original_event: Any, transform_input: bool = True) -> None:
    """A disabled rule, and a rule with only a schedule, gets no events; with moto it does."""
    if rule.state == "ENABLED" and rule.event_pattern.get_pattern():
        original(rule, original_event, transform_input)


def _may_invoke(rule: Rule, target_arn: str) -> bool:
    """Return whether a target is not a function, or is a function that the rule may invoke."""
    arn = parse_arn(target_arn)
    if arn.service != "lambda":
        return True
    policy = get_backend(arn.account, arn.region).get_function(target_arn).policy
    statements = {"Statement": policy.statements if policy else []}
    return permits_service(statements, SERVICE, "lambda:InvokeFunction", target_arn, {"aws:sourcearn": rule.arn})


def _send_dead_letter(rule: Rule, target: dict[str, Any], event: Any) -> None:
    """Send an undeliverable event to the target's dead-letter queue, if the queue's policy permits it."""
    queue_arn = target.get("DeadLetterConfig", {}).get("Arn")
    logger.warning("%s may not invoke %s; dead-letter queue: %s", rule.arn, target["Arn"], queue_arn)
    if queue_arn is None:
        return
    arn = parse_arn(queue_arn)
    backend = sqs_backends[arn.account][arn.region]
    policy = json.loads(backend.get_queue(arn.resource_id).policy or "{}")
    if permits_service(policy, SERVICE, "sqs:SendMessage", queue_arn, {"aws:sourcearn": rule.arn}):
        reason = {
            "RULE_ARN": rule.arn,
            "TARGET_ARN": target["Arn"],
            "ERROR_CODE": "NO_PERMISSIONS",
            "ERROR_MESSAGE": "The resource policy of the function does not permit the rule to invoke it.",
        }
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in reason.items()}
        backend.send_message(arn.resource_id, json.dumps(_payload(event)), attributes)


def _invoke(function_arn: str, event: Any) -> None:
    arn = parse_arn(function_arn)
    function = get_backend(arn.account, arn.region).get_function(function_arn)
    HOOKS.lambda_invoker(function, json.dumps(_payload(event)).encode(), "Event")


def _payload(event: Any) -> dict[str, Any]:
    payload = {name: event[name] for name in EVENT_FIELDS}
    payload["time"] = iso_8601_datetime_without_milliseconds(utcfromtimestamp(int(event["time"])))
    return payload
