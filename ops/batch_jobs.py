"""Jobs of S3 Batch Operations that pass existing objects to a task.

Amazon S3 API Reference, CreateJob and S3JobManifestGenerator; Amazon S3 User Guide, "Creating an S3 Batch Operations
job".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from ops.deployment import ArchiveCopy, Mirror
from ops.errors import OpsError
from tasks.utils.s3_object import printable

Target = ArchiveCopy | Mirror

# The folder of the completion reports in their bucket.
REPORTS = "backfill"

# A description begins with this and the name of the function, so a deployment finds its jobs in the list of all jobs.
MARK = "brigade backfill"
DESCRIPTION_LIMIT = 256

# S3 runs jobs of a higher priority first. This leaves room on both sides.
PRIORITY = 10

ENDED = ("Complete", "Cancelled", "Failed")


@dataclass(frozen=True)
class Job:  # pylint: disable=too-many-instance-attributes  # one for each value that is shown
    """A job.

    Attributes:
        id: its id.
        description: its description.
        status: its status.
        total: the number of its objects, or None while S3 generates its manifest.
        succeeded: the number of objects that succeeded.
        failed: the number of objects that failed.
        created: the time of its creation.
        reason: why it failed, or "".
    """

    id: str
    description: str
    status: str
    total: int | None
    succeeded: int
    failed: int
    created: datetime
    reason: str

    @property
    def has_ended(self) -> bool:
        """Whether nothing changes any more."""
        return self.status in ENDED

    @property
    def done(self) -> int:
        """The number of objects that succeeded or failed."""
        return self.succeeded + self.failed

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Job:
        """Return the job of an answer of ListJobs or DescribeJob."""
        progress = found.get("ProgressSummary", {})
        reasons = [f"{one.get('FailureCode')}: {one.get('FailureReason')}" for one in found.get("FailureReasons", [])]
        return cls(
            id=found["JobId"],
            description=found.get("Description", ""),
            status=found["Status"],
            total=progress.get("TotalNumberOfTasks"),
            succeeded=progress.get("NumberOfTasksSucceeded", 0),
            failed=progress.get("NumberOfTasksFailed", 0),
            created=found["CreationTime"],
            reason="; ".join(reasons),
        )


def request_of(target: Target, prefix: str, since: datetime | None) -> dict[str, Any]:
    """Return CreateJob's request for the objects of a task's source below a prefix.

    Args:
        target: the task.
        prefix: the start of the keys; "" for all objects.
        since: only objects that were created after this, or None.
    """
    batch = target.batch
    wanted: dict[str, Any] = {"KeyNameConstraint": {"MatchAnyPrefix": [prefix]}} if prefix else {}
    if since:
        wanted["CreatedAfter"] = since
    description = f"{_mark(target)} {prefix}".rstrip()
    return {
        "AccountId": batch.account_id,
        "ConfirmationRequired": False,
        "Description": printable(description)[:DESCRIPTION_LIMIT],
        "Operation": {"LambdaInvoke": {"FunctionArn": batch.function_arn}},
        "ManifestGenerator": {
            "S3JobManifestGenerator": {
                "ExpectedBucketOwner": batch.account_id,
                "SourceBucket": f"arn:{batch.partition}:s3:::{target.source}",
                "Filter": wanted,
                "EnableManifestOutput": False,
            }
        },
        "Report": {
            "Enabled": True,
            "Bucket": f"arn:{batch.partition}:s3:::{batch.reports}",
            "Prefix": REPORTS,
            "Format": "Report_CSV_20180820",
            "ReportScope": "AllTasks",
        },
        "Priority": PRIORITY,
        "RoleArn": batch.role_arn,
    }


class Jobs:
    """The backfills of a deployment.

    Args:
        client: a client of S3 Control.
        targets: the tasks of the deployment that take jobs.
    """

    def __init__(self, client: Any, targets: Sequence[Target]):
        self._client = client
        self._targets = targets
        self._account = targets[0].batch.account_id

    def create(self, request: Mapping[str, Any]) -> Job:
        """Create a job; a repeated request creates no second one."""
        return self.describe(self._client.create_job(**request)["JobId"])

    def describe(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            OpsError: there is none with this id, or it is no backfill of this deployment.
        """
        try:
            job = Job.of(self._client.describe_job(AccountId=self._account, JobId=job_id)["Job"])
        except (ClientError, ParamValidationError) as error:
            # The name of AWS's error differs between pages of the documentation; botocore knows how long an id is.
            if isinstance(error, ParamValidationError) or "NotFound" in str(error) or "NoSuchJob" in str(error):
                raise OpsError(f"there is no job {job_id}: `brigade backfill status` lists the backfills") from error
            raise
        if self.target_of(job) is None:
            raise OpsError(f"{job_id} is no backfill of this deployment: `brigade backfill status` lists them")
        return job

    def all(self) -> Iterator[Job]:
        """Yield the backfills of this deployment that S3 still knows, the latest first."""
        page: dict[str, Any] = {"NextToken": ""}
        while "NextToken" in page:
            token = {"NextToken": page["NextToken"]} if page["NextToken"] else {}
            page = self._client.list_jobs(AccountId=self._account, **token)
            yield from (job for job in map(Job.of, page["Jobs"]) if self.target_of(job) is not None)

    def cancel(self, job_id: str) -> None:
        """Cancel a job.

        Raises:
            OpsError: it has ended.
        """
        if (job := self.describe(job_id)).has_ended:
            raise OpsError(f"{job_id} has ended already: its status is {job.status}")
        self._client.update_job_status(AccountId=self._account, JobId=job_id, RequestedJobStatus="Cancelled")

    def target_of(self, job: Job) -> Target | None:
        """Return the task of a job, or None if it is no backfill of this deployment."""
        return next((one for one in self._targets if f"{job.description} ".startswith(f"{_mark(one)} ")), None)


def _mark(target: Target) -> str:
    return f"{MARK} {target.batch.function}"
