"""The answer to an invocation by S3 Batch Operations.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
"""

from collections.abc import Iterable, Mapping
from typing import Any

# The longest text that S3 Batch Operations keeps in its report for a task.
RESULT_LIMIT = 1024


def to_batch_operations(event: Mapping[str, Any], results: Iterable[Exception | str]) -> dict[str, Any]:
    """Return the answer, with a result for each task. S3 repeats a task that ends in `TemporaryFailure`.

    Args:
        event: the invocation.
        results: for each task of the event, in order, the error, or the text for the report.
    """
    return {
        "invocationSchemaVersion": event.get("invocationSchemaVersion", "1.0"),
        "treatMissingKeysAs": "PermanentFailure",
        "invocationId": event["invocationId"],
        "results": [_result(task, result) for task, result in zip(event["tasks"], results, strict=True)],
    }


def _result(task: Mapping[str, Any], result: Exception | str) -> dict[str, str]:
    return {"taskId": task["taskId"], "resultCode": _code(result), "resultString": str(result)[:RESULT_LIMIT]}


def _code(result: Exception | str) -> str:
    if not isinstance(result, Exception):
        return "Succeeded"
    # An error of a library may be temporary.
    return "TemporaryFailure" if getattr(result, "transient", True) else "PermanentFailure"
