"""Decisions on permissions: who asked for which action on which resource, and whether a policy allowed it."""

from collections.abc import Callable
from typing import NamedTuple


class Decision(NamedTuple):
    """A decision on a permission.

    Attributes:
        principal: The ARN of a role or user, or a service such as `s3.amazonaws.com`.
        action: The action, such as `s3:GetObjectVersion`. A request may need several, for example to copy tags.
        resource: The ARN of the resource, or `*`.
        allowed: Whether the policies allow it.
    """

    principal: str
    action: str
    resource: str
    allowed: bool


DecisionListener = Callable[[Decision], None]


def ignore_decision(_decision: Decision) -> None:
    """Ignore a decision: the default, because a collection of all decisions grows with the number of objects."""


def role_or_user(principal: str) -> str:
    """Return the ARN of the role of a session, or of any other principal as it is."""
    head, separator, session = principal.partition(":assumed-role/")
    if not separator:
        return principal
    return f"{head.replace(':sts:', ':iam:')}:role/{session.rpartition('/')[0]}"
