"""Resource policies that let a service of AWS use a queue or a function on behalf of one of its resources."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from local.patches.iam import CONTEXT

# All operators that a policy for a service has use for; what they say of a request is compared with wildcards.
OPERATORS = ("ArnEquals", "ArnLike", "StringEquals", "StringLike", "Bool")


def permits_service(
    policy: Mapping[str, Any], service: str, action: str, resource: str, about: Mapping[str, str]
) -> bool:
    """Tell whether a resource policy lets a service do something.

    Args:
        policy: The policy, with a list of statements or a single one.
        service: The principal, such as `s3.amazonaws.com`.
        action: What it does, such as `sqs:SendMessage`.
        resource: The ARN of what it does it to.
        about: The condition keys of the request in lower case, such as `aws:sourcearn`, and their values.
    """
    context = {**about, **CONTEXT}
    effects = {
        statement["Effect"]
        for statement in _listed(policy.get("Statement"))
        if _names(service, statement.get("Principal"))
        and any(fnmatchcase(action.lower(), wanted.lower()) for wanted in _listed(statement.get("Action")))
        and any(fnmatchcase(resource, wanted) for wanted in _listed(statement.get("Resource")))
        and all(
            operator in OPERATORS and _holds(key, wanted, context)
            for operator, conditions in statement.get("Condition", {}).items()
            for key, wanted in conditions.items()
        )
    }
    return effects == {"Allow"}


def _names(service: str, principal: Any) -> bool:
    if isinstance(principal, dict):
        return service in _listed(principal.get("Service")) or "*" in _listed(principal.get("AWS"))
    return principal == "*"


def _holds(key: str, wanted: Any, context: Mapping[str, str]) -> bool:
    return any(fnmatchcase(context.get(key.lower(), ""), value) for value in _listed(wanted))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
