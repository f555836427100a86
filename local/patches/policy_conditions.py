"""The conditions of a policy's statement: whether they hold for a request.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

# The values of a request, by the condition keys in small letters.
Context = Mapping[str, Sequence[str]]

MATCHES: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, actual: wanted == actual,
    # No key of ours holds a bracket, which fnmatch alone takes for a wildcard.
    "StringLike": lambda wanted, actual: fnmatchcase(actual, wanted),
    "NumericLessThanEquals": lambda wanted, actual: float(actual) <= float(wanted),
}


def hold(conditions: Mapping[str, Mapping[str, str | list[str]]] | None, context: Context) -> bool:
    """Return whether all conditions of a statement hold.

    Args:
        conditions: the statement's `Condition`, or None.
        context: what is known of the request.

    Raises:
        NotImplementedError: an operator is not known here.
    """
    return all(
        _holds(operator, context.get(key.lower(), ()), [wanted] if isinstance(wanted, str) else list(wanted))
        for operator, keys in (conditions or {}).items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, actual: Sequence[str], wanted: Sequence[str]) -> bool:
    quantifier, _, name = operator.rpartition(":")
    if name not in MATCHES:
        raise NotImplementedError(f"The condition operator {operator} is not known to the embedded AWS.")
    met = [any(MATCHES[name](each, value) for each in wanted) for value in actual]
    # Of a key that a request lacks ForAllValues is true, and all else false.
    return all(met) if quantifier == "ForAllValues" else any(met)
