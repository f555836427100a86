"""Checks of the functions and of what invokes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ops.doctor.checkup import Check
from ops.doctor.commands import apply, aws
from ops.doctor.facts import Facts
from ops.doctor.findings import Result, check_that, ok, problem, warning
from ops.doctor.subjects import Function, functions

RUNNING = ("Enabled", "Enabling", "Creating", "Updating")
PARTIAL = "ReportBatchItemFailures"


def state(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that a function exists and can be invoked."""
    name, missing = function.label, "ResourceNotFoundException"
    found = facts.read("lambda", "get_function_configuration", missing, FunctionName=name)
    if not found:
        yield problem(f"the function {name} does not exist in {facts.region}", apply(function.module))
        return
    now, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
    reason = found.get("StateReason") or found.get("LastUpdateStatusReason") or "no reason is given"
    broken = problem(f"its state is {now} and its last update {update}: {reason}", apply(_resource(function)))
    # A function that was idle for weeks is Inactive, and the next invocation wakes it.
    yield check_that(now in ("Active", "Inactive") and update == "Successful", f"{now}, {update}", broken)


def code(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that the functions of a task run the same code."""
    hashes = {name: facts.configuration(name)["CodeSha256"] for name in function.task.functions}
    first = function.task.functions[0]
    others = problem(
        f"its code is {hashes[function.label]} and that of {first} is {hashes[first]}: a deployment was left half done",
        apply(_resource(function)),
    )
    yield check_that(hashes[function.label] == hashes[first], f"its code is {hashes[function.label]}", others)


def mapping(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that the queue of a function invokes it."""
    facts.configuration(function.label)
    queue = facts.arn_of_queue(function.queue.url)
    mappings = [each for each in facts.mappings(function.label) if each["EventSourceArn"] == queue]
    if not mappings:
        address = f"{function.module}.aws_lambda_event_source_mapping.queue[0]"
        yield problem(f"nothing invokes it with the messages of {queue}", apply(address))
    for each in mappings:
        yield _of_mapping(facts, each)


def _of_mapping(facts: Facts, found: dict[str, Any]) -> Result:
    def update(*flags: str, **options: str) -> str:
        words = ("lambda", "update-event-source-mapping", *flags)
        return aws(*words, uuid=found["UUID"], **options, region=facts.region)

    if found["State"] not in RUNNING:
        return problem(f"its event source mapping is {found['State']}: its messages wait", update("--enabled"))
    if PARTIAL not in (found.get("FunctionResponseTypes") or []):
        sentence = "its event source mapping ignores which messages failed: Lambda deletes them as done"
        return problem(sentence, update(function_response_types=PARTIAL))
    return ok(f"its event source mapping is {found['State']}")


def recursion(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that Lambda does not take retries for a loop."""
    facts.configuration(function.label)
    setting = facts.read("lambda", "get_function_recursion_config", FunctionName=function.label)["RecursiveLoop"]
    command = aws(
        *("lambda", "put-function-recursion-config"),
        function_name=function.label,
        recursive_loop="Allow",
        region=facts.region,
    )
    sentence = f"its recursive-loop detection is {setting}: Lambda drops a message after about 16 retries"
    yield check_that(setting == "Allow", "its recursive-loop detection is Allow", problem(sentence, command))


def on_failure(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that a failed asynchronous invocation is kept."""
    facts.configuration(function.label)
    missing = "ResourceNotFoundException"
    found = facts.read("lambda", "get_function_event_invoke_config", missing, FunctionName=function.label)
    kept = found.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    wanted = facts.arn_of_queue(function.on_failure)
    command = apply(f"{function.module}.aws_lambda_function_event_invoke_config.this")
    lost = problem(f"its failed asynchronous invocations go to {kept or 'nothing'}, not to {wanted}", command)
    yield check_that(kept == wanted, f"its failed asynchronous invocations go to {wanted}", lost)


def reserved(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that the reserved concurrency of a function lets it run."""
    facts.configuration(function.label)
    found = facts.read("lambda", "get_function_concurrency", FunctionName=function.label)
    most = found.get("ReservedConcurrentExecutions")
    delete = aws("lambda", "delete-function-concurrency", function_name=function.label, region=facts.region)
    if most == 0:
        yield problem("its reserved concurrency is 0: it never runs", delete)
        return
    mappings = facts.mappings(function.label)
    wanted = max((each.get("ScalingConfig", {}).get("MaximumConcurrency", 0) for each in mappings), default=0)
    few = warning(f"its reserved concurrency is {most}, and its queue may run {wanted} invocations at a time", delete)
    yield check_that(most is None or most >= wanted, f"its reserved concurrency is {most or 'not set'}", few)


def _resource(function: Function) -> str:
    return f"{function.module}.aws_lambda_function.this"


CHECKS = (
    Check("function", "whether the function exists, is active, and its last update succeeded", functions, state),
    Check("code", "whether the functions of a task have the same code", functions, code),
    Check("mapping", "whether the queue invokes the function, and failed messages come back", functions, mapping),
    Check("recursion", "whether recursive-loop detection lets retries pass", functions, recursion),
    Check("on failure", "whether failed asynchronous invocations are kept", functions, on_failure),
    Check("reserved concurrency", "whether the function may run as often as its queue asks", functions, reserved),
)
