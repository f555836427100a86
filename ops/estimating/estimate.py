"""The estimate of a workload: for objects that are brought once, and for a steady flow of events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.estimating.costs import Bill, Charge, batch_job
from ops.estimating.limits import Limit, impossible, limits_of, risks
from ops.estimating.prices import Prices
from ops.estimating.ranges import Range
from ops.estimating.speeds import Speed
from ops.estimating.units import duration, rounded
from ops.estimating.workload import MIRROR, Workload

DAY = 86_400
# What a month is here.
DAYS = 30
# A queue keeps messages for 14 days, the maximum of SQS.
RETENTION = 14 * DAY
# A FIFO queue looks for free groups among its first messages.
LOOK_AHEAD = 120_000


@dataclass(frozen=True)
class Estimate:
    """The estimate of a number of objects.

    Attributes:
        objects: how many, in all or in a month.
        limits: the bounds of the rate, the first one to be met first.
        charges: what is charged.
        seconds: how long it takes; None for a steady flow.
    """

    objects: int
    limits: tuple[Limit, ...]
    charges: tuple[Charge, ...]
    seconds: Range | None

    @property
    def dollars(self) -> Range:
        """The sum of the charges."""
        return sum((charge.dollars for charge in self.charges), Range.of(0))

    @property
    def used(self) -> Range:
        """The share of the first limit that a steady flow uses."""
        return self.limits[0].rate.under(self.objects / DAYS / DAY)

    def as_record(self) -> Mapping[str, Any]:
        """Return it for JSON."""
        return {
            "objects": self.objects,
            "seconds": self.seconds and _ends(self.seconds),
            "dollars": _ends(self.dollars),
            "limits": [{"name": each.name, "objects_a_second": _ends(each.rate)} for each in self.limits],
            "charges": [
                {
                    "service": each.service,
                    "of": each.of,
                    "quantity": _ends(each.quantity),
                    "dollars": _ends(each.dollars),
                }
                for each in self.charges
            ],
        }


@dataclass(frozen=True)
class Estimator:
    """Estimates one workload.

    Args:
        workload: what is handled.
        speed: of one function instance.
        prices: the price table.
    """

    workload: Workload
    speed: Speed
    prices: Prices

    @property
    def impossible(self) -> list[str]:
        """Why it cannot be done with these settings."""
        return list(impossible(self.workload, self.speed))

    def once(self, objects: int) -> Estimate:
        """Return the estimate of objects that are there already, or arrive at once."""
        limits = limits_of(self.workload, self.speed, objects=objects, from_events=False)
        rate = _slowest(limits)
        # The last object takes its own time.
        seconds = Range(
            max(objects / rate.high, self.speed.single.low), max(objects / rate.low, self.speed.single.high)
        )
        charges = Bill(self.workload, self.speed, self.prices, objects, full_batches=True).charges()
        job = [batch_job(self.prices, objects)] if self.workload.task == MIRROR else []
        return Estimate(objects, tuple(limits), (*charges, *job), seconds)

    def month(self, events_a_day: int) -> Estimate:
        """Return the estimate of a steady flow of new objects."""
        limits = limits_of(self.workload, self.speed, objects=None, from_events=True)
        objects = events_a_day * DAYS
        charges = Bill(self.workload, self.speed, self.prices, objects, full_batches=False).charges()
        return Estimate(objects, tuple(limits), tuple(charges), None)

    def remarks(self, once: Estimate | None) -> list[str]:
        """Return what a reader of the estimate should know."""
        found = [] if self.impossible else list(risks(self.workload, self.speed))
        if self.workload.task == MIRROR and once and once.seconds:
            found += _remarks_on_backfill(once.objects, once.seconds)
        return found


def _remarks_on_backfill(objects: int, seconds: Range) -> list[str]:
    found = []
    if objects > LOOK_AHEAD:
        found.append(
            f"more than {LOOK_AHEAD:,} messages wait, so the alarm partition-replicate-depth goes off; each key is a"
            " group of its own, so the work goes on"
        )
    if seconds.high > RETENTION:
        jobs = rounded(-(-seconds.high // (RETENTION / 2)))
        found.append(
            f"the last message waits for {duration(seconds)}, and SQS keeps it for 14 days: start {jobs} jobs, one"
            " after the other, or raise the first limit"
        )
    return found


def _slowest(limits: list[Limit]) -> Range:
    return Range(min(each.rate.low for each in limits), min(each.rate.high for each in limits))


def _ends(number: Range) -> list[float]:
    return [float(f"{end:.3g}") for end in (number.low, number.high)]
