"""S3 Batch Operations: jobs and their states. `local.batch_operations` runs the jobs.

Sources: Amazon S3 API Reference, CreateJob, DescribeJob, ListJobs, UpdateJobStatus and UpdateJobPriority; Amazon S3
User Guide, "Creating an S3 Batch Operations job", "Tracking job status and completion reports" and "Compute checksums".
"""

# pylint: disable=protected-access  # a patch replaces internals of moto

import threading
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.s3control.models import S3ControlBackend
from moto.s3control.responses import S3ControlResponse

from local.patches.hooks import HOOKS
from local.patches.patching import patch

PATHS = ("jobs", "jobs/<job_id>", "jobs/<job_id>/status", "jobs/<job_id>/priority")

ENDED = ("Complete", "Cancelled", "Failed")

# The maximum of `MaxResults`, and its default.
MAX_RESULTS = 1000

OPERATIONS = ("LambdaInvoke", "S3ComputeObjectChecksum")
CHECKSUMS = ("CRC32", "MD5", "SHA1", "SHA256")

KEY_CONSTRAINTS = ("MatchAnyPrefix", "MatchAnySuffix", "MatchAnySubstring")

# Members of a request that DescribeJob returns as they are.
DESCRIBED = (
    "ConfirmationRequired",
    "Description",
    "Manifest",
    "ManifestGenerator",
    "Operation",
    "Priority",
    "Report",
    "RoleArn",
)


class JobError(ServiceException):
    """A refusal of a request about jobs."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class Scope(NamedTuple):
    """Where a job runs."""

    partition: str
    region: str
    account_id: str


@dataclass
class Progress:
    """The progress of a job.

    Attributes:
        total: The number of tasks, or None while the manifest is being read.
        succeeded: The number of tasks that succeeded.
        failed: The number of tasks that failed.
        active_seconds: How long the job was active; set after its last task.
    """

    total: int | None = None
    succeeded: int = 0
    failed: int = 0
    active_seconds: int = 0

    def summary(self) -> dict[str, Any]:
        """Return the `ProgressSummary` of a job."""
        return {
            **({} if self.total is None else {"TotalNumberOfTasks": self.total}),
            "NumberOfTasksSucceeded": self.succeeded,
            "NumberOfTasksFailed": self.failed,
            "Timers": {"ElapsedTimeInActiveSeconds": self.active_seconds},
        }


@dataclass(eq=False)
class Job:
    """A job.

    Attributes:
        request: CreateJob's request.
        scope: Where the job runs.
        id: The id of the job.
        status: The status of the job.
        progress: The progress of the job.
        details: Further values of the description of the job.
        changed: Notifies of every change of the status.
    """

    request: Mapping[str, Any]
    scope: Scope
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "New"
    progress: Progress = field(default_factory=Progress)
    details: dict[str, Any] = field(default_factory=lambda: {"CreationTime": datetime.now(UTC)})
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def is_cancelled(self) -> bool:
        """Whether the job starts no further tasks because of a request."""
        return self.status in ("Cancelling", "Cancelled")

    def move_to(self, status: str) -> None:
        """Change the status, unless the job is being cancelled or has ended."""
        with self.changed:
            if not self.is_cancelled and self.status not in ENDED:
                self.status = status
                self.changed.notify_all()

    def end(self, status: str) -> None:
        """Set the final status."""
        with self.changed:
            self.details["TerminationDate"] = datetime.now(UTC)
            self.status = status
            self.changed.notify_all()

    def described(self, members: Collection[str] = DESCRIBED) -> dict[str, Any]:
        """Return the state of the job and members of its request."""
        request = {name: self.request[name] for name in members if self.request.get(name) is not None}
        state = {"JobId": self.id, "Status": self.status, "ProgressSummary": self.progress.summary()}
        return {**request, **state, **self.details}

    def listed(self) -> dict[str, Any]:
        """Return the entry of a list."""
        return {**self.described(("Description", "Priority")), "Operation": next(iter(self.request["Operation"]))}


@patch(S3ControlBackend, "_url_module")
def serve_jobs(original: Any, backend: Any) -> Any:
    """S3 serves the requests about jobs below `/v20180820/jobs`; moto serves none.

    Amazon S3 API Reference, CreateJob.
    """
    urls = original(backend)
    paths = {"{0}/v20180820/" + path.replace("<job_id>", "[^/]+") + "$": S3ControlResponse.dispatch for path in PATHS}
    flask = {f"/v20180820/{path}": S3ControlResponse.dispatch for path in PATHS}
    return SimpleNamespace(url_bases=urls.url_bases, url_paths={**urls.url_paths, **paths, **flask})


@patch(S3ControlResponse, "create_job")
def create_job(_original: Any, response: Any) -> ActionResult:
    """CreateJob creates a job that runs on its own; moto does not implement it."""
    request = dict(response.params)
    _check(request, response.current_account)
    jobs = _jobs(response)
    same = next((job for job in jobs if job.request["ClientRequestToken"] == request["ClientRequestToken"]), None)
    if same is None:
        job = Job(request, Scope(response.partition, response.region, response.current_account))
        vars(response.backend)["_jobs"].append(job)
        HOOKS.job_starter(job)
        return ActionResult({"JobId": job.id})
    if same.request != request:
        raise JobError("IdempotencyException", "The client request token was used for another request.")
    return ActionResult({"JobId": same.id})


@patch(S3ControlResponse, "describe_job")
def describe_job(_original: Any, response: Any) -> ActionResult:
    """DescribeJob returns the request and the state of a job; moto does not implement it."""
    job = _job(response)
    arn = f"arn:{job.scope.partition}:s3:{job.scope.region}:{job.scope.account_id}:job/{job.id}"
    return ActionResult({"Job": {**job.described(), "JobArn": arn}})


@patch(S3ControlResponse, "list_jobs")
def list_jobs(_original: Any, response: Any) -> ActionResult:
    """ListJobs returns the jobs of a region, in pages; moto does not implement it."""
    statuses, token = response._get_param("JobStatuses"), response._get_param("NextToken", "0")
    jobs = [job.listed() for job in reversed(_jobs(response)) if not statuses or job.status in statuses]
    if not token.isdecimal():
        raise JobError("InvalidNextTokenException", "The next token is not valid.")
    start, count = int(token), response._get_param("MaxResults", MAX_RESULTS)
    more = {"NextToken": str(start + count)} if start + count < len(jobs) else {}
    return ActionResult({"Jobs": jobs[start : start + count], **more})


@patch(S3ControlResponse, "update_job_status")
def update_job_status(_original: Any, response: Any) -> ActionResult:
    """UpdateJobStatus confirms a suspended job or cancels a job; moto does not implement it."""
    job, status = _job(response), response._get_param("RequestedJobStatus")
    with job.changed:
        if job.status in ENDED or (status == "Ready" and job.status != "Suspended"):
            message = f"A job in the status {job.status} cannot be changed to {status}."
            raise JobError("JobStatusException", message)
        job.details["StatusUpdateReason"] = response._get_param("StatusUpdateReason") or ""
        job.status = "Cancelling" if status == "Cancelled" else status
        job.changed.notify_all()
        return ActionResult({"JobId": job.id, "Status": job.status, **job.details})


@patch(S3ControlResponse, "update_job_priority")
def update_job_priority(_original: Any, response: Any) -> ActionResult:
    """UpdateJobPriority changes the priority of a job; moto does not implement it."""
    job = _job(response)
    job.details["Priority"] = response._get_param("Priority")
    return ActionResult({"JobId": job.id, "Priority": job.details["Priority"]})


def _jobs(response: Any) -> list[Job]:
    """Return the jobs of the request's region, the oldest first."""
    jobs: list[Job] = vars(response.backend).setdefault("_jobs", [])
    return [job for job in jobs if job.scope.region == response.region]


def _job(response: Any) -> Job:
    wanted = response._get_param("JobId")
    job = next((job for job in _jobs(response) if job.id == wanted), None)
    if job is None:
        raise JobError("NotFoundException", "The specified job does not exist.")
    return job


def _check(request: Mapping[str, Any], account_id: str) -> None:
    """Refuse a request that S3 refuses."""
    if request["RoleArn"].split(":")[4] != account_id:
        raise JobError("BadRequestException", "Cross-account pass role is not allowed.")
    if bool(request.get("Manifest")) == bool(request.get("ManifestGenerator")):
        raise JobError("BadRequestException", "A job has either a manifest or a manifest generator.")
    _check_operation(request)
    report = request["Report"]
    if report["Enabled"] and not all(report.get(name) for name in ("Bucket", "Format", "ReportScope")):
        raise JobError("BadRequestException", "A report needs a bucket, a format and a scope.")
    if request.get("ManifestGenerator"):
        _check_generator(request["ManifestGenerator"]["S3JobManifestGenerator"])


def _check_operation(request: Mapping[str, Any]) -> None:
    (name, operation), *_ = request["Operation"].items()
    if name not in OPERATIONS:
        raise NotImplementedError(f"The embedded AWS implements no operation but {OPERATIONS}: {name}.")
    if operation.get("UserArguments") and operation.get("InvocationSchemaVersion") != "2.0":
        raise JobError("BadRequestException", "UserArguments require the invocation schema version 2.0.")
    if name == "S3ComputeObjectChecksum":
        if operation["ChecksumAlgorithm"] not in CHECKSUMS or operation["ChecksumType"] != "FULL_OBJECT":
            raise NotImplementedError(f"The embedded AWS computes only FULL_OBJECT checksums of {CHECKSUMS}.")
        # S3 User Guide, "Compute checksums": the bucket owner condition of the report's bucket is required.
        if not request["Report"].get("ExpectedBucketOwner"):
            raise JobError("BadRequestException", "The report of this operation needs an expected bucket owner.")


def _check_generator(generator: Mapping[str, Any]) -> None:
    constraints = (generator.get("Filter") or {}).get("KeyNameConstraint") or {}
    if any(len(constraints.get(name) or ["one"]) != 1 for name in KEY_CONSTRAINTS):
        raise JobError("BadRequestException", "Each constraint of a key name is a list of one string.")
    if generator["EnableManifestOutput"]:
        raise NotImplementedError("The embedded AWS does not write the manifest that it generates.")
