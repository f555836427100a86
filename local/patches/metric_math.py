"""Metric math, as far as the dashboard needs it: arithmetic of metrics and numbers, and `SUM` of a metric.

Source: Amazon CloudWatch User Guide, "Using math expressions with CloudWatch metrics".
"""

import ast
import operator
from collections.abc import Callable, Mapping
from datetime import datetime

# The value of a metric by time. A number has no time.
Series = dict[datetime, float]
Value = Series | float

OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def evaluate(expression: str, metrics: Mapping[str, Series]) -> Series:
    """Return the value of an expression by time. It has no value where one of its metrics has none.

    Args:
        expression: The expression.
        metrics: The value of each metric by its id.

    Raises:
        ValueError: The expression has another part than numbers, ids, `+ - * /`, brackets and `SUM(id)`.
    """
    try:
        value = _value(ast.parse(expression, mode="eval").body, metrics)
    except (SyntaxError, KeyError) as error:
        raise ValueError(expression) from error
    if isinstance(value, float):
        raise ValueError(expression)
    return value


def _value(node: ast.expr, metrics: Mapping[str, Series]) -> Value:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return metrics[name]
        case ast.Call(func=ast.Name(id="SUM"), args=[ast.Name(id=name)]):
            return sum(metrics[name].values(), 0.0)
        case ast.BinOp(left=left, op=op, right=right):
            return _combine(OPERATORS[type(op)], _value(left, metrics), _value(right, metrics))
    raise ValueError(ast.unparse(node))


def _combine(combine: Callable[[float, float], float], left: Value, right: Value) -> Value:
    # A division by 0 has no value.
    if isinstance(left, float) and isinstance(right, float):
        return combine(left, right) if right or combine is not operator.truediv else {}
    times = [side.keys() for side in (left, right) if isinstance(side, dict)]
    pairs = {time: (_at(left, time), _at(right, time)) for time in set.intersection(*map(set, times))}
    return {time: combine(*pair) for time, pair in pairs.items() if pair[1] or combine is not operator.truediv}


def _at(value: Value, time: datetime) -> float:
    return value[time] if isinstance(value, dict) else value
