"""The completion report of a job: a CSV file of the tasks that succeeded, one of those that failed, and a manifest.

Amazon S3 User Guide, "Examples: S3 Batch Operations completion reports". Its schema names the error code before the
HTTP status. The rows of its examples have them in the opposite order, as the rows here do.
"""

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from local.batch_operations.task import Result, Task

SCHEMA = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"

Done = Sequence[tuple[Task, Result]]


def write_report(s3: Any, job_id: str, report: Mapping[str, Any], done: Done) -> None:
    """Write the report of a job.

    Args:
        s3: A client with the permissions of the job's role.
        job_id: The id of the job.
        report: The `Report` of the request.
        done: The tasks that ended, with their results.
    """
    bucket = report["Bucket"].rpartition(":")[2]
    owner = {"ExpectedBucketOwner": report["ExpectedBucketOwner"]} if report.get("ExpectedBucketOwner") else {}
    prefix = f"{report['Prefix'].rstrip('/')}/" if report.get("Prefix") else ""
    folder = f"{prefix}job-{job_id}"
    results = [
        _write_results(s3, bucket, folder, status, rows) for status, rows in _by_status(report, done).items() if rows
    ]
    manifest = {
        "Format": report["Format"],
        "ReportCreationDate": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "Results": results,
        "ReportSchema": SCHEMA,
    }
    s3.put_object(Bucket=bucket, Key=f"{folder}/manifest.json", Body=json.dumps(manifest).encode(), **owner)


def _by_status(report: Mapping[str, Any], done: Done) -> dict[str, Done]:
    succeeded = [each for each in done if each[1].code == "Succeeded"]
    failed = [each for each in done if each[1].code != "Succeeded"]
    return {"succeeded": succeeded if report["ReportScope"] == "AllTasks" else [], "failed": failed}


def _write_results(s3: Any, bucket: str, folder: str, status: str, done: Done) -> dict[str, str]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for task, result in done:
        code = "" if status == "succeeded" else "PermanentFailure" if result.http_status == 200 else "AccessDenied"
        writer.writerow(
            (task.bucket, task.key, task.version_id or "", status, result.http_status, code, result.message)
        )
    body = text.getvalue().encode()
    key = f"{folder}/results/{hashlib.sha1(body, usedforsecurity=False).hexdigest()}.csv"
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return {"TaskExecutionStatus": status, "Bucket": bucket, "MD5Checksum": digest, "Key": key}
