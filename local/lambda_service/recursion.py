"""How often a chain of requests has invoked a function, as the trace header tells.

Lambda appends to the header a lineage: for each function that took part, how often it was invoked. The SDK sends the
header on with what the function sends to SQS, and SQS keeps it with the message.

Sources: Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops"; AWS X-Ray Developer
Guide, "Tracing header". The header's lineage is for AWS's own use, so its exact form is a guess.
"""

import hashlib
from collections.abc import Iterable

from moto.awslambda.models import LambdaFunction
from moto.cloudwatch.models import cloudwatch_backends

from local.lambda_service.runtime_api import new_trace
from local.patches.lambda_recursion import ALLOW, recursive_loop

# Lambda stops a chain after about so many invocations of one function.
MAX_TURNS = 16

METRIC = "RecursiveInvocationsDropped"


def goes_too_far(function: LambdaFunction, trace: str | None) -> bool:
    """Tell whether Lambda stops a chain here instead of invoking the function once more."""
    return recursive_loop(function) != ALLOW and _turns(trace).get(_id(function), 0) >= MAX_TURNS


def extended(function: LambdaFunction, traces: Iterable[str | None]) -> str:
    """Make the trace header of an invocation from those of its messages.

    AWS does not say how it counts a batch with messages of several chains. Here the longest chain counts for all.
    """
    turns: dict[str, int] = {}
    for trace in traces:
        for function_id, count in _turns(trace).items():
            turns[function_id] = max(count, turns.get(function_id, 0))
    turns[_id(function)] = turns.get(_id(function), 0) + 1
    lineage = "|".join(f"{function_id}:{count}" for function_id, count in turns.items())
    return f"{new_trace()};Lineage={lineage}"


def count_dropped(function: LambdaFunction) -> None:
    """Count a dropped invocation in the metric that Lambda has for them."""
    metric = {
        "MetricName": METRIC,
        "Value": 1,
        "Unit": "Count",
        "Dimensions": [{"Name": "FunctionName", "Value": function.function_name}],
    }
    cloudwatch_backends[function.account_id][function.region].put_metric_data("AWS/Lambda", [metric])


def _turns(trace: str | None) -> dict[str, int]:
    parts = dict(part.split("=", 1) for part in (trace or "").split(";") if "=" in part)
    counts = [entry.rsplit(":", 1) for entry in parts.get("Lineage", "").split("|") if ":" in entry]
    return {function_id: int(count) for function_id, count in counts}


def _id(function: LambdaFunction) -> str:
    arn = function.function_arn.removesuffix(f":{function.version}")
    return hashlib.sha256(arn.encode()).hexdigest()[:8]
