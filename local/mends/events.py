"""EventBridge: which rules get an event, and functions as their targets."""

import copy
import json
import logging
from typing import Any

from moto.awslambda.utils import get_backend
from moto.core.utils import iso_8601_datetime_without_milliseconds, utcfromtimestamp
from moto.events.models import Rule
from moto.utilities.arns import parse_arn

from local.mends.hooks import HOOKS
from local.mends.mending import mend

logger = logging.getLogger(__name__)

EVENT_FIELDS = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")


@mend(Rule, "send_to_targets")
def deliver_to_functions(original: Any, rule: Rule, original_event: Any, transform_input: bool = True) -> None:
    """A rule's targets may be functions, which get the whole event; with moto they fail as not implemented."""
    if not rule.event_pattern.matches_event(original_event):
        return
    for target in rule.targets:
        if parse_arn(target["Arn"]).service == "lambda":
            _invoke(target["Arn"], original_event)
    others = copy.copy(rule)
    others.targets = [target for target in rule.targets if parse_arn(target["Arn"]).service != "lambda"]
    original(others, original_event, transform_input)


@mend(Rule, "send_to_targets")
def deliver_to_each_target(original: Any, rule: Rule, original_event: Any, transform_input: bool = True) -> None:
    """A target that fails fails alone; with moto the other targets, or the caller, suffer as well."""
    for target in rule.targets:
        alone = copy.copy(rule)
        alone.targets = [target]
        try:
            original(alone, original_event, transform_input)
        except Exception as error:  # pylint: disable=broad-exception-caught
            # Whatever it is: who caused the event must not suffer from it.
            logger.warning("%s could not deliver an event to %s: %s", rule.arn, target["Arn"], error)


@mend(Rule, "send_to_targets")
def keep_events_from_idle_rules(original: Any, rule: Rule, original_event: Any, transform_input: bool = True) -> None:
    """A rule that is disabled, or has a schedule alone, gets no events; with moto it does."""
    if rule.state == "ENABLED" and rule.event_pattern.get_pattern():
        original(rule, original_event, transform_input)


def _invoke(function_arn: str, event: Any) -> None:
    arn = parse_arn(function_arn)
    function = get_backend(arn.account, arn.region).get_function(function_arn)
    payload = {name: event[name] for name in EVENT_FIELDS}
    payload["time"] = iso_8601_datetime_without_milliseconds(utcfromtimestamp(float(event["time"])))
    HOOKS.lambda_invoker(function, json.dumps(payload).encode(), "Event")
