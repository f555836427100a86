"""`brigade estimate`: time, requests, dollars and the first limit of a workload, without a request to AWS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ops.brigade import Brigade
from ops.cli import BrigadeCommand
from ops.errors import ExitStatus, OpsError
from ops.estimating.estimate import DAY, DAYS, Estimate, Estimator
from ops.estimating.prices import OWN, Prices
from ops.estimating.settings import workload_of
from ops.estimating.speeds import speed_of
from ops.estimating.units import amount, between, count, dollars, duration, length, rounded, size
from ops.estimating.workload import DEFAULTS, MIRROR, Workload
from ops.screen import Screen


@click.command(cls=BrigadeCommand)
@click.option("--objects", help="How many objects are brought once, such as 1000000 or 1B.")
@click.option("--bytes", "total", help="Bytes of all these objects, such as 1PB.")
@click.option("--object-size", help="Bytes of each object instead, such as 64KiB or 1TB.")
@click.option("--events-per-day", help="New objects a day, for the costs of a month.")
@click.option("--task", type=click.Choice(sorted(DEFAULTS)), default=MIRROR, show_default=True)
@click.option("--versions", type=click.Choice(["current", "all"]), help="What the mirror keeps.  [default: current]")
@click.option("--part-size", help="Parts in which the sources of archive_copy were uploaded.  [default: 128MiB]")
@click.option("--prefixes", type=click.IntRange(1), default=1, help="S3 prefixes over which the keys are spread.")
@click.option("--kms", is_flag=True, help="Keys of yours encrypt both sides, without bucket keys.")
@click.option("--objects-per-second", type=click.FloatRange(0, min_open=True), help="Measured, of one instance.")
@click.option("--mb-per-second", type=click.FloatRange(0, min_open=True), help="Measured, of one instance.")
@click.option("--prices", type=click.Path(path_type=Path), help="Price table instead of ops/prices.toml.")
def command(brigade: Brigade, **options: Any) -> int:
    """Estimate time, requests, dollars and the first limit that is met.

    Needs no AWS account: it takes Terraform's defaults, or the settings of the deployment that --outputs, --terraform
    or --deployment names. Exit status: 0 possible, 1 impossible with these settings, 2 wrong options.
    """
    objects, events = (_count(options, name) for name in ("objects", "events_per_day"))
    if not objects and not events:
        raise OpsError("nothing is to be estimated: pass --objects, --events-per-day or both")
    workload = workload_of(brigade, _object_size(options, objects), options)
    speed = speed_of(workload, options["objects_per_second"], options["mb_per_second"])
    estimator = Estimator(workload, speed, Prices.read(options["prices"] or OWN))
    return _show(brigade.screen, estimator, objects, events)


def _count(options: dict[str, Any], name: str) -> int | None:
    return count(options[name], f"--{name.replace('_', '-')}") if options[name] else None


def _object_size(options: dict[str, Any], objects: int | None) -> int:
    total, single = options["total"], options["object_size"]
    if bool(total) == bool(single):
        raise OpsError("the size is open: pass either --bytes, of all objects, or --object-size, of each")
    if single:
        return size(single, "--object-size")
    if not objects:
        raise OpsError("--bytes is the size of all --objects: pass these too, or --object-size")
    return max(1, round(size(total, "--bytes") / objects))


def _show(screen: Screen, estimator: Estimator, objects: int | None, events: int | None) -> int:
    once = estimator.once(objects) if objects and not estimator.impossible else None
    month = estimator.month(events) if events and not estimator.impossible else None
    screen.record(
        {
            "task": estimator.workload.task,
            "object_size": estimator.workload.size,
            "prices": {"region": estimator.prices.region, "date": estimator.prices.date},
            "impossible": estimator.impossible,
            "remarks": estimator.remarks(once),
            "once": once and once.as_record(),
            "month": month and month.as_record(),
        }
    )
    _show_once(screen, estimator.workload, once)
    _show_month(screen, estimator.workload, month)
    _show_remarks(screen, estimator, once)
    return ExitStatus.DIFFERENT if estimator.impossible else ExitStatus.DONE


def _show_once(screen: Screen, workload: Workload, once: Estimate | None) -> None:
    if not once or not once.seconds:
        return
    what = f"{once.objects:,} objects of {length(workload.size)}, {length(once.objects * workload.size)} in all"
    screen.say(f"{workload.task}: {what}", "bold")
    screen.say(f"time   {duration(once.seconds)}")
    screen.say(f"cost   {dollars(once.dollars)}")
    screen.say(f"limit  {once.limits[0].name}: {once.limits[0].change}")
    _tables(screen, once)


def _show_month(screen: Screen, workload: Workload, month: Estimate | None) -> None:
    if not month:
        return
    a_day = month.objects // DAYS
    what = f"{a_day:,} new objects of {length(workload.size)} a day, {rounded(a_day / DAY)} a second"
    screen.say(f"{workload.task}: {what}", "bold")
    screen.say(f"cost   {dollars(month.dollars)} a month")
    first = month.limits[0]
    screen.say(f"limit  {first.name}, of which {between(month.used * 100)} % is used: {first.change}")
    _tables(screen, month)


def _tables(screen: Screen, estimate: Estimate) -> None:
    screen.say("")
    rates = [(each.name, between(each.rate)) for each in estimate.limits]
    screen.table({"limit": "left", "objects a second": "right"}, rates)
    screen.say("")
    charges = [(each.service, each.of, amount(each.quantity), dollars(each.dollars)) for each in estimate.charges]
    screen.table({"service": "left", "charged": "left", "quantity": "right", "cost": "right"}, charges)
    screen.say("")


def _show_remarks(screen: Screen, estimator: Estimator, once: Estimate | None) -> None:
    for reason in estimator.impossible:
        screen.say(f"impossible: {reason}", "bold red")
    for remark in estimator.remarks(once):
        screen.say(f"- {remark}")
    prices = estimator.prices
    screen.say(f"- prices of {prices.region}, {prices.date}; storage, alarms and metrics are not counted")
