"""The answer to S3 Batch Operations."""

from collections.abc import Iterable, Mapping
from typing import Any

from tasks.partition_replicate.outcome import Outcome
from tasks.utils import batch_operations


def to_batch_operations(event: Mapping[str, Any], results: Iterable[Outcome | Exception]) -> dict[str, Any]:
    """Return the answer to an invocation.

    Args:
        event: the invocation.
        results: an outcome or an error for each task, in order.
    """
    return batch_operations.to_batch_operations(event, [_result(result) for result in results])


def _result(result: Outcome | Exception) -> Exception | str:
    if isinstance(result, Exception):
        return result
    return f"{result.action.value}: {result.reason or result.destination}"
