"""Settings of the patches: injected errors, what runs invocations and builds, the duration of a restore."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from local.faults import Faults
from local.patches.clock import Clock
from local.permissions import DecisionListener, ignore_decision

LambdaInvoker = Callable[[Any, bytes, str], tuple[int, dict[str, str], bytes]]
JobStarter = Callable[[Any], None]
ScheduleStarter = Callable[[Any], None]
BuildStarter = Callable[[Mapping[str, Any], dict[str, Any], Mapping[str, str]], None]

# Long enough for a caller to observe the ongoing restore, short enough to wait for in a test.
RESTORE_SECONDS = 0.2


def refuse_invocation(_function: Any, _payload: bytes, _invocation_type: str) -> tuple[int, dict[str, str], bytes]:
    """Refuse an invocation: the default until a Lambda service is running."""
    body = {"Type": "Service", "Message": "No Lambda service is running."}
    return 503, {"x-amzn-ErrorType": "ServiceException"}, json.dumps(body).encode()


def refuse_build(_project: Mapping[str, Any], record: dict[str, Any], _variables: Mapping[str, str]) -> None:
    """Refuse a build: the default until a build service is running."""
    record.update(buildStatus="FAULT", buildComplete=True)


def keep_schedule(_schedule: Any) -> None:
    """Only store a schedule: the default until a scheduler is running."""


def refuse_job(job: Any) -> None:
    """Refuse a job of S3 Batch Operations: the default until a batch service is running."""
    reason = {"FailureCode": "InternalError", "FailureReason": "No batch service is running."}
    job.details["FailureReasons"] = [reason]
    job.end("Failed")


class Hooks:  # pylint: disable=too-many-instance-attributes  # one for each setting
    """The settings of the patches while they are applied.

    Attributes:
        faults: Errors to inject into S3 and DynamoDB.
        lambda_invoker: Runs functions. It gets the function (`moto.awslambda.models.LambdaFunction`), the payload and
            `RequestResponse` or `Event`, and returns status, headers and body. For `Event` it returns at once.
        build_starter: Starts builds. It gets the project and the build, both as the API returns them, and the variables
            of the request. It returns at once, and replaces values of the build later.
        job_starter: Starts jobs of S3 Batch Operations. It gets the job (`s3_jobs.Job`), returns at once, and changes
            the job later.
        schedule_starter: Starts schedules. It gets the schedule (`moto.scheduler.models.Schedule`) and returns at once.
        restore_seconds: Duration of a restore; None means until `clock.run_all()`.
        event_bridge_seconds: Delay between enabling EventBridge on a bucket and its first event, about 300 on AWS;
            None means until `clock.run_all()`.
        on_decision: Called with each decision on a permission, in the thread of its request.
        metric_seconds: The resolution of metrics, 60 as in CloudWatch.
        clock: Scheduled calls, such as the end of a restore.
        closed: Whether long polls return at once.
    """

    faults: Faults
    lambda_invoker: LambdaInvoker
    build_starter: BuildStarter
    job_starter: JobStarter
    schedule_starter: ScheduleStarter
    restore_seconds: float | None
    event_bridge_seconds: float | None
    on_decision: DecisionListener
    metric_seconds: int
    clock: Clock
    closed: bool

    def __init__(self) -> None:
        self.clock = Clock()
        self.reset()

    def reset(self) -> None:
        """Restore the defaults and drop all scheduled calls."""
        self.clock.stop()
        self.faults = Faults()
        self.lambda_invoker = refuse_invocation
        self.build_starter = refuse_build
        self.job_starter = refuse_job
        self.schedule_starter = keep_schedule
        self.restore_seconds = RESTORE_SECONDS
        self.event_bridge_seconds = 0
        self.on_decision = ignore_decision
        self.metric_seconds = 60
        self.clock = Clock()
        self.closed = False

    def close(self) -> None:
        """Drop all scheduled calls and end all long polls."""
        self.closed = True
        self.clock.stop()


HOOKS = Hooks()
