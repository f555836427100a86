"""EventBridge Scheduler: it sends the messages of schedules to queues, with the permissions of their roles.

Sources: EventBridge Scheduler User Guide, "Schedule types in EventBridge Scheduler" (a rate without a start date begins
at once) and "Adding context attributes in EventBridge Scheduler"; API Reference, SqsParameters.
"""

import logging
import re
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.exceptions import ClientError
from moto.scheduler.models import Schedule, scheduler_backends

from local.embedded_aws import EmbeddedAws
from local.lambda_service.errors import Refused
from local.lambda_service.roles import assume

logger = logging.getLogger(__name__)

RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
SECONDS = {"minute": 60, "hour": 3600, "day": 24 * 3600}

# The keyword that stands for the time of an invocation in the input of a target.
TIME = "<aws.scheduler.scheduled-time>"


class Scheduler:
    """A context manager that runs the schedules with a rate and a queue as their target.

    It does not retry: a message that is refused is a line in the log.

    Args:
        aws: The embedded AWS, started.
    """

    def __init__(self, aws: EmbeddedAws):
        self._aws = aws

    def __enter__(self) -> "Scheduler":
        self._aws.hooks.schedule_starter = self._start
        return self

    def __exit__(self, *_: object) -> None:
        self._aws.hooks.schedule_starter = lambda schedule: None

    def send(self, name: str, *, group: str = "default") -> None:
        """Send the message of a schedule now, as at its next interval."""
        backend = scheduler_backends[self._aws.account_id][self._aws.region]
        self._send(backend.get_schedule(group, name))

    def _start(self, schedule: Schedule) -> None:
        if rate := RATE.fullmatch(schedule.schedule_expression):
            seconds = int(rate[1]) * SECONDS[rate[2]]
            self._aws.hooks.clock.call_later(0, partial(self._repeat, schedule, seconds))

    def _repeat(self, schedule: Schedule, seconds: int) -> None:
        self._aws.hooks.clock.call_later(seconds, partial(self._repeat, schedule, seconds))
        if schedule.state == "ENABLED":
            self._send(schedule)

    def _send(self, schedule: Schedule) -> None:
        target = schedule.target
        *_, region, account, queue = target["Arn"].split(":")
        parameters = {"MessageGroupId": target["SqsParameters"]["MessageGroupId"]} if "SqsParameters" in target else {}
        # With milliseconds, so that two messages in a second are two runs.
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = target["Input"].replace(TIME, now)
        try:
            credentials = assume(target["RoleArn"], session=schedule.name, region=region, service="Scheduler")
            client: Any = self._aws.client("sqs", **credentials, region_name=region)
            url = f"{self._aws.endpoint_url}/{account}/{queue}"
            client.send_message(QueueUrl=url, MessageBody=body, **parameters)
        except (ClientError, Refused) as error:
            logger.warning("the schedule %s cannot send its message: %s", schedule.name, error)
