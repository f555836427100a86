"""The roles of functions and builds: their credentials and permissions."""

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends
from moto.utilities.utils import get_partition

from local.lambda_service.errors import Refused
from local.patches.hooks import HOOKS
from local.patches.policy_conditions import conditions_hold
from local.permissions import Decision

# The lifetime of Lambda's own credentials.
CREDENTIALS_SECONDS = 12 * 3600


def assume(role_arn: str, *, session: str, region: str, service: str = "Lambda") -> dict[str, str]:
    """Return temporary credentials of a role, assumed by a service of AWS.

    Returns:
        The credentials, as boto3's `client` takes them.

    Raises:
        Refused: The role does not exist or does not trust the service.
    """
    account_id, role_name, iam = _backend(role_arn)
    try:
        role = iam.get_role(role_name)
    except NotFoundException:
        role = None
    if role is None or not _trusts(service, json.loads(role.assume_role_policy_document), account_id):
        message = f"The role cannot be assumed by {service}: {role_arn}."
        raise Refused(403, "AccessDeniedException", message)
    # A call within the process: the role trusts the service and not the administrator of the embedded AWS.
    assumed = sts_backends[account_id][get_partition(region)].assume_role(
        region_name=region,
        role_session_name=session,
        role_arn=role_arn,
        policy="",
        duration=CREDENTIALS_SECONDS,
        external_id="",
    )
    return {
        "aws_access_key_id": assumed.access_key_id,
        "aws_secret_access_key": assumed.secret_access_key,
        "aws_session_token": assumed.session_token,
    }


def permits(role_arn: str, action: str, resource: str) -> bool:
    """Return whether a role's policies permit an action of a service on its behalf, and report the decision."""
    allowed = _permits(role_arn, action, resource)
    HOOKS.on_decision(Decision(role_arn, action, resource, allowed))
    return allowed


def _permits(role_arn: str, action: str, resource: str) -> bool:
    _, role_name, iam = _backend(role_arn)
    try:
        policies = [iam.get_role_policy(role_name, name)[1] for name in iam.list_role_policies(role_name)]
        policies += iam.list_attached_role_policies(role_name)[0]
    except NotFoundException:
        return False
    results = {IAMPolicy(policy).is_action_permitted(action, resource) for policy in policies}
    return PermissionResult.PERMITTED in results and PermissionResult.DENIED not in results


def _backend(role_arn: str) -> tuple[str, str, Any]:
    _, partition, _, _, account_id, path = role_arn.split(":", 5)
    return account_id, path.rpartition("/")[2], iam_backends[account_id][partition]


def _trusts(service: str, policy: dict[str, Any], account_id: str) -> bool:
    # A service sends the account of its resource, which is also the role's: a role cannot be passed to another account.
    context = {"aws:sourceaccount": [account_id]}
    return any(
        statement["Effect"] == "Allow"
        and isinstance(statement.get("Principal"), dict)
        and f"{service.lower()}.amazonaws.com" in _as_list(statement["Principal"].get("Service", []))
        and "sts:AssumeRole" in _as_list(statement["Action"])
        and conditions_hold(statement.get("Condition"), context)
        for statement in _as_list(policy["Statement"])
    )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
