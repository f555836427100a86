"""`brigade check`: whether both sides of a mirror are equal."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.progress import TaskID

from ops.brigade import Brigade
from ops.checking.archives import compare_archives, explainer
from ops.checking.checksum_evidence import compared_by_checksums
from ops.checking.checksum_jobs import ChecksumJobs, checksum_options
from ops.checking.circumstances import Explainer
from ops.checking.repair import Options, Repair
from ops.checking.report import CheckReport, Explained, Files
from ops.checking.sides import compared_sides, failures_as_sentences
from ops.cli import BrigadeCommand
from ops.deployment import ArchiveCopy, Mirror
from ops.errors import ExitStatus, OpsError
from ops.metrics import objects_in
from tasks.mirror_check.check import Chunk, Scope, compare_all, compare_keys
from tasks.mirror_check.evidence import Comparer, Depth, Evidence
from tasks.mirror_check.histories import HistoryEvidence


@click.command(
    "check",
    cls=BrigadeCommand,
    short_help="Compare both sides of a mirror.",
    help="Compare both sides of a mirror: sizes, then ETags, the mirror's own records and checksums. "
    "No object is read without --download. Each difference has its cause.\n\n"
    "Exit status: 0 both sides are equal, 1 they are not, 2 the check failed.",
)
@click.option(
    "--task", default="partition_replicate", show_default=True, help="Or archive_copy: restored objects and archives."
)
@click.option("--prefix", default="", help="Compare only the keys that begin with this.")
@click.option("--versions", is_flag=True, help="Compare all versions and delete markers of each key, and their order.")
@click.option("--download", is_flag=True, help="Compare the bytes of all objects, by reading both sides.")
@click.option("--deep", is_flag=True, help="Compare metadata, content headers, tags and annotations too.")
@click.option("--checksums", is_flag=True, help="Compare checksums, which a job of S3 computes on each side.")
@click.option("--destination-job-role", metavar="ARN", help="With --checksums: the role of the job at the destination.")
@click.option("--destination-reports", metavar="BUCKET", help="With --checksums: the bucket of the report there.")
@click.option(
    "--checksum-jobs", metavar="JOB,JOB", help="Take an earlier job at the source, and one at the destination."
)
@click.option("--combined", type=click.Path(path_type=Path), help="File for a line a key, as `rclone check` has it.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="File for a CSV row for each difference.")
@click.option("--lag", type=float, default=900, show_default=True, help="Seconds within which an event arrives.")
@click.option("--workers", type=click.IntRange(1, 64), default=8, show_default=True, help="Key ranges side by side.")
@click.option("--repair", is_flag=True, help="Send the keys that differ through the mirror's FIFO queue.")
@click.option(
    "--dry-run", is_flag=True, help="With --repair or --checksums: send and start nothing, and say what would be."
)
@click.option(
    "--delete-extra", is_flag=True, help="With --repair: delete what only the destination has, of any origin."
)
@click.option("--wait/--no-wait", default=True, help="With --repair: wait for the queue, and check the keys again.")
@click.option("--timeout", type=float, default=900, show_default=True, help="Seconds of that wait.")
def command(brigade: Brigade, **options: Any) -> ExitStatus:
    """Compare both sides of the deployment's mirror."""
    task = brigade.task(options["task"], (*brigade.deployment.mirrors, *brigade.deployment.archives))
    if isinstance(task, ArchiveCopy):
        return _check_archives(brigade, task, options)
    mirror = brigade.deployment.mirrors[0]
    chosen = checksum_options(options)
    if options["versions"] and (options["download"] or options["deep"]):
        raise OpsError("--versions compares ETags and records only: leave out --download and --deep")
    jobs = ChecksumJobs(brigade, mirror, chosen) if chosen else None
    if jobs and options["dry_run"] and not options["checksum_jobs"]:
        return jobs.show_requests()
    depth = Depth(downloads=options["download"], details=options["deep"])
    scope = Scope(options["prefix"], options["workers"], keeps_settled=options["combined"] is not None)
    with (
        Files(mirror.source, options["combined"], options["csv_file"]) as files,
        failures_as_sentences(),
        compared_sides(brigade, mirror, depth=depth, workers=scope.workers, versions=options["versions"]) as evidence,
        _comparer(brigade, evidence, jobs) as comparer,
    ):
        run = _Run(brigade, mirror, comparer, options["lag"])
        total = None if scope.prefix else _number_of_keys(brigade, mirror)
        status, differences = run.report(compare_all(comparer, scope), files, total)
        return run.repair(differences, status, _repair_options(options)) if options["repair"] else status


def _comparer(
    brigade: Brigade, evidence: Evidence | HistoryEvidence, jobs: ChecksumJobs | None
) -> AbstractContextManager[Comparer]:
    """Return what compares: checksums if there are jobs."""
    if jobs is None or isinstance(evidence, HistoryEvidence):
        return nullcontext(evidence)
    return compared_by_checksums(brigade.screen, evidence, jobs)


def _number_of_keys(brigade: Brigade, mirror: Mirror) -> int | None:
    """Return about how many keys a whole check compares, or None if that is not known or not shown."""
    if not brigade.screen.shows_progress:
        return None
    try:
        return objects_in(brigade.client("cloudwatch"), mirror.source)
    except (BotoCoreError, ClientError):
        # Without the permission the check goes on, and shows no time left.
        return None


def _repair_options(options: dict[str, Any]) -> Options:
    return Options(options["dry_run"], options["delete_extra"], options["wait"], options["timeout"])


def _check_archives(brigade: Brigade, task: ArchiveCopy, options: dict[str, Any]) -> ExitStatus:
    refused = ("versions", "download", "deep", "checksums", "checksum_jobs", "repair")
    if wrong := [f"--{name.replace('_', '-')}" for name in refused if options[name]]:
        raise OpsError(
            f"{' and '.join(wrong)}: not with --task archive_copy, whose restored objects are compared by HEAD"
        )
    with Files(task.source, options["combined"], options["csv_file"]) as files, failures_as_sentences():
        report, explain = CheckReport(brigade.screen, files), explainer(brigade, task, options["lag"])
        for chunk in compare_archives(brigade, task, prefix=options["prefix"], workers=options["workers"]):
            report.add(chunk, explain)
        return report.finish()


@dataclass(frozen=True)
class _Run:
    """One run of the command."""

    brigade: Brigade
    mirror: Mirror
    evidence: Comparer
    lag: float

    def report(self, chunks: Iterable[Chunk], files: Files, total: int | None) -> tuple[ExitStatus, list[Explained]]:
        """Report a check of about so many keys; return its status and the keys that are not equal."""
        report = CheckReport(self.brigade.screen, files)
        explain = Explainer(self.brigade, self.mirror, self.evidence, self.lag)
        differences: list[Explained] = []
        done = 0
        with self.brigade.screen.progress("keys", total) as progress:
            for chunk in chunks:
                differences += report.add(chunk, explain)
                done += chunk.keys
                # The total is up to two days old: there may be more keys by now.
                progress.update(TaskID(0), completed=done, total=total and max(total, done))
        report.requests = len(self.evidence.source.listed) + len(self.evidence.destination.listed)
        return report.finish(), differences

    def repair(self, differences: list[Explained], status: ExitStatus, options: Options) -> ExitStatus:
        """Repair differences; return the status of their second check, or of the first one if there is no second."""
        repair = Repair(self.brigade, self.mirror, options)
        keys = repair.send(differences)
        if options.dry_run or not (options.waits and keys):
            return status
        repair.wait()
        left = sorted(each.finding.key for each in differences if not each.why.cause.is_expected)
        with Files(self.mirror.source, None, None) as no_files:
            return self.report(compare_keys(self.evidence, left), no_files, len(left))[0]
