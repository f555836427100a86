"""The answer to S3 Batch Operations."""

from tasks.utils import batch_operations


def to_batch_operations(event, results):
    """Return the answer to an invocation.

    Args:
        event: the invocation.
        results: an `Outcome` or an exception for each task, in order.
    """
    return batch_operations.to_batch_operations(event, [_result(result) for result in results])


def _result(result):
    if isinstance(result, Exception):
        return result
    return f"{result.action.value}: {result.reason or result.destination}"
