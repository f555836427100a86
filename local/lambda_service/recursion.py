"""Recursive loop detection: the trace header counts how often a chain of requests has invoked each function.

Lambda appends a lineage to the header, with the number of invocations of each function in the chain. The SDK sends the
header with each message that the function sends to SQS, and SQS stores it with the message.

Sources: Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops"; AWS X-Ray Developer
Guide, "Tracing header". AWS does not document the format of the lineage, so the one here is a guess.
"""

import hashlib
from collections.abc import Iterable

from moto.awslambda.models import LambdaFunction

from local.lambda_service.metrics import write_metrics
from local.lambda_service.runtime_api import new_trace
from local.patches.lambda_recursion import ALLOW, recursive_loop

# Lambda stops a chain after about 16 invocations of one function.
MAX_INVOCATIONS = 16

METRIC = "RecursiveInvocationsDropped"


def is_recursive_loop(function: LambdaFunction, trace: str | None) -> bool:
    """Return whether Lambda stops a chain of requests instead of invoking the function again."""
    return recursive_loop(function) != ALLOW and _invocations(trace).get(_id(function), 0) >= MAX_INVOCATIONS


def next_trace(function: LambdaFunction, traces: Iterable[str | None]) -> str:
    """Return the trace header of an invocation with messages of some chains.

    AWS does not document how it counts a batch of several chains. Here the longest chain counts.
    """
    invocations: dict[str, int] = {}
    for trace in traces:
        for function_id, count in _invocations(trace).items():
            invocations[function_id] = max(count, invocations.get(function_id, 0))
    invocations[_id(function)] = invocations.get(_id(function), 0) + 1
    lineage = "|".join(f"{function_id}:{count}" for function_id, count in invocations.items())
    return f"{new_trace()};Lineage={lineage}"


def count_dropped(function: LambdaFunction) -> None:
    """Count a dropped invocation in Lambda's metric."""
    write_metrics(function, {METRIC: 1})


def _invocations(trace: str | None) -> dict[str, int]:
    parts = dict(part.split("=", 1) for part in (trace or "").split(";") if "=" in part)
    counts = [entry.rsplit(":", 1) for entry in parts.get("Lineage", "").split("|") if ":" in entry]
    return {function_id: int(count) for function_id, count in counts}


def _id(function: LambdaFunction) -> str:
    arn = function.function_arn.removesuffix(f":{function.version}")
    return hashlib.sha256(arn.encode()).hexdigest()[:8]
