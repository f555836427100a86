"""`brigade backfill`: pass existing objects to a task, by jobs of S3 Batch Operations."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import click
from rich.console import JustifyMethod

from ops.batch_jobs import REPORTS, Job, Jobs, Target, request_of
from ops.batch_report import Reason, failures_in
from ops.brigade import Brigade
from ops.cli import BrigadeGroup
from ops.errors import ExitStatus, OpsError
from ops.interrupts import one_step

# Seconds between two looks at a job: short at first, for small jobs. The maximum is AWS's advice (S3 User Guide,
# "Troubleshooting S3 Batch Operations", SlowDownError).
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0

# Objects that an estimate counts; a page of a listing has 1,000.
COUNTED = 20_000

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
    brigade.screen.say(f"{'would cancel' if dry_run else 'cancels'} {job} after {found.done} objects")
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


def _jobs(brigade: Brigade) -> Jobs:
    targets = _targets(brigade)
    if not targets:
        raise OpsError("neither archive_copy nor partition_replicate is deployed, and no other task has backfills")
    return Jobs(brigade.client("s3control"), targets)


def _estimate(brigade: Brigade, target: Target, requests: Sequence[Any]) -> int:
    """Show the requests, and how many objects they name."""
    for request in requests:
        wanted = request["ManifestGenerator"]["S3JobManifestGenerator"]["Filter"]
        sizes, is_exact = _sizes(brigade, target, wanted)
        at_least = "" if is_exact else "at least "
        brigade.screen.say(json.dumps(request, indent=2, default=str))
        brigade.screen.say(f"{at_least}{len(sizes):,} objects with {sum(sizes):,} bytes, each one invocation")
        record = {"request": request, "objects": len(sizes), "bytes": sum(sizes), "exact": is_exact}
        brigade.screen.record(record)
    return ExitStatus.DONE


def _sizes(brigade: Brigade, target: Target, wanted: Mapping[str, Any]) -> tuple[list[int], bool]:
    """Return the sizes of the objects that a filter selects, and whether these are all."""
    (prefix,) = wanted.get("KeyNameConstraint", {"MatchAnyPrefix": [""]})["MatchAnyPrefix"]
    since = wanted.get("CreatedAfter", datetime.min.replace(tzinfo=UTC))
    pages = brigade.client("s3").get_paginator("list_objects_v2").paginate(Bucket=target.source, Prefix=prefix)
    listed = list(islice((one for page in pages for one in page.get("Contents", [])), COUNTED))
    return [one["Size"] for one in listed if one["LastModified"] > since], len(listed) < COUNTED


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


def _follow(brigade: Brigade, jobs: Jobs, started: Sequence[Job]) -> int:
    """Show the progress of jobs until they have ended, and then sum them up."""
    found, wait, begun = list(started), FIRST_WAIT, time.monotonic()
    try:
        with brigade.screen.progress("objects") as shown:
            while not all(job.has_ended for job in found):
                time.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
                found = [job if job.has_ended else jobs.describe(job.id) for job in found]
                shown.update(shown.task_ids[0], **_progress(found, time.monotonic() - begun))
    except KeyboardInterrupt:
        _name_running(brigade, found)
        raise
    return _show(brigade, jobs, found)


def _progress(found: Sequence[Job], seconds: float) -> dict[str, Any]:
    """Return the values of the progress of jobs that run for some seconds."""
    done, totals = sum(job.done for job in found), [job.total for job in found]
    text = f"objects, {sum(job.failed for job in found)} failed, {done / seconds:.0f}/s"
    # The total is known once each job has its manifest.
    total = None if None in totals else sum(one or 0 for one in totals)
    return {"completed": done, "total": total, "description": text}


def _show(brigade: Brigade, jobs: Jobs, found: Sequence[Job]) -> int:
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


def _reasons(brigade: Brigade, jobs: Jobs, job: Job) -> list[Reason]:
    target = jobs.target_of(job)
    if target is None or not job.has_ended or not job.failed:
        return []
    return failures_in(brigade.client("s3"), target.batch.reports, f"{REPORTS}/job-{job.id}")


def _exit_status(job: Job) -> ExitStatus:
    return STATUS_OF_END.get(job.status, ExitStatus.DIFFERENT if job.failed else ExitStatus.DONE)


def _known(total: int | None) -> str:
    return "?" if total is None else f"{total:,}"


def _record(job: Job, reasons: Sequence[Reason]) -> dict[str, Any]:
    return {**asdict(job), "created": f"{job.created:%Y-%m-%dT%H:%M:%SZ}", "reasons": [asdict(one) for one in reasons]}
