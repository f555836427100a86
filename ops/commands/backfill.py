"""`brigade backfill`: pass existing objects to a task, by jobs of S3 Batch Operations."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.console import JustifyMethod

from ops.backfills import Backfills, Target, kind_of, request_of
from ops.batch_jobs import Job
from ops.batch_progress import counted, follow
from ops.batch_report import Reason, failures_in
from ops.brigade import Brigade
from ops.cli import BrigadeGroup
from ops.errors import ExitStatus, OpsError
from ops.interrupts import one_step
from ops.plurals import number_of

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

HEADINGS: dict[str, JustifyMethod] = {
    "job": "left",
    "status": "left",
    "done": "right",
    "failed": "right",
    "of": "right",
    "description": "left",
}

STATUS_OF_END = {"Cancelled": ExitStatus.FAILED, "Failed": ExitStatus.FAILED}


def _since(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    if age := re.fullmatch(r"([0-9]{1,4})([mhdw])", value):
        return datetime.now(UTC) - timedelta(**{UNITS[age[2]]: int(age[1])})
    try:
        time_given = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a date such as 2026-05-07 nor an age such as 2d") from None
    return time_given if time_given.tzinfo else time_given.replace(tzinfo=UTC)


@click.group("backfill", cls=BrigadeGroup)
def command() -> None:
    """Pass existing objects to archive_copy or partition_replicate.

    S3 Batch Operations lists the objects of the task's source bucket and invokes the task's function for each.
    """


@command.command("start")
@click.option("--task", help="archive_copy or partition_replicate.  [default: the one that is deployed]")
@click.option("--mirror", metavar="BUCKET", help="The mirror in this destination bucket.")
@click.option("--prefix", multiple=True, help="Only keys that begin with this; each prefix is a job of its own.")
@click.option("--since", callback=_since, metavar="TIME", help="Only objects created after a date (UTC) or in 2d, 12h.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option("--dry-run", is_flag=True, help="Show the request and the number of objects; start nothing.")
@click.option("--no-wait", is_flag=True, help="Return once the job is created.")
def start(brigade: Brigade, **options: Any) -> int:
    """Start a backfill, and show its progress until it is done."""
    target = _target(brigade, options["task"], options["mirror"])
    prefixes, since = outermost(options["prefix"]), options["since"]
    requests = [request_of(target, prefix, since) for prefix in prefixes]
    if options["dry_run"]:
        return _estimate(brigade, target, requests)
    where = " and ".join(f"s3://{target.source}/{prefix}" for prefix in prefixes)
    created = f" created after {since:%Y-%m-%d %H:%M} UTC" if since else ""
    brigade.screen.remark(f"{target.batch.function} gets every object of {where}{created}")
    if not options["yes"] and not brigade.screen.as_json:
        click.confirm("Start?", abort=True, err=True)
    return _run(brigade, requests, waits=not options["no_wait"])


@command.command("status")
@click.argument("job", required=False)
@click.option("--wait", is_flag=True, help="Show the progress of JOB until it is done.")
def status(brigade: Brigade, job: str | None, wait: bool) -> int:
    """List the backfills of the last 90 days, or sum up the backfill JOB."""
    jobs = _jobs(brigade)
    if job:
        found = [jobs.describe(job)]
        return _follow(brigade, jobs, found) if wait else _show(brigade, jobs, found)
    listed = list(jobs.all())
    rows = [(one.id, one.status, one.done, one.failed, _known(one.total), one.description) for one in listed]
    brigade.screen.table(HEADINGS, rows)
    for one in listed:
        brigade.screen.record(_record(one, []))
    return ExitStatus.DONE


@command.command("cancel")
@click.argument("job")
@click.option("--dry-run", is_flag=True, help="Only say what would be cancelled.")
def cancel(brigade: Brigade, job: str, dry_run: bool) -> int:
    """Cancel the backfill JOB; objects that are done stay done."""
    jobs = _jobs(brigade)
    found = jobs.describe(job)
    if not dry_run:
        jobs.cancel(job)
        found = jobs.describe(job)
    brigade.screen.say(f"{'would cancel' if dry_run else 'cancels'} {job} after {number_of(found.done, 'object')}")
    brigade.screen.record(_record(found, []))
    return ExitStatus.DONE


def outermost(prefixes: Sequence[str]) -> list[str]:
    """Return prefixes without those that another one includes; the prefix of all keys if there is none."""
    wanted = sorted(set(prefixes)) or [""]
    return [one for one in wanted if not any(one != other and one.startswith(other) for other in wanted)]


def _targets(brigade: Brigade) -> tuple[Target, ...]:
    return (*brigade.deployment.archives, *brigade.deployment.mirrors)


def _target(brigade: Brigade, task: str | None, mirror: str | None) -> Target:
    """Return the task that the options name, or the only one."""
    targets = [one for one in _targets(brigade) if mirror is None or getattr(one, "destination", None) == mirror]
    if not targets:
        there = ", ".join(one.destination for one in brigade.deployment.mirrors) or "none"
        raise OpsError(f"--mirror should be the destination bucket of a mirror: {there}; it is {mirror}")
    chosen = brigade.task(task, tuple(targets))
    return next(one for one in targets if one is chosen)


def _jobs(brigade: Brigade) -> Backfills:
    targets = _targets(brigade)
    if not targets:
        raise OpsError("neither archive_copy nor partition_replicate is deployed, and no other task has backfills")
    return Backfills(brigade.client("s3control"), targets)


def _estimate(brigade: Brigade, target: Target, requests: Sequence[Any]) -> int:
    """Show the requests, and how many objects they name."""
    for request in requests:
        wanted = request["ManifestGenerator"]["S3JobManifestGenerator"]["Filter"]
        (prefix,) = wanted.get("KeyNameConstraint", {"MatchAnyPrefix": [""]})["MatchAnyPrefix"]
        found = counted(brigade.client("s3"), target.source, prefix, wanted.get("CreatedAfter"))
        brigade.screen.say(json.dumps(request, indent=2, default=str))
        brigade.screen.say(f"{found}, each one invocation")
        brigade.screen.record(
            {"request": request, "objects": found.objects, "bytes": found.size, "exact": found.is_exact}
        )
    return ExitStatus.DONE


def _run(brigade: Brigade, requests: Sequence[Any], *, waits: bool) -> int:
    """Start jobs; Ctrl-C names those that are started already."""
    jobs, started = _jobs(brigade), list[Job]()
    try:
        for request in requests:
            with one_step():
                started.append(jobs.create(request))
                brigade.screen.say(f"started {started[-1].id}")
    except KeyboardInterrupt:
        _name_running(brigade, started)
        raise
    return _follow(brigade, jobs, started) if waits else _show(brigade, jobs, started)


def _name_running(brigade: Brigade, found: Sequence[Job]) -> None:
    """Name the jobs that go on after Ctrl-C."""
    for job in (one for one in found if not one.has_ended):
        brigade.screen.record(_record(job, []))
        brigade.screen.remark(f"{job.id} goes on: follow it with `brigade backfill status {job.id} --wait`,")
        brigade.screen.remark(f"or cancel it with `brigade backfill cancel {job.id}`")


def _follow(brigade: Brigade, jobs: Backfills, started: Sequence[Job]) -> int:
    """Show the progress of jobs until they have ended, and then sum them up."""
    found = list(started)
    try:
        follow(brigade.screen, found, lambda job: jobs.describe(job.id))
    except KeyboardInterrupt:
        _name_running(brigade, found)
        raise
    return _show(brigade, jobs, found)


def _show(brigade: Brigade, jobs: Backfills, found: Sequence[Job]) -> int:
    """Print jobs, and the failures in their reports."""
    for job in found:
        reasons = _reasons(brigade, jobs, job)
        brigade.screen.record(_record(job, reasons))
        brigade.screen.say(
            f"{job.id}: {job.status}, {job.succeeded:,} succeeded, {job.failed:,} failed of {_known(job.total)}"
        )
        if job.reason:
            brigade.screen.say(f"  {job.reason}")
        for reason in reasons:
            brigade.screen.say(f"  {reason.count:,} failed: {reason.text}")
            brigade.screen.say(f"    for example {', '.join(reason.examples)}")
    return max((_exit_status(job) for job in found), default=ExitStatus.DONE)


def _reasons(brigade: Brigade, jobs: Backfills, job: Job) -> list[Reason]:
    target = jobs.target_of(job)
    if target is None or not job.has_ended or not job.failed:
        return []
    return failures_in(brigade.client("s3"), target.batch.reports, kind_of(target).folder(job.id))


def _exit_status(job: Job) -> ExitStatus:
    return STATUS_OF_END.get(job.status, ExitStatus.DIFFERENT if job.failed else ExitStatus.DONE)


def _known(total: int | None) -> str:
    return "?" if total is None else f"{total:,}"


def _record(job: Job, reasons: Sequence[Reason]) -> dict[str, Any]:
    return {**asdict(job), "created": f"{job.created:%Y-%m-%dT%H:%M:%SZ}", "reasons": [asdict(one) for one in reasons]}
