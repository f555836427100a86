"""Permissions: which statements of a policy apply to a request, and which resource a request accesses."""

# pylint: disable=protected-access  # a patch replaces internals of moto

import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from moto.core.responses import BaseResponse
from moto.iam.access_control import IAMPolicyStatement, IAMRequestBase, PermissionResult
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.utilities.utils import get_partition

from local.patches.hooks import HOOKS
from local.patches.patching import patch
from local.patches.policy_conditions import conditions_hold
from local.permissions import Decision, role_or_user

# Condition keys with the same value for every request. The server speaks HTTP but stands for AWS, which speaks HTTPS.
CONTEXT = {"aws:securetransport": "true", "aws:viaawsservice": "false", "aws:principalisawsservice": "false"}
BOOLEAN_OPERATORS = ("Bool", "BoolIfExists")

RESOURCE_ACCOUNT = "aws:resourceaccount"

# Only the parameters of a form are also its body.
FORM = "x-www-form-urlencoded"

# The parameter that names the resource of a request, by service.
NAMING_PARAMETERS = {"dynamodb": "TableName", "secretsmanager": "SecretId", "ses": "Source", "ssm": "Name"}
# The resource type in the ARN, by service.
RESOURCE_TYPES = {"dynamodb": "table", "ses": "identity", "ssm": "parameter"}


@patch(IAMPolicyStatement, "_match")
def match_wildcards_only(_original: Any, pattern: str, string: str) -> re.Match[str] | None:
    """In a policy only `*` and `?` are wildcards; moto reads the rest as a regular expression, and its `*` does not
    match a newline.
    """
    literal = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(literal, string, re.DOTALL)


@patch(IAMPolicyStatement, "is_action_permitted")
def ignore_statements_with_unmet_conditions(
    original: Callable[..., PermissionResult], statement: Any, *args: Any, **kwargs: Any
) -> PermissionResult:
    """A statement applies only if its condition holds; moto ignores boolean conditions, so that a policy that denies
    plain HTTP denies everything.
    """
    conditions = (statement._statement.get("Condition") or {}).items()
    wanted = [keys for operator, keys in conditions if operator in BOOLEAN_OPERATORS]
    if all(_holds(key, value) for keys in wanted for key, value in keys.items()):
        return original(statement, *args, **kwargs)
    return PermissionResult.NEUTRAL


@patch(IAMPolicyStatement, "is_action_permitted")
def check_resource_account(
    original: Callable[..., PermissionResult], statement: Any, action: str, resource: str, *args: Any
) -> PermissionResult:
    """A statement with `aws:ResourceAccount` applies only to resources of that account; moto treats every condition as
    met. A bucket's ARN does not name its account.
    """
    account = _account_of(resource)
    conditions = {
        operator: {key: wanted for key, wanted in keys.items() if key.lower() == RESOURCE_ACCOUNT}
        for operator, keys in (statement._statement.get("Condition") or {}).items()
        if any(key.lower() == RESOURCE_ACCOUNT for key in keys)
    }
    if account and not conditions_hold(conditions, {RESOURCE_ACCOUNT: [account]}):
        return PermissionResult.NEUTRAL
    return original(statement, action, resource, *args)


@patch(IAMRequestBase, "__init__")
def refuse_unsigned_requests(original: Any, request: Any, *args: Any, **kwargs: Any) -> None:
    """An unsigned request is denied; moto fails with status 500."""
    if "Authorization" not in kwargs["headers"]:
        request._access_key = SimpleNamespace(arn="anonymous")
        request._action, request._data = kwargs["action"], kwargs["data"]
        request._raise_access_denied()
    original(request, *args, **kwargs)


@patch(IAMRequestBase, "_create_aws_request")
def verify_signature_of_empty_body(original: Any, request: Any) -> Any:
    """A request without a body is signed with an empty body; moto signs its URL parameters, or its headers, as one."""
    signed = original(request)
    if not request._body and FORM not in (request._headers.get("Content-Type") or ""):
        signed.data = b""
    return signed


@patch(IAMRequestBase, "__init__")
def require_invoke_function(original: Any, request: Any, *args: Any, **kwargs: Any) -> None:
    """Invoke needs the permission `lambda:InvokeFunction`; moto requires `lambda:Invoke`, which does not exist."""
    original(request, *args, **kwargs)
    if request._action == "lambda:Invoke":
        request._action = "lambda:InvokeFunction"


@patch(IAMRequestBase, "__init__")
def require_single_message_action(original: Any, request: Any, *args: Any, **kwargs: Any) -> None:
    """A batch of messages needs the permission for a single message; moto requires `sqs:SendMessageBatch`, which does
    not exist.
    """
    original(request, *args, **kwargs)
    if request._service == "sqs":
        request._action = request._action.removesuffix("Batch")


@patch(BaseResponse, "_determine_resource")
def resolve_named_resource(_original: Any, response: Any) -> str:
    """A permission may be limited to a table, a secret, a parameter or a sender; moto requires it on all resources."""
    scope = f"{response.region}:{response.current_account}"
    name = response._get_param(NAMING_PARAMETERS.get(response.service_name, ""))
    if not name or name.startswith("arn:"):
        return name or "*"
    if response.service_name == "secretsmanager":
        # The ARN of a secret ends with random characters.
        secret = secretsmanager_backends[response.current_account][response.region].secrets.get(name)
        return secret.arn if secret else "*"
    resource_type = RESOURCE_TYPES[response.service_name]
    return f"arn:{response.partition}:{response.service_name}:{scope}:{resource_type}/{name.lstrip('/')}"


# The first patch of this method, so the last that is called: it gets each action of a request.
@patch(IAMRequestBase, "check_action_permitted")
def report_decisions(original: Any, request: Any, resource: str) -> None:
    """IAM knows which actions a role or user has used; moto does not store them.

    IAM User Guide, "Refine permissions in AWS using last accessed information". AWS has no such information on denied
    requests; CloudTrail has.
    """
    allowed = False
    try:
        original(request, resource)
        allowed = True
    finally:
        # Every identity may ask for itself; no policy decides on that.
        if request._action != "sts:GetCallerIdentity":
            principal = role_or_user(request._access_key.arn)
            HOOKS.on_decision(Decision(principal, request._action, resource, allowed))


@patch(IAMRequestBase, "check_action_permitted")
def require_each_transaction_action(original: Any, request: Any, resource: str) -> None:
    """A transaction needs the permission for each of its actions; moto requires `dynamodb:TransactWriteItems` on all
    tables, which does not exist.
    """
    if request._action != "dynamodb:TransactWriteItems":
        original(request, resource)
        return
    for item in json.loads(request._body)["TransactItems"]:
        for kind, arguments in item.items():
            request._action = f"dynamodb:{kind if kind == 'ConditionCheck' else kind + 'Item'}"
            original(request, _table_arn(request, arguments["TableName"]))


@patch(IAMRequestBase, "check_action_permitted")
def require_batch_on_each_table(original: Any, request: Any, resource: str) -> None:
    """BatchGetItem needs its permission on each table that it names; moto requires it on all tables."""
    if request._action != "dynamodb:BatchGetItem":
        original(request, resource)
        return
    for table in json.loads(request._body)["RequestItems"]:
        original(request, _table_arn(request, table))


def _table_arn(request: Any, table: str) -> str:
    return f"arn:{get_partition(request._region)}:dynamodb:{request._region}:{request.account_id}:table/{table}"


def _account_of(resource: str) -> str | None:
    """Return the account of a resource; None for `*` and for a bucket that does not exist."""
    if not resource.startswith("arn:"):
        return None
    _, _, service, _, account, name = resource.split(":", 5)
    if service == "s3":
        return s3_backends.bucket_accounts.get(name.partition("/")[0], (None, None))[1]
    return account


def _holds(key: str, value: str | list[str]) -> bool:
    actual = CONTEXT.get(key.lower())
    return actual is None or actual in ([value] if isinstance(value, str) else value)
