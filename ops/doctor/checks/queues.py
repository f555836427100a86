"""Checks of the queues and tables."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ops.doctor.checkup import Check
from ops.doctor.commands import apply, aws
from ops.doctor.facts import Facts
from ops.doctor.findings import Result, check_that, problem, warning
from ops.doctor.subjects import Queue, Table, name_of, queues, tables

# AWS's advice, so that a throttled invocation ends before its messages return (Lambda Developer Guide, "Using Lambda
# with Amazon SQS").
TIMEOUTS = 6
MISSING_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"


def exists(facts: Facts, queue: Queue) -> Iterator[Result]:
    """Check that a queue and its dead-letter queue exist."""
    for url, resource in ((queue.work.url, "this"), (queue.work.dead_letters, "dead_letters")):
        found = facts.read("sqs", "get_queue_attributes", MISSING_QUEUE, QueueUrl=url, AttributeNames=["All"])
        missing = problem(f"the queue {name_of(url)} does not exist", apply(f"{queue.module}.aws_sqs_queue.{resource}"))
        yield check_that(bool(found), f"the queue {name_of(url)} exists", missing)


def redrive(facts: Facts, queue: Queue) -> Iterator[Result]:
    """Check that messages that fail too often become dead letters."""
    found = json.loads(facts.queue(queue.work.url).get("RedrivePolicy") or "null") or {}
    target, wanted = found.get("deadLetterTargetArn"), facts.arn_of_queue(queue.work.dead_letters)
    receives = found.get("maxReceiveCount")
    command = apply(f"{queue.module}.aws_sqs_queue_redrive_policy.this")
    other = problem(f"its dead letters go to {target or 'no queue'}, not to {wanted}", command)
    yield check_that(target == wanted, f"after {receives} receives a message goes to {wanted}", other)


def visibility(facts: Facts, queue: Queue) -> Iterator[Result]:
    """Compare the visibility time-out of a queue with the time-out of its function."""
    seconds = int(facts.queue(queue.work.url)["VisibilityTimeout"])
    timeout = facts.configuration(queue.work.function)["Timeout"]
    text = f"its visibility time-out is {seconds} s, and its function runs up to {timeout} s"
    command = aws(
        *("sqs", "set-queue-attributes"),
        queue_url=queue.work.url,
        attributes={"VisibilityTimeout": str(TIMEOUTS * timeout)},
        region=facts.region,
    )
    short = warning(f"{text}: a message may return while its work goes on", command)
    early = problem(f"{text}: Lambda refuses such a queue, and messages return while their work goes on", command)
    yield check_that(seconds >= TIMEOUTS * timeout, text, short if seconds >= timeout else early)


def throughput(facts: Facts, queue: Queue) -> Iterator[Result]:
    """Check that a FIFO queue has its limits for each message group."""
    attributes = facts.queue(queue.work.url)
    if not queue.work.url.endswith(".fifo"):
        return
    wanted = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    command = aws(*("sqs", "set-queue-attributes"), queue_url=queue.work.url, attributes=wanted, region=facts.region)
    low = warning("its limits are for the whole queue: 300 calls of each kind a second", command)
    fits = wanted.items() <= attributes.items()
    yield check_that(fits, "it has high throughput: its limits are for each message group", low)


def table(facts: Facts, subject: Table) -> Iterator[Result]:
    """Check that a table can be used."""
    missing = "ResourceNotFoundException"
    found = facts.read("dynamodb", "describe_table", missing, TableName=subject.label)
    status = found.get("Table", {}).get("TableStatus", "missing")
    # A table is read and written while it is updated.
    usable = status in ("ACTIVE", "UPDATING")
    yield check_that(usable, f"its status is {status}", problem(f"its status is {status}", apply(subject.address)))


def expiry(facts: Facts, subject: Table) -> Iterator[Result]:
    """Check that expired items of a table go, and that the table can be restored."""
    if not facts.read("dynamodb", "describe_table", "ResourceNotFoundException", TableName=subject.label):
        return
    found = facts.read("dynamodb", "describe_time_to_live", TableName=subject.label)["TimeToLiveDescription"]
    on = found["TimeToLiveStatus"] in ("ENABLED", "ENABLING") and found.get("AttributeName") == subject.expiry
    specification = f"Enabled=true,AttributeName={subject.expiry}"
    command = aws(
        *("dynamodb", "update-time-to-live"),
        table_name=subject.label,
        time_to_live_specification=specification,
        region=facts.region,
    )
    off = warning(f"its time to live is {found['TimeToLiveStatus']}: the table only grows", command)
    yield check_that(on, f"its items expire by {subject.expiry}", off)


def backups(facts: Facts, subject: Table) -> Iterator[Result]:
    """Check that a table can be restored."""
    missing = "TableNotFoundException"
    found = facts.read("dynamodb", "describe_continuous_backups", missing, TableName=subject.label)
    if not found:
        return
    about = found["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    command = aws(
        *("dynamodb", "update-continuous-backups"),
        table_name=subject.label,
        point_in_time_recovery_specification="PointInTimeRecoveryEnabled=true",
        region=facts.region,
    )
    off = warning("its point-in-time recovery is off", command)
    on = about.get("PointInTimeRecoveryStatus") == "ENABLED"
    yield check_that(on, "its point-in-time recovery is on", off)


CHECKS = (
    Check("queue", "whether the queue and its dead-letter queue exist", queues, exists),
    Check("redrive", "whether the queue's redrive policy names its dead-letter queue", queues, redrive),
    Check(
        "visibility", "whether the visibility time-out is at least six time-outs of the function", queues, visibility
    ),
    Check("throughput", "whether a FIFO queue has high throughput", queues, throughput),
    Check("table", "whether the table is active", tables, table),
    Check("time to live", "whether the table's items expire", tables, expiry),
    Check("recovery", "whether the table has point-in-time recovery", tables, backups),
)
