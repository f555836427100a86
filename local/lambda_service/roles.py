"""What a function may do: the credentials of its role, and what the role's policies permit."""

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends
from moto.utilities.utils import get_partition

from local.lambda_service.errors import Refused
from local.patches.policy_conditions import hold

# As long as Lambda's own credentials last.
CREDENTIALS_SECONDS = 12 * 3600


def assume(role_arn: str, *, session: str, region: str) -> dict[str, str]:
    """Get temporary credentials of a role, as the Lambda service.

    Returns:
        The credentials, as boto3's `client` takes them.

    Raises:
        Refused: The role does not exist or does not trust Lambda.
    """
    account_id, role_name, iam = _backend(role_arn)
    try:
        role = iam.get_role(role_name)
    except NotFoundException:
        role = None
    if role is None or not _trusts_lambda(json.loads(role.assume_role_policy_document), account_id):
        message = f"The role defined for the function cannot be assumed by Lambda: {role_arn}."
        raise Refused(403, "AccessDeniedException", message)
    # In process: the administrator of the embedded AWS is not whom the role trusts.
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
    """Say whether a role's policies permit an action on a resource."""
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


def _trusts_lambda(policy: dict[str, Any], account_id: str) -> bool:
    # Lambda names the account of the function, which is that of its role: no role is passed to another account.
    known = {"aws:sourceaccount": [account_id]}
    return any(
        statement["Effect"] == "Allow"
        and isinstance(statement.get("Principal"), dict)
        and "lambda.amazonaws.com" in _as_list(statement["Principal"].get("Service", []))
        and "sts:AssumeRole" in _as_list(statement["Action"])
        and hold(statement.get("Condition"), known)
        for statement in _as_list(policy["Statement"])
    )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
