"""Checks of the account, the clock and the quotas."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from ops.deployment import Deployment
from ops.doctor.checkup import Check
from ops.doctor.commands import aws
from ops.doctor.facts import Facts
from ops.doctor.findings import Result, check_that, problem, unknown, warning
from ops.doctor.subjects import Whole, functions

# S3 refuses a request whose time differs by more than 15 minutes; a difference of 5 breaks other services (AWS
# Signature Version 4 for API requests, "Troubleshoot"). Half a minute is no accident of the network.
REFUSED_SECONDS, SUSPICIOUS_SECONDS = 300, 30

# The quota "Concurrent executions" of Lambda. A new account has 10 (Lambda Developer Guide, "Lambda quotas").
QUOTA = "L-B99A9384"
USUAL_CONCURRENCY = 1000


def whole(deployment: Deployment) -> Iterator[Whole]:
    """Yield the deployment as one subject."""
    yield Whole(deployment)


def caller(facts: Facts, subject: Whole) -> Iterator[Result]:
    """Compare the caller's account with that of the deployment."""
    account = subject.account
    who = f"{facts.caller['Arn']} in {facts.region}"
    other = problem(
        f"the caller is {who}, and the deployment is in account {account}",
        f"pass --profile with a profile of account {account}",
    )
    yield check_that(facts.caller["Account"] == account, f"the caller is {who}", other)


def clock(facts: Facts, _subject: Whole) -> Iterator[Result]:
    """Compare this machine's clock with that of S3."""
    date = facts.date_of_s3()
    if not date:
        yield unknown("the answer of S3 has no date")
        return
    seconds = abs(time.time() - parsedate_to_datetime(date).timestamp())
    text, command = f"the clock of this machine and that of S3 differ by {seconds:.0f} s", "sudo chronyc makestep"
    wrong = problem(f"{text}: AWS refuses signatures", command)
    late = warning(f"{text}: more than {REFUSED_SECONDS} s would break signatures", command)
    yield check_that(seconds <= SUSPICIOUS_SECONDS, text, late if seconds <= REFUSED_SECONDS else wrong)


def concurrency(facts: Facts, subject: Whole) -> Iterator[Result]:
    """Compare the account's concurrency with the concurrency of the event source mappings."""
    limits = facts.read("lambda", "get_account_settings")["AccountLimit"]
    unreserved, limit = limits["UnreservedConcurrentExecutions"], limits["ConcurrentExecutions"]
    wanted = sum(_most_invocations(facts, each.label) for each in functions(subject.deployment))
    text = f"the account runs {limit} invocations at a time, {unreserved} of them unreserved"
    command = aws(
        *("service-quotas", "request-service-quota-increase"),
        service_code="lambda",
        quota_code=QUOTA,
        desired_value=max(USUAL_CONCURRENCY, wanted),
        region=facts.region,
    )
    yield check_that(unreserved >= wanted, text, warning(f"{text}, and the deployment uses up to {wanted}", command))


def _most_invocations(facts: Facts, function: str) -> int:
    """Return how many unreserved invocations the mappings of a function may use."""
    if facts.read("lambda", "get_function_concurrency", "ResourceNotFoundException", FunctionName=function).get(
        "ReservedConcurrentExecutions"
    ):
        return 0
    return sum(each.get("ScalingConfig", {}).get("MaximumConcurrency", 0) for each in facts.mappings(function))


CHECKS = (
    Check("caller", "whether the credentials belong to the deployment's account", whole, caller),
    Check("clock", "the difference between this machine's clock and that of S3", whole, clock),
    Check("account concurrency", "whether the account's limit covers the deployment", whole, concurrency),
)
