"""The tasks of a job, their results, and the messages between S3 and the function.

Sources: Amazon S3 User Guide, "Invoke AWS Lambda function"; Amazon S3 API Reference, LambdaInvokeOperation.
"""

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RESULT_CODES = ("Succeeded", "TemporaryFailure", "PermanentFailure")


@dataclass(frozen=True)
class Task:
    """One object of a manifest.

    Attributes:
        bucket: The name of the bucket.
        key: The key, URL-encoded as in the manifest.
        version_id: The id of the version, or None for the current one.
        id: The id of the task.
    """

    bucket: str
    key: str
    version_id: str | None = None
    id: str = field(default_factory=lambda: base64.b64encode(uuid.uuid4().bytes).decode())


@dataclass(frozen=True)
class Result:
    """The result of a task.

    Attributes:
        code: One of `RESULT_CODES`.
        message: The text for the report.
        http_status: The status of the request.
    """

    code: str
    message: str
    http_status: int = 200

    @property
    def is_temporary(self) -> bool:
        """Whether the task is repeated."""
        return self.code == "TemporaryFailure"


def event_of(task: Task, job_id: str, operation: Mapping[str, Any], partition: str) -> dict[str, Any]:
    """Return the event that S3 sends to the function.

    Args:
        task: The task.
        job_id: The id of its job.
        operation: The `LambdaInvoke` operation of the job.
        partition: The partition of the bucket.
    """
    version = operation.get("InvocationSchemaVersion") or "1.0"
    job: dict[str, Any] = {"id": job_id}
    if version == "1.0":
        bucket = {"s3BucketArn": f"arn:{partition}:s3:::{task.bucket}"}
    else:
        bucket = {"s3Bucket": task.bucket}
        job["userArguments"] = operation.get("UserArguments") or {}
    return {
        "invocationSchemaVersion": version,
        "invocationId": base64.b64encode(uuid.uuid4().bytes).decode(),
        "job": job,
        "tasks": [{"taskId": task.id, "s3Key": task.key, "s3VersionId": task.version_id, **bucket}],
    }


def result_of(task: Task, status: int, headers: Mapping[str, str], body: bytes) -> Result:
    """Return the result of a task from the answer of the Invoke API."""
    text = body.decode(errors="replace")
    if status != 200:
        return Result("TemporaryFailure", f"Lambda refused the invocation: {text}", status)
    if "X-Amz-Function-Error" in headers:
        return Result("TemporaryFailure", f"Lambda returned function error: {text}")
    try:
        answer = json.loads(text)
        results = {entry["taskId"]: entry for entry in answer["results"]}
        entry = results.get(task.id, {"resultCode": answer["treatMissingKeysAs"], "resultString": ""})
        result = Result(entry["resultCode"], entry["resultString"])
    except (ValueError, LookupError, TypeError):
        return Result("PermanentFailure", "Invalid JSON returned in Lambda payload")
    if result.code not in RESULT_CODES:
        return Result("PermanentFailure", f"Invalid result code returned by Lambda: {result.code}")
    return result
