"""One job: manifest, tasks and report.

Sources: Amazon S3 User Guide, "Tracking job status and completion reports", "Invoke AWS Lambda function" and "Compute
checksums".
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import lambda_backends

from local.batch_operations.checksums import checksum_of
from local.batch_operations.errors import JobFailed, JobStopped
from local.batch_operations.manifest import generated_tasks, listed_tasks
from local.batch_operations.report import write_report
from local.batch_operations.task import Result, Task, event_of, result_of
from local.embedded_aws import EmbeddedAws
from local.lambda_service.errors import Refused
from local.lambda_service.roles import assume, permits
from local.patches.s3_jobs import Job

logger = logging.getLogger(__name__)

# Invocations at the same time. AWS uses up to thousands; a sandbox is a process of this machine.
CONCURRENCY = 4

# How often tasks with a temporary failure are repeated, after all others, and the seconds before it. AWS documents
# neither.
REDRIVES = 2
REDRIVE_SECONDS = 0.2

# From this number of tasks on, a job fails if more than half of them failed.
THRESHOLD_TASKS = 1000


class JobRun:
    """The run of a job.

    Args:
        aws: The embedded AWS, started.
        job: The job.
    """

    def __init__(self, aws: EmbeddedAws, job: Job):
        self._aws = aws
        self._job = job
        self._credentials: dict[str, str] = {}
        self._done: list[tuple[Task, Result]] = []
        self._stopping = threading.Event()

    def run(self) -> None:
        """Run the job to its end; the job says how it went."""
        end = self._attempt(self._execute)
        # A job that invoked nothing has no report.
        if self._done and self._attempt(self._report) == "Failed":
            end = "Failed"
        self._job.end(end)

    def stop(self) -> None:
        """End the job as soon as its running invocations have ended."""
        self._stopping.set()
        with self._job.changed:
            self._job.changed.notify_all()

    def _attempt(self, step: Callable[[], None]) -> str:
        """Take a step, and return the status with which the job ends after it."""
        try:
            step()
        except JobStopped:
            return "Cancelled"
        except (JobFailed, Refused) as failed:
            return self._fail(getattr(failed, "code", "AccessDenied"), str(failed))
        except Exception as error:  # pylint: disable=broad-exception-caught  # a job that never ends hangs its waiters
            logger.exception("The job %s failed", self._job.id)
            return self._fail("InternalError", f"{type(error).__name__}: {error}")
        return "Complete"

    def _fail(self, code: str, reason: str) -> str:
        self._job.details["FailureReasons"] = [{"FailureCode": code, "FailureReason": reason}]
        self._job.move_to("Failing")
        return "Failed"

    def _execute(self) -> None:
        tasks = self._prepare()
        self._job.progress.total = len(tasks)
        self._await_confirmation()
        self._job.move_to("Ready")
        self._job.move_to("Active")
        started = time.monotonic()
        for redrive in range(REDRIVES + 1):
            tasks = self._run_tasks(tasks, is_last=redrive == REDRIVES)
            if not tasks:
                break
            self._stopping.wait(REDRIVE_SECONDS)
        self._job.progress.active_seconds = round(time.monotonic() - started)
        self._job.move_to("Completing")

    def _prepare(self) -> Sequence[Task]:
        self._job.move_to("Preparing")
        request, session = self._job.request, f"job-{self._job.id}"
        self._credentials = assume(
            request["RoleArn"], session=session, region=self._job.scope.region, service="batchoperations.s3"
        )
        if request.get("Manifest"):
            return listed_tasks(self._s3(), request["Manifest"])
        generator = request["ManifestGenerator"]["S3JobManifestGenerator"]
        return generated_tasks(
            self._aws.client("s3", region_name=self._job.scope.region), generator, request["RoleArn"]
        )

    def _await_confirmation(self) -> None:
        if self._job.request["ConfirmationRequired"]:
            self._job.move_to("Suspended")
            with self._job.changed:
                self._job.changed.wait_for(lambda: self._job.status != "Suspended" or self._stopping.is_set())
        self._check_running()

    def _run_tasks(self, tasks: Sequence[Task], *, is_last: bool) -> Sequence[Task]:
        """Run tasks, and return those to repeat."""
        again = []
        with ThreadPoolExecutor(CONCURRENCY) as pool:
            for task, result in zip(tasks, pool.map(self._run_task, tasks), strict=True):
                if result is None:
                    continue
                if result.is_temporary and not is_last:
                    again.append(task)
                else:
                    self._record(task, result)
        self._check_running()
        return again

    def _run_task(self, task: Task) -> Result | None:
        """Perform the operation for one object; return None if the job starts no more tasks."""
        if self._is_ending():
            return None
        operation, scope, role = self._job.request["Operation"], self._job.scope, self._job.request["RoleArn"]
        if "S3ComputeObjectChecksum" in operation:
            return checksum_of(task, operation["S3ComputeObjectChecksum"], scope, role)
        return self._invoke(task, operation["LambdaInvoke"])

    def _invoke(self, task: Task, operation: Mapping[str, Any]) -> Result:
        """Invoke the function for one object."""
        arn, scope = operation["FunctionArn"], self._job.scope
        if not permits(self._job.request["RoleArn"], "lambda:InvokeFunction", arn):
            return Result("PermanentFailure", f"The role does not permit lambda:InvokeFunction on {arn}.", 403)
        try:
            function = lambda_backends[scope.account_id][scope.region].get_function(arn)
        except UnknownFunctionException:
            return Result("PermanentFailure", f"Function not found: {arn}", 404)
        event = event_of(task, self._job.id, operation, scope.partition)
        answer = self._aws.lambda_invoker(function, json.dumps(event).encode(), "RequestResponse")
        return result_of(task, *answer)

    def _record(self, task: Task, result: Result) -> None:
        self._done.append((task, result))
        if result.code == "Succeeded":
            self._job.progress.succeeded += 1
        else:
            self._job.progress.failed += 1

    def _is_ending(self) -> bool:
        return self._stopping.is_set() or self._job.is_cancelled or self._is_failing()

    def _is_failing(self) -> bool:
        return THRESHOLD_TASKS <= len(self._done) < self._job.progress.failed * 2

    def _check_running(self) -> None:
        """Raise the error of a job that starts no more tasks."""
        if self._stopping.is_set() or self._job.is_cancelled:
            raise JobStopped
        if self._is_failing():
            raise JobFailed("FailureThresholdExceeded", "More than 50% of the tasks failed.")

    def _report(self) -> None:
        """Write the report if the request asks for one."""
        report = self._job.request["Report"]
        if not report["Enabled"]:
            return
        try:
            write_report(self._s3(), self._job.id, report, self._done)
        except ClientError as error:
            raise JobFailed("ReportNotWritten", str(error)) from error

    def _s3(self) -> Any:
        return self._aws.client("s3", **{**self._credentials, "region_name": self._job.scope.region})
