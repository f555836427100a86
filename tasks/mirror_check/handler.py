"""The Lambda function that compares both sides of a mirror on a schedule, and repairs what differs if it may.

EventBridge Scheduler sends the first message of a run to the function's own FIFO queue. The function checks keys until
half of its time is over, and sends the rest of the run to that queue as the next message.

Environment: see `settings.Settings`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

# Before all other modules of ours: docs/performance.md says why botocore is imported at a shallow depth.
from tasks.object_clerk.transport import clients

# isort: split

from tasks.mirror_check.deliveries import Worker, check_messages
from tasks.mirror_check.listings import keep_xml
from tasks.mirror_check.outcome_log import OutcomeLog
from tasks.mirror_check.reconcile import WORKERS
from tasks.mirror_check.records import Records
from tasks.mirror_check.settings import Settings
from tasks.object_clerk.bucket_owners import expect_owners, owner_of
from tasks.object_clerk.s3_requests import client_config
from tasks.object_clerk.versions import in_order
from tasks.utils.batches import has_messages
from tasks.utils.deadline import Deadline
from tasks.utils.errors import EventError
from tasks.utils.mirror_credentials import Credentials, destination_of
from tasks.utils.telemetry import Telemetry

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

# Each range lists both sides, and its objects are observed besides.
CONNECTIONS = 4 * WORKERS


@dataclass(frozen=True)
class Container(Worker):
    """What a container makes once."""

    telemetry: Telemetry


@cache
def worker() -> Container:
    """Return what the function needs, made at its first invocation."""
    settings = Settings.read(os.environ)
    place = settings.destination
    return Container(
        settings=settings,
        source=_s3(settings.bucket_owners),
        destination=destination_of(
            place,
            owner=owner_of(place.owners(settings.bucket_owners), place.bucket),
            client=clients.client,
            make_s3=partial(_destination_client, settings),
        ),
        records=Records(clients.dynamodb(direct=False), settings.mirror.objects_table),
        sqs=sqs,
        pool=ThreadPoolExecutor(2 * WORKERS),
        telemetry=Telemetry.set_up("mirror_check", settings.telemetry),
    )


@cache
def sqs() -> SQSClient:
    """Return the container's SQS client."""
    client: SQSClient = clients.client("sqs")
    return client


def _s3(owners: Mapping[str, str], *, of_store: Mapping[str, Any] | None = None, **options: Any) -> S3Client:
    config = client_config(max_pool_connections=CONNECTIONS, **(of_store or {}))
    client = clients.s3(direct=False, config=config, **options)
    expect_owners(client, owners)
    ordered: S3Client = in_order(keep_xml(client))
    return ordered


def _destination_client(settings: Settings, credentials: Credentials) -> S3Client:
    place = settings.destination
    return _s3(
        place.owners(settings.bucket_owners),
        of_store=place.client_options,
        region_name=place.region,
        endpoint_url=place.endpoint_url or None,
        **credentials.options,
    )


def check(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Check the part of a run that a message names, and send the rest to the function's queue.

    Args:
        event: a batch of the function's FIFO queue.
        context: Lambda's context; None for a call by hand.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": messageId}]}`.

    Raises:
        EventError: it is no batch of a queue.
        SettingsError: the environment is incomplete or wrong.
    """
    here = worker()
    deadline = Deadline.of_lambda(context)
    with here.telemetry.invocation(context) as count:
        if not has_messages(event):
            raise EventError("check takes messages of its own queue, nothing else")
        return check_messages(here, event, deadline, OutcomeLog(here.telemetry.logger, count))
