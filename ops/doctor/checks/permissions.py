"""Check of the permissions that each function needs, simulated by IAM against its policies."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import sentence_of
from ops.doctor.checks.keys import keys_of_bucket
from ops.doctor.checkup import Check
from ops.doctor.commands import apply
from ops.doctor.facts import Facts, NotAllowed, ReportedElsewhere, code_of
from ops.doctor.findings import Result, ok, problem, unknown
from ops.doctor.names import ANY_ENDING, names_of, names_of_destination
from ops.doctor.needs import Names, Need, needs_of
from ops.doctor.subjects import Function, Identity, buckets, functions, identities

Simulate = Callable[..., dict[str, Any]]

# IAM simulates single resources, so that an example stands for all that a template matches.
EXAMPLES = {"/*": "/brigade-doctor", ":*": ":log-stream:brigade-doctor", ANY_ENDING: "-doctor"}

RESOURCE_ACCOUNT = "aws:ResourceAccount"
NUMERIC = "sts:DurationSeconds"


def of_function(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that the role of a function has every permission that it needs."""
    role = facts.configuration(function.label)["Role"]
    names = {**names_of(function, facts.configuration(function.label)), **_keys_of_buckets(facts, function)}

    def simulate(**arguments: Any) -> dict[str, Any]:
        return facts.read("iam", "simulate_principal_policy", "NoSuchEntity", PolicySourceArn=role, **arguments)

    command = apply(f"{function.module}.aws_iam_role_policy.this")
    yield from _results(simulate, role, needs_of(function.kind, names), names, command)


def of_destination(facts: Facts, identity: Identity) -> Iterator[Result]:
    """Check that a function's role at the destination has every permission that it needs."""
    role = facts.settings(identity.label).get("DEST_ROLE_ARN")
    if not role:
        return
    # Only the function that writes has a setting for the key.
    key = facts.settings(identity.mirror.replicate).get("DEST_KMS_KEY")
    names = names_of_destination(identity, facts.configuration(identity.label), role.split(":")[1], key)

    def simulate(**arguments: Any) -> dict[str, Any]:
        arguments |= {"PolicySourceArn": role}
        found = facts.read_far(identity.mirror, "iam", "simulate_principal_policy", "NoSuchEntity", **arguments)
        if not found:
            raise ReportedElsewhere
        return found

    command = apply(f"aws_iam_role_policy.{identity.kind}[0]")
    yield from _results(simulate, role, needs_of(identity.kind, names), names, command)


def _keys_of_buckets(facts: Facts, function: Function) -> dict[str, list[str]]:
    """Return the keys of KMS that the function's buckets have beside its own."""
    own = facts.configuration(function.label).get("KMSKeyArn")
    found: dict[str, list[str]] = {"read_keys": [], "write_keys": []}
    for bucket in buckets(facts.deployment):
        if bucket.function == function.label and not bucket.is_far:
            keys = [key for key in _visible_keys(facts, bucket) if key != own]
            found["read_keys" if bucket.is_read else "write_keys"] += keys
    return found


def _visible_keys(facts: Facts, bucket: Any) -> list[str]:
    try:
        return [key for key in keys_of_bucket(facts, bucket) if ":key/" in key]
    except (NotAllowed, ReportedElsewhere):
        # The check of the bucket's encryption reports that.
        return []


def _results(
    simulate: Simulate, role: str, needs: Iterator[tuple[Need, list[str]]], names: Names, command: str
) -> Iterator[Result]:
    found: list[Result] = []
    for need, arns in needs:
        for context, resources in _by_context(need, arns, names).items():
            try:
                answer = simulate(ActionNames=need.actions, ResourceArns=resources, ContextEntries=_entries(context))
            except ClientError as error:
                found.append(_not_simulated(error, need))
                continue
            if not answer:
                yield problem(f"its role {role} does not exist", command)
                return
            found += [problem(f"its role {sentence}", command) for sentence in _refusals(answer)]
    yield from found or [ok("its role may do all that it needs")]


def _not_simulated(error: ClientError, need: Need) -> Result:
    """Return that IAM does not know an action: it learns new ones after the services have them."""
    if code_of(error) != "InvalidInput":
        raise error
    return unknown(f"IAM cannot simulate {', '.join(need.actions)}: {sentence_of(error)}")


def _by_context(need: Need, arns: Sequence[str], names: Names) -> dict[tuple[tuple[str, str], ...], list[str]]:
    """Return the resources by the condition keys of requests for them."""
    owners = json.loads(next(iter(names.get("BUCKET_OWNERS", ())), "") or "{}")
    found = defaultdict(list)
    for arn in arns:
        texts = {key: _filled(value, names) for key, value in need.context.items()}
        if arn.split(":")[2:3] == ["s3"]:
            bucket = arn.rpartition(":")[2].partition("/")[0]
            texts[RESOURCE_ACCOUNT] = owners.get(bucket, owners.get("*", names["account"][0]))
        found[tuple(sorted(texts.items()))].append(_example(arn))
    return dict(found)


def _filled(value: str, names: Names) -> str:
    return value.format(**{name: values[0] for name, values in names.items() if values})


def _example(arn: str) -> str:
    ending = next((ending for ending in EXAMPLES if arn.endswith(ending)), "")
    return arn.removesuffix(ending) + EXAMPLES.get(ending, "")


def _entries(context: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {
            "ContextKeyName": key,
            "ContextKeyValues": [value],
            "ContextKeyType": "numeric" if key == NUMERIC else "string",
        }
        for key, value in context
    ]


def _refusals(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each resource that a policy does not allow."""
    refused: dict[tuple[str, str], list[str]] = defaultdict(list)
    for result in answer["EvaluationResults"]:
        own = [{"EvalResourceName": result.get("EvalResourceName"), "EvalResourceDecision": result["EvalDecision"]}]
        for each in result.get("ResourceSpecificResults") or own:
            if each["EvalResourceDecision"] != "allowed":
                why = _why(result, each["EvalResourceDecision"])
                refused[each["EvalResourceName"], why].append(result["EvalActionName"])
    for (resource, why), actions in refused.items():
        yield f"lacks {', '.join(actions)} on {resource}: {why}"


def _why(result: Mapping[str, Any], decision: str) -> str:
    if result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations") is False:
        return "a policy of the organization does not allow it"
    if result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary") is False:
        return "its permissions boundary does not allow it"
    return "a policy denies it" if decision == "explicitDeny" else "no policy allows it"


CHECKS = (
    Check("permissions", "whether the role has every permission that the function needs", functions, of_function),
    Check("destination permissions", "the same for its role at the destination", identities, of_destination),
)
