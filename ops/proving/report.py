"""The report of a run, and the reasons of failures that the deployment itself shows.

The report has no secret, no account id and no setting but those that it names, so it can be attached to an issue.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ops.brigade import Brigade
from ops.deployment import Mirror, Task
from ops.plurals import number_of
from ops.proving.canary import Canary
from ops.proving.promises import FAILED, Promise

SCHEMA = "brigade-prove/1"
# Settings of functions that change what is promised.
SHOWN = ("ANNOTATIONS", "DELETES", "DIRECT_REQUESTS", "PROFILE", "VERSIONS", "VERSION_DELETES")


def report_of(
    brigade: Brigade, canary: Canary, promises: Sequence[Promise], left: int, now: datetime
) -> dict[str, Any]:
    """Return the report.

    Args:
        brigade: the deployment.
        canary: the run.
        promises: the promises with their outcomes.
        left: how many versions and markers could not be removed.
        now: the time of the report.
    """
    region = str(brigade.account.session.region_name)
    functions = brigade.client("lambda")
    names = [name for task in brigade.deployment.tasks for name in task.functions]
    return {
        "schema": SCHEMA,
        "run": canary.id,
        "date": now.isoformat(timespec="seconds"),
        "region": region,
        "partition": brigade.account.session.get_partition_for_region(region),
        "functions": {name: _function(functions, name) for name in names},
        "proofs": [proof_of(promise) for promise in promises],
        "left_behind": left,
    }


def proof_of(promise: Promise) -> dict[str, Any]:
    """Return the report on one promise."""
    times = promise.times
    return {
        "task": promise.task,
        "promise": promise.text,
        "outcome": promise.outcome,
        "reason": promise.reason,
        "note": promise.note,
        "objects": len(promise.subjects),
        "seconds_p50": times and round(times[0], 2),
        "seconds_max": times and round(times[1], 2),
    }


def _function(functions: Any, name: str) -> Mapping[str, Any]:
    found = functions.get_function_configuration(FunctionName=name)
    settings = found.get("Environment", {}).get("Variables", {})
    return {
        "zip_sha256": found["CodeSha256"],
        "runtime": found.get("Runtime"),
        "architecture": found.get("Architectures", ["x86_64"])[0],
        "memory_mb": found["MemorySize"],
        "timeout": found["Timeout"],
        "settings": {each: settings[each] for each in SHOWN if settings.get(each)},
    }


def causes(brigade: Brigade, promises: Sequence[Promise]) -> Iterator[str]:
    """Yield what may explain why promises failed: what is switched off, and dead letters."""
    failed = {promise.task for promise in promises if promise.outcome == FAILED}
    for task in brigade.deployment.tasks:
        if task.name in failed:
            yield from _switched_off(brigade, task)
            yield from _dead_letters(brigade, task)


def _switched_off(brigade: Brigade, task: Task) -> Iterator[str]:
    if isinstance(task, Mirror) and rule_of(brigade, task).get("State") == "DISABLED":
        yield f"the rule {task.replicate} is disabled: enable it with `aws events enable-rule --name {task.replicate}`"
    functions = brigade.client("lambda")
    for name in task.functions:
        for mapping in functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]:
            if mapping["State"] not in ("Enabled", "Creating", "Enabling", "Updating"):
                command = f"aws lambda update-event-source-mapping --uuid {mapping['UUID']} --enabled"
                yield f"the event source mapping of {name} is {mapping['State'].lower()}: enable it with `{command}`"


def _dead_letters(brigade: Brigade, task: Task) -> Iterator[str]:
    sqs = brigade.client("sqs")
    for queue in task.queues:
        if count := messages_in(sqs, queue.dead_letters):
            name = queue.dead_letters.rpartition("/")[2]
            yield f"{name} has {number_of(count, 'message')}: each has its reason in the attribute Reason"


def rule_of(brigade: Brigade, mirror: Mirror) -> Mapping[str, Any]:
    """Return the mirror's rule, as EventBridge describes it."""
    # Terraform gives the rule the name of the function.
    found: Mapping[str, Any] = brigade.client("events").describe_rule(Name=mirror.replicate)
    return found


def pattern_of(brigade: Brigade, mirror: Mirror) -> Mapping[str, Any]:
    """Return the event pattern of the mirror's rule."""
    pattern: Mapping[str, Any] = json.loads(rule_of(brigade, mirror).get("EventPattern", "{}"))
    return pattern


def messages_in(sqs: Any, url: str) -> int:
    """Return how many messages a queue holds, about."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(counts[name]) for name in names)
