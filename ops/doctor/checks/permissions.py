"""Check of the permissions that each function needs, simulated by IAM against its policies."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import sentence_of
from ops.deployment import Mirror
from ops.doctor.checks.destination import KEY_FIELDS, fields_in, put_secret
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

# IAM API Reference, GetAccessKeyLastUsed.
KEY_ID = re.compile(r"\w{16,128}", re.ASCII)

RESOURCE_ACCOUNT = "aws:ResourceAccount"
NUMERIC = "sts:DurationSeconds"


def of_function(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that the role of a function has every permission that it needs."""
    role: str = facts.configuration(function.label)["Role"]
    names = {**names_of(function, facts.configuration(function.label)), **_keys_of_buckets(facts, function)}

    def simulate(**arguments: Any) -> dict[str, Any]:
        return facts.read("iam", "simulate_principal_policy", "NoSuchEntity", PolicySourceArn=role, **arguments)

    command = apply(f"{function.module}.aws_iam_role_policy.this")
    yield from _results(simulate, role, needs_of(function.kind, names), names, command)


def of_destination(facts: Facts, identity: Identity) -> Iterator[Result]:
    """Check that a function's role or user at the destination has every permission that it needs.

    An S3-compatible store has no IAM. All functions use the same user, and the one that writes needs most.
    """
    settings = facts.settings(identity.label)
    if role := settings.get("DEST_ROLE_ARN"):
        yield from _at_destination(facts, identity, role, f"aws_iam_role_policy.{identity.kind}[0]")
    elif identity.is_writer and settings.get("DEST_SECRET") and not settings.get("DEST_ENDPOINT_URL"):
        if user := _user(facts, identity.mirror, settings["DEST_SECRET"]):
            yield from _at_destination(facts, identity, user, "aws_iam_user_policy.partition_replicate[0]")
        else:
            unknown_key = f"the key in the secret {settings['DEST_SECRET']} belongs to no user of the mirror's account"
            yield problem(unknown_key, put_secret(facts, settings["DEST_SECRET"]))


def _at_destination(facts: Facts, identity: Identity, principal: str, policy: str) -> Iterator[Result]:
    # Only the function that writes has a setting for the key.
    key = facts.settings(identity.mirror.replicate).get("DEST_KMS_KEY")
    names = names_of_destination(identity, facts.configuration(identity.label), principal.split(":")[1], key)

    def simulate(**arguments: Any) -> dict[str, Any]:
        arguments |= {"PolicySourceArn": principal}
        found = facts.read_far(identity.mirror, "iam", "simulate_principal_policy", "NoSuchEntity", **arguments)
        if not found:
            raise ReportedElsewhere
        return found

    yield from _results(simulate, principal, needs_of(identity.kind, names), names, apply(policy))


def _user(facts: Facts, mirror: Mirror, secret: str) -> str | None:
    """Return the ARN of the user whose access key a secret holds; None if the mirror's account has no such key.

    Raises:
        ReportedElsewhere: the secret holds no key, or is being deleted.
    """
    try:
        fields = fields_in(facts, secret)
    except ClientError as error:
        raise ReportedElsewhere from error
    if not all(fields.get(field) for field in KEY_FIELDS):
        raise ReportedElsewhere
    key = str(fields["accesskey"])
    if not KEY_ID.fullmatch(key):
        return None
    found = facts.read_far(mirror, "iam", "get_access_key_last_used", "NoSuchEntity", AccessKeyId=key)
    if not found:
        return None
    return str(facts.read_far(mirror, "iam", "get_user", UserName=found["UserName"])["User"]["Arn"])


def _keys_of_buckets(facts: Facts, function: Function) -> dict[str, list[str]]:
    """Return the keys of KMS that the function's buckets have beside its own."""
    own = facts.configuration(function.label).get("KMSKeyArn")
    found: dict[str, list[str]] = {"read_keys": [], "write_keys": []}
    for bucket in buckets(facts.deployment):
        if function.uses(bucket) and not bucket.is_far:
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
    simulate: Simulate, principal: str, needs: Iterator[tuple[Need, list[str]]], names: Names, command: str
) -> Iterator[Result]:
    found: list[Result] = []
    name = "its user" if ":user/" in principal else "its role"
    for need, arns in needs:
        for context, resources in _by_context(need, arns, names).items():
            try:
                answer = simulate(ActionNames=need.actions, ResourceArns=resources, ContextEntries=_entries(context))
            except ClientError as error:
                found.append(_not_simulated(error, need))
                continue
            if not answer:
                yield problem(f"{name} {principal} does not exist", command)
                return
            found += [problem(f"{name} {sentence}", command) for sentence in _refusals(answer)]
    yield from found or [ok(f"{name} may do all that it needs")]


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
    Check("destination permissions", "the same for its role or user at the destination", identities, of_destination),
)
