"""Resource policies that permit an AWS service to use a queue or a function on behalf of one of its resources."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from local.patches.hooks import HOOKS
from local.patches.iam import CONTEXT
from local.permissions import Decision

# The supported operators, all compared with wildcards. A statement with any other operator does not apply.
OPERATORS = ("ArnEquals", "ArnLike", "StringEquals", "StringLike", "Bool")


def permits_service(
    policy: Mapping[str, Any], service: str, action: str, resource: str, condition_keys: Mapping[str, str]
) -> bool:
    """Return whether a resource policy permits an action of a service, and report the decision.

    Args:
        policy: The policy, with a list of statements or a single one.
        service: The principal, such as `s3.amazonaws.com`.
        action: The action, such as `sqs:SendMessage`.
        resource: The ARN of the resource.
        condition_keys: The condition keys of the request in lower case, such as `aws:sourcearn`, with their values.
    """
    context = {**condition_keys, **CONTEXT}
    effects = {
        statement["Effect"]
        for statement in _as_list(policy.get("Statement"))
        if _includes(statement.get("Principal"), service)
        and any(fnmatchcase(action.lower(), wanted.lower()) for wanted in _as_list(statement.get("Action")))
        and any(fnmatchcase(resource, wanted) for wanted in _as_list(statement.get("Resource")))
        and all(
            operator in OPERATORS and _holds(key, wanted, context)
            for operator, conditions in statement.get("Condition", {}).items()
            for key, wanted in conditions.items()
        )
    }
    allowed = effects == {"Allow"}
    HOOKS.on_decision(Decision(service, action, resource, allowed))
    return allowed


def _includes(principal: dict[str, Any] | str | None, service: str) -> bool:
    if isinstance(principal, dict):
        return service in _as_list(principal.get("Service")) or "*" in _as_list(principal.get("AWS"))
    return principal == "*"


def _holds(key: str, wanted: Any, context: Mapping[str, str]) -> bool:
    return any(fnmatchcase(context.get(key.lower(), ""), value) for value in _as_list(wanted))


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
