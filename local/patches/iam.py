"""Permissions: which statement of a policy concerns a request, and which resource a request is about."""

# A patch reaches into moto by its nature.
# pylint: disable=protected-access

import json
import re
from types import SimpleNamespace
from typing import Any

from moto.core.responses import BaseResponse
from moto.iam.access_control import IAMPolicyStatement, IAMRequestBase, PermissionResult
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.utilities.utils import get_partition

from local.patches.patching import patch
from local.patches.policy_conditions import hold

# What requests are as far as policies ask: this server has no certificate, but stands for one that has.
CONTEXT = {"aws:securetransport": "true", "aws:viaawsservice": "false", "aws:principalisawsservice": "false"}
BOOLEAN_OPERATORS = ("Bool", "BoolIfExists")

RESOURCE_ACCOUNT = "aws:resourceaccount"

# Only a form's parameters are its body too.
FORM = "x-www-form-urlencoded"

# The parameter that names what a request is about, by service.
NAMING_PARAMETERS = {"dynamodb": "TableName", "secretsmanager": "SecretId", "ses": "Source", "ssm": "Name"}
# What the ARN of such a thing calls it.
KINDS = {"dynamodb": "table", "ses": "identity", "ssm": "parameter"}


@patch(IAMPolicyStatement, "_match")
def match_wildcards_alone(_original: Any, pattern: str, string: str) -> re.Match[str] | None:
    """In a policy `*` and `?` are wildcards and all else is literal; moto takes the rest for a regular expression, in
    which `*` does not match a newline.
    """
    literal = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(literal, string, re.DOTALL)


@patch(IAMPolicyStatement, "is_action_permitted")
def pass_over_unmet_conditions(original: Any, statement: Any, *args: Any, **kwargs: Any) -> PermissionResult:
    """A statement whose condition does not hold says nothing; moto applies it whatever its boolean conditions are, so
    that a policy that denies plain HTTP denies everything.
    """
    conditions = (statement._statement.get("Condition") or {}).items()
    wanted = [keys for operator, keys in conditions if operator in BOOLEAN_OPERATORS]
    if all(_holds(key, value) for keys in wanted for key, value in keys.items()):
        return original(statement, *args, **kwargs)
    return PermissionResult.NEUTRAL


@patch(IAMPolicyStatement, "is_action_permitted")
def weigh_the_account_of_the_resource(
    original: Any, statement: Any, action: str, resource: str, *args: Any
) -> PermissionResult:
    """A statement with `aws:ResourceAccount` is about resources of that account alone; moto takes every condition for
    met. A bucket's ARN does not name its account.
    """
    account = _account_of(resource)
    conditions = {
        operator: {key: wanted for key, wanted in keys.items() if key.lower() == RESOURCE_ACCOUNT}
        for operator, keys in (statement._statement.get("Condition") or {}).items()
        if any(key.lower() == RESOURCE_ACCOUNT for key in keys)
    }
    if account and not hold(conditions, {RESOURCE_ACCOUNT: [account]}):
        return PermissionResult.NEUTRAL
    return original(statement, action, resource, *args)


@patch(IAMRequestBase, "__init__")
def refuse_unsigned_requests(original: Any, request: Any, *args: Any, **kwargs: Any) -> None:
    """A request that nobody signed is denied; moto fails with status 500."""
    if "Authorization" not in kwargs["headers"]:
        request._access_key = SimpleNamespace(arn="anonymous")
        request._action, request._data = kwargs["action"], kwargs["data"]
        request._raise_access_denied()
    original(request, *args, **kwargs)


@patch(IAMRequestBase, "_create_aws_request")
def check_the_signature_of_what_was_sent(original: Any, request: Any) -> Any:
    """A request without a body is signed as such; moto takes the parameters of its URL, or its headers, for one."""
    signed = original(request)
    if not request._body and FORM not in (request._headers.get("Content-Type") or ""):
        signed.data = b""
    return signed


@patch(IAMRequestBase, "__init__")
def name_the_action_of_invoke(original: Any, request: Any, *args: Any, **kwargs: Any) -> None:
    """Invoke needs the permission `lambda:InvokeFunction`; moto asks for `lambda:Invoke`, which does not exist."""
    original(request, *args, **kwargs)
    if request._action == "lambda:Invoke":
        request._action = "lambda:InvokeFunction"


@patch(IAMRequestBase, "__init__")
def name_the_action_of_batches(original: Any, request: Any, *args: Any, **kwargs: Any) -> None:
    """A batch of messages needs the permission for one; moto asks for `sqs:SendMessageBatch`, which does not exist."""
    original(request, *args, **kwargs)
    if request._service == "sqs":
        request._action = request._action.removesuffix("Batch")


@patch(BaseResponse, "_determine_resource")
def name_tables_secrets_and_parameters(_original: Any, response: Any) -> str:
    """A permission may be limited to a table, a secret, a parameter or a sender; moto asks for it on all resources."""
    scope = f"{response.region}:{response.current_account}"
    name = response._get_param(NAMING_PARAMETERS.get(response.service_name, ""))
    if not name or name.startswith("arn:"):
        return name or "*"
    if response.service_name == "secretsmanager":
        # The ARN of a secret ends in characters of its own.
        secret = secretsmanager_backends[response.current_account][response.region].secrets.get(name)
        return secret.arn if secret else "*"
    kind = KINDS[response.service_name]
    return f"arn:{response.partition}:{response.service_name}:{scope}:{kind}/{name.lstrip('/')}"


@patch(IAMRequestBase, "check_action_permitted")
def need_what_a_transaction_does(original: Any, request: Any, resource: str) -> None:
    """A transaction needs the permission for each thing that it does; moto asks for `dynamodb:TransactWriteItems` on
    all tables, which does not exist.
    """
    if request._action != "dynamodb:TransactWriteItems":
        original(request, resource)
        return
    scope = f"arn:{get_partition(request._region)}:dynamodb:{request._region}:{request.account_id}"
    for item in json.loads(request._body)["TransactItems"]:
        for kind, about in item.items():
            request._action = f"dynamodb:{kind if kind == 'ConditionCheck' else kind + 'Item'}"
            original(request, f"{scope}:table/{about['TableName']}")


def _account_of(resource: str) -> str | None:
    """Tell the account of a resource; None for what is of no account, such as `*` and a bucket that is not there."""
    if not resource.startswith("arn:"):
        return None
    _, _, service, _, account, name = resource.split(":", 5)
    if service == "s3":
        return s3_backends.bucket_accounts.get(name.partition("/")[0], (None, None))[1]
    return account


def _holds(key: str, value: str | list[str]) -> bool:
    actual = CONTEXT.get(key.lower())
    return actual is None or actual in ([value] if isinstance(value, str) else value)
