"""What S3 Batch Operations gets to hear of its tasks.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
"""

# The longest text that S3 Batch Operations keeps in its report for a task.
RESULT_LIMIT = 1024


def to_batch_operations(event, results):
    """Returns the answer: a result for each task, of which it repeats a `TemporaryFailure` by itself.

    Args:
        event: the invocation.
        results: an `Outcome` or an exception for each task, in order.
    """
    return {
        "invocationSchemaVersion": event.get("invocationSchemaVersion", "1.0"),
        "treatMissingKeysAs": "PermanentFailure",
        "invocationId": event["invocationId"],
        "results": [_result(task, result) for task, result in zip(event["tasks"], results, strict=True)],
    }


def _result(task, result):
    if isinstance(result, Exception):
        # What this project does not raise on purpose may be a passing trouble as well.
        code = "TemporaryFailure" if getattr(result, "transient", True) else "PermanentFailure"
        text = str(result)
    else:
        code, text = "Succeeded", f"{result.action.value}: {result.reason or result.destination}"
    return {"taskId": task["taskId"], "resultCode": code, "resultString": text[:RESULT_LIMIT]}
