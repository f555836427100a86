"""Jobs of S3 Batch Operations on the objects of a bucket.

Amazon S3 API Reference, CreateJob and S3JobManifestGenerator; Amazon S3 User Guide, "Creating an S3 Batch Operations
job".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError, ParamValidationError

from ops.deployment import JobPlace
from tasks.utils.s3_object import printable

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


@dataclass(frozen=True)
class Kind:
    """What jobs do.

    Attributes:
        mark: how the description of such a job begins.
        operation: the operation, as CreateJob takes it.
        reports: the folder of the completion reports in their bucket.
    """

    mark: str
    operation: Mapping[str, Any]
    reports: str

    def description(self, about: str) -> str:
        """Return the description of a job, by which it is found again."""
        return printable(f"{self.mark} {about}".rstrip())[:DESCRIPTION_LIMIT]

    def folder(self, job_id: str) -> str:
        """Return the folder of the completion report of a job."""
        return f"{self.reports}/job-{job_id}"


class Objects(NamedTuple):
    """The objects of a job.

    Attributes:
        bucket: their bucket.
        prefix: the start of their keys; "" for all objects.
        since: only objects that were created after this, or None.
    """

    bucket: str
    prefix: str
    since: datetime | None = None


def request_of(kind: Kind, place: JobPlace, objects: Objects, *, about: str) -> dict[str, Any]:
    """Return CreateJob's request.

    Args:
        kind: what the job does.
        place: its role and its report.
        objects: its objects.
        about: the rest of its description.
    """
    wanted: dict[str, Any] = {"KeyNameConstraint": {"MatchAnyPrefix": [objects.prefix]}} if objects.prefix else {}
    if objects.since:
        wanted["CreatedAfter"] = objects.since
    return {
        "AccountId": place.account_id,
        "ConfirmationRequired": False,
        "Description": kind.description(about),
        "Operation": kind.operation,
        "ManifestGenerator": {
            "S3JobManifestGenerator": {
                "ExpectedBucketOwner": place.account_id,
                "SourceBucket": f"arn:{place.partition}:s3:::{objects.bucket}",
                "Filter": wanted,
                "EnableManifestOutput": False,
            }
        },
        "Report": {
            "Enabled": True,
            "Bucket": f"arn:{place.partition}:s3:::{place.reports}",
            "ExpectedBucketOwner": place.account_id,
            "Prefix": kind.reports,
            "Format": "Report_CSV_20180820",
            "ReportScope": "AllTasks",
        },
        "Priority": PRIORITY,
        "RoleArn": place.role_arn,
    }


class Jobs:
    """The jobs of an account in a region.

    Args:
        client: a client of S3 Control.
        account_id: the account.
    """

    def __init__(self, client: Any, account_id: str):
        self._client = client
        self._account = account_id

    def create(self, request: Mapping[str, Any]) -> Job:
        """Create a job; a repeated request creates no second one."""
        return self._describe(self._client.create_job(**request)["JobId"])

    def find(self, job_id: str) -> Job | None:
        """Return a job, or None if there is none with this id."""
        try:
            return self._describe(job_id)
        except (ClientError, ParamValidationError) as error:
            # The name of AWS's error differs between pages of the documentation; botocore knows how long an id is.
            if isinstance(error, ParamValidationError) or "NotFound" in str(error) or "NoSuchJob" in str(error):
                return None
            raise

    def all(self) -> Iterator[Job]:
        """Yield the jobs that S3 still knows, the latest first."""
        page: dict[str, Any] = {"NextToken": ""}
        while "NextToken" in page:
            token = {"NextToken": page["NextToken"]} if page["NextToken"] else {}
            page = self._client.list_jobs(AccountId=self._account, **token)
            yield from map(Job.of, page["Jobs"])

    def cancel(self, job_id: str) -> None:
        """Cancel a job that has not ended."""
        self._client.update_job_status(AccountId=self._account, JobId=job_id, RequestedJobStatus="Cancelled")

    def _describe(self, job_id: str) -> Job:
        return Job.of(self._client.describe_job(AccountId=self._account, JobId=job_id)["Job"])
