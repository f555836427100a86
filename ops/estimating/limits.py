"""What bounds the rate of a workload, and what raises the bound; and what makes it impossible."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ops.estimating.ranges import Range
from ops.estimating.requests import parts_of, requests_of
from ops.estimating.speeds import ENQUEUE_SECONDS, Speed
from ops.estimating.units import duration, length
from ops.estimating.workload import ARCHIVE_COPY, MIRROR, UPLOAD_VALIDATE, Workload
from tasks.object_clerk.parts import MAX_OBJECT, MAX_PARTS, MIB

# S3 User Guide, "Best practices design patterns: optimizing Amazon S3 performance": requests a second and prefix.
S3_READS, S3_WRITES = 5_500, 3_500
# DynamoDB Developer Guide, "Understanding DynamoDB warm throughput in different scenarios": a new on-demand table.
WRITE_UNITS, READ_UNITS = 4_000, 12_000
# Lambda Developer Guide, "Lambda quotas": concurrent executions of an account and region.
LAMBDA_CONCURRENCY = 1_000
# Lambda hands a function at most ten messages of a FIFO queue at once.
BATCH = 10
# SQS Developer Guide, "Amazon SQS message quotas": requests of one kind a second of a high-throughput FIFO queue,
# without batches. `enqueue` sends one message with each.
FIFO_REQUESTS = {
    **dict.fromkeys(("us-east-1", "us-west-2", "eu-west-1"), 70_000),
    **dict.fromkeys(("us-east-2", "eu-central-1"), 19_000),
    **dict.fromkeys(("ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1"), 9_000),
    **dict.fromkeys(("eu-west-2", "sa-east-1"), 4_500),
}
FIFO_ELSEWHERE = 2_400
# EventBridge User Guide, "Amazon EventBridge quotas": invocations of targets a second. More events wait.
EVENTS = {
    **dict.fromkeys(("us-east-1", "us-west-2", "eu-west-1"), 18_750),
    **dict.fromkeys(("us-east-2", "eu-central-1"), 4_500),
    **dict.fromkeys(("us-west-1", "ap-northeast-1", "ap-southeast-1", "ap-southeast-2", "eu-west-2"), 2_250),
    **dict.fromkeys(("af-south-1", "ap-northeast-3", "ap-southeast-3", "eu-south-1"), 750),
}
EVENTS_ELSEWHERE = 1_100


@dataclass(frozen=True)
class Limit:
    """A bound of the rate.

    Attributes:
        name: what bounds it.
        rate: objects a second.
        change: what raises it.
    """

    name: str
    rate: Range
    change: str


def limits_of(workload: Workload, speed: Speed, *, objects: int | None, from_events: bool) -> list[Limit]:
    """Return the limits of a workload, the first one to be met first.

    Args:
        workload: what is handled.
        speed: of one function instance.
        objects: how many there are at once, or None for a steady flow.
        from_events: whether events bring them, and no backfill.
    """
    found = [*_functions(workload, speed, objects), *_s3(workload)]
    if workload.task == MIRROR:
        found += _mirror(workload, from_events=from_events)
    return sorted(found, key=lambda limit: (limit.rate.low, limit.rate.high))


def _functions(workload: Workload, speed: Speed, objects: int | None) -> Iterator[Limit]:
    function = workload.function
    busy = _instances(function.concurrency, objects)
    few = objects is not None and busy.low < function.concurrency
    more = (
        "the largest object decides: none of these can be split over functions"
        if few
        else f"raise {workload.task}_maximum_concurrency, which is {function.concurrency}"
    )
    yield Limit(f"{function.concurrency} function instances", _times(speed.objects, busy), more)
    account = _instances(LAMBDA_CONCURRENCY, objects)
    quota = f"ask AWS for more than {LAMBDA_CONCURRENCY:,} concurrent executions"
    yield Limit("Lambda concurrency of the account", _times(speed.objects, account), quota)


def _instances(most: int, objects: int | None) -> Range:
    """Return how many instances can work at once: full batches leave some without a message."""
    if objects is None:
        return Range.of(most)
    return Range(min(most, math.ceil(objects / BATCH)), min(most, objects))


def _times(rate: Range, instances: Range) -> Range:
    return Range(rate.low * instances.low, rate.high * instances.high)


def _s3(workload: Workload) -> Iterator[Limit]:
    requests, prefixes = requests_of(workload), workload.prefixes
    spread = "spread the keys over more prefixes (--prefixes), or wait until S3 has split the prefix"
    if requests.source_reads:
        yield Limit("S3 reads a prefix, source", Range.of(S3_READS * prefixes / requests.source_reads), spread)
    if requests.source_lists:
        yield Limit("S3 lists of the source", Range.of(S3_READS * prefixes / requests.source_lists), spread)
    yield Limit("S3 writes a prefix, destination", Range.of(S3_WRITES * prefixes / requests.writes), spread)


def _mirror(workload: Workload, *, from_events: bool) -> Iterator[Limit]:
    requests, region = requests_of(workload), workload.region
    warm = "raise the warm throughput of the table; it also grows with use"
    yield Limit("DynamoDB writes of a new table", Range.of(WRITE_UNITS / requests.write_units), warm)
    yield Limit("DynamoDB reads of a new table", Range.of(READ_UNITS / requests.read_units), warm)
    more = "ask AWS for a higher quota"
    yield Limit(f"FIFO messages sent, {region}", Range.of(FIFO_REQUESTS.get(region, FIFO_ELSEWHERE)), more)
    if from_events:
        yield Limit(f"EventBridge invocations, {region}", Range.of(EVENTS.get(region, EVENTS_ELSEWHERE)), more)
    yield Limit("Lambda concurrency for enqueue", ENQUEUE_SECONDS.under(LAMBDA_CONCURRENCY), more)


def impossible(workload: Workload, speed: Speed) -> Iterator[str]:
    """Yield why an object of this size cannot be handled with these settings."""
    if workload.size > MAX_OBJECT:
        yield f"S3 stores at most {length(MAX_OBJECT)} in one object"
    elif workload.task == MIRROR:
        yield from _too_large_for_memory(workload)
    elif workload.task == ARCHIVE_COPY and speed.single.low > workload.function.timeout:
        yield (
            f"the copy takes about {duration(speed.single)}, and an invocation {workload.function.timeout} seconds:"
            " archive_copy cannot copy such an object; archive_copy_timeout_seconds is 900 at most"
        )
    elif workload.task == UPLOAD_VALIDATE and workload.size > 150_000_000:
        yield "the profile polling-stations refuses files of more than 150 MB: upload smaller files, or change `size`"


def _too_large_for_memory(workload: Workload) -> Iterator[str]:
    most = MAX_PARTS * workload.transfer_memory_mb * MIB
    if workload.size > most:
        needed = 2 * math.ceil(workload.size / MAX_PARTS / MIB)
        yield (
            f"the largest object is {length(most)}, 10,000 times TRANSFER_MEMORY_MB ({workload.transfer_memory_mb}):"
            f" raise partition_replicate_memory_mb to {needed}, of which TRANSFER_MEMORY_MB is half"
        )


def risks(workload: Workload, speed: Speed) -> Iterator[str]:
    """Yield what may go wrong with an object of this size, although it is possible."""
    timeout = workload.function.timeout
    if workload.task == ARCHIVE_COPY and speed.single.low <= timeout < speed.single.high:
        yield f"a copy takes {duration(speed.single)}, and may not end within the time-out of {timeout} seconds"
    if workload.task == MIRROR and speed.single.high > timeout:
        yield (
            f"an object takes {duration(speed.single)}, more than one invocation ({timeout} s): the next message"
            " continues it, and no part is sent twice"
        )
    if workload.task == MIRROR and parts_of(workload) > 1 and _parts_in_memory(workload) < 4:
        yield f"TRANSFER_MEMORY_MB holds {_parts_in_memory(workload)} parts of such an object: more memory is faster"


def _parts_in_memory(workload: Workload) -> int:
    part = math.ceil(workload.size / parts_of(workload))
    return workload.transfer_memory_mb * MIB // part
