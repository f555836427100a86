"""What is charged for a workload."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ops.estimating.prices import Prices
from ops.estimating.ranges import Range
from ops.estimating.requests import Requests, requests_of
from ops.estimating.speeds import ENQUEUE_SECONDS, Speed
from ops.estimating.workload import ENQUEUE_GIGABYTES, MIRROR, Workload

GB = 1e9
# S3's own unit for sizes at rest (the page of its prices).
GIBIBYTE = 2**30
MILLION = 1e6
# The function's line, and START, END and REPORT of Lambda. Assumed.
LOG_BYTES = Range(1_000, 2_500)


@dataclass(frozen=True)
class Charge:
    """A line of the bill.

    Attributes:
        service: the service.
        of: what is charged.
        quantity: how much of it.
        dollars: what it costs.
    """

    service: str
    of: str
    quantity: Range
    dollars: Range


@dataclass(frozen=True)
class Bill:
    """The charges for a number of objects.

    Args:
        workload: what is handled.
        speed: of one function instance.
        prices: the price table.
        objects: how many objects.
        full_batches: whether a queue always holds messages, so that a function gets ten of them at a time.
    """

    workload: Workload
    speed: Speed
    prices: Prices
    objects: int
    full_batches: bool

    def charges(self) -> list[Charge]:
        """Return the charges, the largest first."""
        found = [*self._s3(), *self._queues(), *self._functions(), *self._table(), self._logs(), *self._others()]
        return sorted(found, key=lambda charge: -charge.dollars.high)

    @property
    def _requests(self) -> Requests:
        return requests_of(self.workload)

    @property
    def _calls(self) -> Range:
        """Receives, deletes and invocations for each message."""
        return Range(0.1, 0.2 if self.full_batches else 1)

    @property
    def _continuations(self) -> Range:
        """Further messages for an object of the mirror that takes more than one invocation."""
        turns = self.speed.single * (1 / self.workload.function.timeout)
        return Range(max(0, turns.low - 1), max(0, turns.high - 1)) if self.workload.task == MIRROR else Range.of(0)

    def _charge(self, service: str, of: str, each: Range, price: float) -> Charge:
        quantity = each * self.objects
        return Charge(service, of, quantity, quantity * price)

    def _s3(self) -> Iterator[Charge]:
        requests, prices = self._requests, self.prices
        writes = Range.of(requests.writes + requests.source_lists)
        yield self._charge("S3", "PUT, COPY, POST, LIST", writes, prices.of("s3", "writes_per_1000") / 1000)
        if requests.source_reads:
            reads = Range.of(requests.source_reads)
            yield self._charge("S3", "GET, HEAD", reads, prices.of("s3", "reads_per_1000") / 1000)

    def _queues(self) -> Iterator[Charge]:
        kind = "fifo" if self.workload.task == MIRROR else "standard"
        # Sent by one request; received and deleted with others.
        each = Range.of(1) + self._calls * 2 + self._continuations * 3
        yield self._charge("SQS", f"requests, {kind}", each, self.prices.of("sqs", f"{kind}_per_million") / MILLION)

    def _functions(self) -> Iterator[Charge]:
        function, mirror = self.workload.function, self.workload.task == MIRROR
        full = self.speed.objects.under(1)
        seconds = full if self.full_batches else Range(full.low, max(full.high, self.speed.single.high))
        gigabytes = seconds * function.gigabytes
        calls = self._calls + self._continuations
        if mirror:
            gigabytes += ENQUEUE_SECONDS * ENQUEUE_GIGABYTES
            calls += Range.of(1)
        yield self._charge("Lambda", "requests", calls, self.prices.of("lambda", "requests_per_million") / MILLION)
        yield self._charge("Lambda", "GB-seconds", gigabytes, self.prices.gb_second(function.architecture))

    def _table(self) -> Iterator[Charge]:
        requests = self._requests
        for kind, units in (("write", requests.write_units), ("read", requests.read_units)):
            if units:
                price = self.prices.of("dynamodb", f"{kind}_units_per_million") / MILLION
                yield self._charge("DynamoDB", f"{kind} units", Range.of(units), price)

    def _logs(self) -> Charge:
        return self._charge("CloudWatch", "GB of logs", LOG_BYTES * (1 / GB), self.prices.of("logs", "gb"))

    def _others(self) -> Iterator[Charge]:
        if self.workload.task == MIRROR:
            gigabytes = self.objects * self.workload.size / GB
            dollars = self.prices.egress(gigabytes)
            yield Charge("Internet egress", "GB", Range.of(gigabytes), Range.of(dollars))
        if self.workload.kms:
            yield self._charge("KMS", "requests", Range.of(2), self.prices.of("kms", "requests_per_10000") / 10_000)


def batch_job(prices: Prices, objects: int) -> Charge:
    """Return the charge of S3 Batch Operations for a backfill."""
    dollars = prices.of("s3", "batch_job") + objects / MILLION * prices.of("s3", "batch_objects_per_million")
    return Charge("S3", "Batch Operations", Range.of(objects), Range.of(dollars))


def checksum_job(prices: Prices, objects: int, size: int) -> float:
    """Return the dollars of a job that computes the checksums of objects with some bytes in all.

    S3 charges the generated manifest by the objects of the whole bucket; here it is charged by those of the job.
    """
    each = prices.of("s3", "batch_objects_per_million") + prices.of("s3", "batch_manifest_per_million")
    dollars = prices.of("s3", "batch_job") + objects / MILLION * each
    return dollars + size / GIBIBYTE * prices.of("s3", "checksum_gb")
