"""Evaluation of the conditions in a policy's statement.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

# The values of a request, by condition key in lower case.
Context = Mapping[str, Sequence[str]]

MATCHES: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, actual: wanted == actual,
    # fnmatch reads a bracket as a wildcard and IAM does not; no policy of this project holds a bracket.
    "StringLike": lambda wanted, actual: fnmatchcase(actual, wanted),
    "NumericLessThanEquals": lambda wanted, actual: float(actual) <= float(wanted),
}


def conditions_hold(conditions: Mapping[str, Mapping[str, str | list[str]]] | None, context: Context) -> bool:
    """Return whether all conditions of a statement hold.

    Args:
        conditions: The statement's `Condition`, or None.
        context: The condition keys of the request.

    Raises:
        NotImplementedError: The embedded AWS does not implement an operator.
    """
    return all(
        _holds(operator, context.get(key.lower(), ()), [wanted] if isinstance(wanted, str) else list(wanted))
        for operator, keys in (conditions or {}).items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, actual: Sequence[str], wanted: Sequence[str]) -> bool:
    quantifier, _, name = operator.rpartition(":")
    is_optional, name = name.endswith("IfExists"), name.removesuffix("IfExists")
    if name not in MATCHES:
        raise NotImplementedError(f"The embedded AWS does not implement the condition operator {operator}.")
    results = [any(MATCHES[name](pattern, value) for pattern in wanted) for value in actual]
    # If the request lacks the key, ForAllValues and IfExists are true and everything else is false.
    if is_optional and not results:
        return True
    return all(results) if quantifier == "ForAllValues" else any(results)
