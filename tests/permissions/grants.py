"""The policies of a running deployment, as grants: those of all roles and users, and of all queues and functions."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from local.demo.access_keys import PEOPLE
from local.embedded_aws import EmbeddedAws
from tests.permissions.comparison import Grant


def grants_of(aws: EmbeddedAws, *regions: str) -> Iterator[Grant]:
    """Yield the statements that allow something, in the partitions of some regions; every region has another one."""
    for region in regions:
        yield from _of_identities(aws.client("iam", region_name=region))
        yield from _of_queues(aws.client("sqs", region_name=region))
        yield from _of_functions(aws.client("lambda", region_name=region))


def _of_identities(iam: Any) -> Iterator[Grant]:
    """Yield those of roles and users, except the people who deploy: a new role needs no change here."""
    details = iam.get_account_authorization_details()
    found = [(role["Arn"], role, role["RolePolicyList"]) for role in details["RoleDetailList"]]
    found += [(user["Arn"], user, user.get("UserPolicyList", [])) for user in details["UserDetailList"]]
    for arn, identity, policies in found:
        assert not identity["AttachedManagedPolicies"], f"{arn} has an attached policy, which is not compared."
        for policy in policies if f":user/{PEOPLE}" not in arn else ():
            yield from _statements(holder(arn), policy["PolicyDocument"], (arn,))


def _of_queues(sqs: Any) -> Iterator[Grant]:
    for url in sqs.list_queues().get("QueueUrls", []):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "Policy"])["Attributes"]
        if "Policy" in attributes:
            yield from _statements(holder(attributes["QueueArn"]), json.loads(attributes["Policy"]))


def _of_functions(functions: Any) -> Iterator[Grant]:
    for function in functions.list_functions()["Functions"]:
        with suppress(functions.exceptions.ResourceNotFoundException):
            policy = functions.get_policy(FunctionName=function["FunctionName"])["Policy"]
            yield from _statements(holder(function["FunctionArn"]), json.loads(policy))


def _statements(name: str, document: Mapping[str, Any], principals: tuple[str, ...] = ()) -> Iterator[Grant]:
    for statement in document["Statement"]:
        if statement["Effect"] == "Allow":
            yield Grant(
                name,
                statement["Sid"],
                principals or _listed(statement["Principal"]["Service"]),
                _listed(statement["Action"]),
                _listed(statement["Resource"]),
            )


def holder(arn: str) -> str:
    """Return the name of a role, user, queue or function, with its partition and its kind."""
    _, partition, service, _, _, resource = arn.split(":", 5)
    kind, _, name = resource.replace(":", "/").rpartition("/")
    return f"{partition} {kind or service} {name}"


def _listed(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
