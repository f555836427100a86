"""What a caller gets to hear of the outcomes: the direct one a dict or an error, S3 Batch Operations its results."""

import json

from tasks.utils.errors import BucketBrigadeError
from tasks.utils.events import ObjectEvent

# The longest text that S3 Batch Operations keeps in its report for a task.
RESULT_LIMIT = 1024


class CopyRequestError(BucketBrigadeError):
    """Some file of a direct event was not copied. The text holds the answer as JSON, for every file of the event."""


def to_direct_event(outcomes):
    """Returns the answer to an event that Lambda was invoked with directly.

    Returns:
        `{"files": [...]}` in record order; events that asked for no copy stand under `skipped`, if there are any.

    Raises:
        CopyRequestError: a file was not copied.
    """
    answer = {"files": [_file(outcome) for outcome in outcomes if not outcome.skipped]}
    skipped = [_skipped(outcome) for outcome in outcomes if outcome.skipped]
    if skipped:
        answer["skipped"] = skipped
    if any(outcome.error for outcome in outcomes):
        raise CopyRequestError(f"File copy failed. {json.dumps(answer)}")
    return answer


def to_batch_operations(event, outcomes):
    """Returns the answer to S3 Batch Operations, which repeats a `TemporaryFailure` by itself.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
    """
    return {
        "invocationSchemaVersion": event.get("invocationSchemaVersion", "1.0"),
        "treatMissingKeysAs": "PermanentFailure",
        "invocationId": event["invocationId"],
        "results": [_result(task, outcome) for task, outcome in zip(event["tasks"], outcomes, strict=True)],
    }


def _file(outcome):
    source = outcome.event.object if isinstance(outcome.event, ObjectEvent) else None
    return {
        "success": outcome.error is None,
        "source_bucket": source.bucket if source else "",
        "source_key": source.key if source else "",
        "target_bucket": outcome.destination.bucket if outcome.destination else "",
        "err_msg": str(outcome.error) if outcome.error else "",
    }


def _skipped(outcome):
    source = outcome.event.object
    return {"source_bucket": source.bucket, "source_key": source.key, "reason": outcome.skipped}


def _result(task, outcome):
    code, text = "Succeeded", str(outcome.destination or outcome.skipped)
    if outcome.error:
        code = "TemporaryFailure" if outcome.error.transient else "PermanentFailure"
        text = str(outcome.error)
    return {"taskId": task["taskId"], "resultCode": code, "resultString": text[:RESULT_LIMIT]}
