"""The jobs that pass existing objects to the tasks of a deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ops import batch_jobs
from ops.batch_jobs import Job, Jobs, Kind, Objects
from ops.deployment import ArchiveCopy, Mirror
from ops.errors import OpsError

Target = ArchiveCopy | Mirror


def kind_of(target: Target) -> Kind:
    """Return what the jobs of a task do; the mark names its function, so a deployment finds its jobs."""
    batch = target.batch
    operation = {"LambdaInvoke": {"FunctionArn": batch.function_arn}}
    return Kind(f"brigade backfill {batch.function}", operation, "backfill")


def request_of(target: Target, prefix: str, since: datetime | None) -> dict[str, Any]:
    """Return CreateJob's request for the objects of a task's source; see `batch_jobs.request_of`."""
    objects = Objects(target.source, prefix, since)
    return batch_jobs.request_of(kind_of(target), target.batch, objects, about=prefix)


class Backfills:
    """The backfills of a deployment.

    Args:
        client: a client of S3 Control.
        targets: the tasks of the deployment that take jobs.
    """

    def __init__(self, client: Any, targets: Sequence[Target]):
        self._jobs = Jobs(client, targets[0].batch.account_id)
        self._targets = targets

    def create(self, request: Mapping[str, Any]) -> Job:
        """Create a job; a repeated request creates no second one."""
        return self._jobs.create(request)

    def describe(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            OpsError: there is none with this id, or it is no backfill of this deployment.
        """
        job = self._jobs.find(job_id)
        if job is None:
            raise OpsError(f"there is no job {job_id}: `brigade backfill status` lists the backfills")
        if self.target_of(job) is None:
            raise OpsError(f"{job_id} is no backfill of this deployment: `brigade backfill status` lists them")
        return job

    def all(self) -> Iterator[Job]:
        """Yield the backfills of this deployment that S3 still knows, the latest first."""
        return (job for job in self._jobs.all() if self.target_of(job) is not None)

    def cancel(self, job_id: str) -> None:
        """Cancel a job.

        Raises:
            OpsError: it has ended.
        """
        if (job := self.describe(job_id)).has_ended:
            raise OpsError(f"{job_id} has ended already: its status is {job.status}")
        self._jobs.cancel(job_id)

    def target_of(self, job: Job) -> Target | None:
        """Return the task of a job, or None if it is no backfill of this deployment."""
        marks = ((target, kind_of(target).mark) for target in self._targets)
        return next((target for target, mark in marks if f"{job.description} ".startswith(f"{mark} ")), None)
