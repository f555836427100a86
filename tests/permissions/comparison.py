"""Both ways of least privilege: each call was allowed; each allowed action was used, or is listed with its reason."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from local.permissions import Decision


@dataclass(frozen=True)
class Grant:
    """A statement that allows actions.

    Attributes:
        holder: the name of the role, user or resource that has the policy; the same in every deployment.
        sid: the statement's ID.
        principals: the ARN of the role or user; in the policy of a resource the services.
        actions: the actions, each with `*` and `?` as wildcards.
        resources: the ARNs, also with wildcards.
    """

    holder: str
    sid: str
    principals: tuple[str, ...]
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def rights(self) -> Iterator["Right"]:
        """Yield a right for each action and for each resource."""
        yield from (Right(self.holder, self.sid, element) for element in (*self.actions, *self.resources))

    def used(self, decision: Decision) -> Iterator["Right"]:
        """Yield the rights that a decision has used; none if the statement does not apply to it."""
        actions = [action for action in self.actions if matches(action.lower(), decision.action.lower())]
        resources = [resource for resource in self.resources if matches(resource, decision.resource)]
        if decision.principal in self.principals and actions and resources:
            yield from (Right(self.holder, self.sid, element) for element in (*actions, *resources))


@dataclass(frozen=True, order=True)
class Right:
    """An action or a resource of a statement.

    Attributes:
        holder: see `Grant`.
        sid: the statement's ID.
        element: the action or the ARN.
    """

    holder: str
    sid: str
    element: str

    def __str__(self) -> str:
        return f"{self.holder}, statement {self.sid}: {self.element}"


# Rights that no run uses: holder -> statement -> reason -> actions and resources.
Unused = Mapping[str, Mapping[str, Mapping[str, Collection[str]]]]


def problems(grants: Collection[Grant], decisions: Collection[Decision], unused: Unused) -> list[str]:
    """Return a sentence for each difference between the policies, their use and the list of unused rights.

    Args:
        grants: the statements of all deployments. A right is used if one deployment uses it.
        decisions: the decisions on permissions of the run.
        unused: the list.
    """
    rights = {right for grant in grants for right in grant.rights()}
    used = set(_used(grants, decisions))
    listed = set(_listed(unused))
    return [
        *denied(grants, decisions),
        *(
            f"{right} is allowed, and the run did not use it: remove it, or list it with its reason"
            for right in sorted(rights - used - listed)
        ),
        *(
            f"{entry} is listed as unused, and the run used it: remove it from the list"
            for entry in sorted(listed & used)
        ),
        *(
            f"{entry} is listed as unused, and no policy allows it: remove it from the list"
            for entry in sorted(listed - rights)
        ),
    ]


def denied(grants: Collection[Grant], decisions: Iterable[Decision]) -> list[str]:
    """Return calls that were denied, and calls that no policy of these deployments allows any more."""
    # A service is named in the policies of several queues and functions.
    roles = {principal: grant.holder for grant in grants for principal in grant.principals if ":" in principal}
    calls = {
        (roles.get(decision.principal, decision.principal), decision.action, decision.resource)
        for decision in decisions
        if not decision.allowed or not any(set(grant.used(decision)) for grant in grants)
    }
    return [
        f"{name}: {action} on {resource} was called, and no policy allows it"
        for name, action, resource in sorted(calls)
    ]


def matches(pattern: str, value: str) -> bool:
    """Return whether a value matches a pattern of IAM: `*` is any text, `?` any character."""
    literal = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(literal, value, re.DOTALL) is not None


def _used(grants: Iterable[Grant], decisions: Iterable[Decision]) -> Iterator[Right]:
    allowed = [decision for decision in decisions if decision.allowed]
    for grant in grants:
        for decision in allowed:
            yield from grant.used(decision)


def _listed(unused: Unused) -> Iterator[Right]:
    for holder, statements in unused.items():
        for sid, reasons in statements.items():
            yield from (Right(holder, sid, element) for elements in reasons.values() for element in elements)
