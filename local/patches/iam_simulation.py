"""Simulation of permissions: IAM evaluates the policies of a role or user without a request.

Source: IAM API Reference, SimulatePrincipalPolicy.
"""

# pylint: disable=protected-access  # a patch replaces internals of moto

from collections.abc import Iterator
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, IAMPolicyStatement, PermissionResult
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse

from local.patches.patching import patch
from local.patches.policy_conditions import Context, conditions_hold


@patch(IamResponse, "simulate_principal_policy")
def simulate_policies(_original: Any, response: IamResponse) -> ActionResult:
    """SimulatePrincipalPolicy returns one result for each action, with the decision for each resource, and the most
    restrictive decision for all of them; moto does not implement the call.

    A condition holds only if the request names the value of its key. Policies of resources are left out.
    """
    statements = list(_statements(response.backend, response._get_param("PolicySourceArn")))
    entries = response._get_param("ContextEntries") or []
    context = {each["ContextKeyName"].lower(): each["ContextKeyValues"] for each in entries}
    resources = response._get_param("ResourceArns") or ["*"]
    results = [_result(statements, action, resources, context) for action in response._get_param("ActionNames")]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _result(statements: list[Any], action: str, resources: list[str], context: Context) -> dict[str, Any]:
    decisions = {resource: _decision(statements, action, resource, context) for resource in resources}
    worst = next(each for each in ("explicitDeny", "implicitDeny", "allowed") if each in decisions.values())
    return {
        "EvalActionName": action,
        "EvalResourceName": resources[0],
        "EvalDecision": worst,
        "ResourceSpecificResults": [
            {"EvalResourceName": resource, "EvalResourceDecision": decision} for resource, decision in decisions.items()
        ],
    }


def _decision(statements: list[Any], action: str, resource: str, context: Context) -> str:
    results = set()
    for statement in statements:
        if conditions_hold(statement.get("Condition"), context):
            plain = {name: value for name, value in statement.items() if name != "Condition"}
            results.add(IAMPolicyStatement(plain).is_action_permitted(action, resource))
    if PermissionResult.DENIED in results:
        return "explicitDeny"
    return "allowed" if PermissionResult.PERMITTED in results else "implicitDeny"


def _statements(iam: IAMBackend, arn: str) -> Iterator[dict[str, Any]]:
    """Yield the statements of all policies of a role, or of a user without groups."""
    if ":user/" in arn:
        name = iam.get_user(arn.rpartition("/")[2]).name
        inline = [iam.get_user_policy(name, policy)["policy_document"] for policy in iam.list_user_policies(name)]
        attached = iam.list_attached_user_policies(name)[0]
    else:
        name = iam.get_role_by_arn(arn).name
        inline = [iam.get_role_policy(name, policy)[1] for policy in iam.list_role_policies(name)]
        attached = iam.list_attached_role_policies(name)[0]
    for policy in [*inline, *attached]:
        found = IAMPolicy(policy)._policy_json["Statement"]
        yield from found if isinstance(found, list) else [found]
