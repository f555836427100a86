"""`brigade check`: whether both sides of a mirror are equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.progress import TaskID

from ops.brigade import Brigade
from ops.checking.report import CheckReport, Files
from ops.checking.sides import compared_sides, failures_as_sentences
from ops.cli import BrigadeCommand
from ops.errors import ExitStatus, OpsError
from tasks.mirror_check.check import Scope, compare_all
from tasks.mirror_check.evidence import Depth, Evidence


@click.command(
    "check",
    cls=BrigadeCommand,
    short_help="Compare both sides of a mirror.",
    help="Compare both sides of a mirror: sizes, then ETags, the mirror's own records and checksums. "
    "No object is read without --download.\n\n"
    "Exit status: 0 both sides are equal, 1 they are not, 2 the check failed.",
)
@click.option("--prefix", default="", help="Compare only the keys that begin with this.")
@click.option("--download", is_flag=True, help="Compare the bytes of all objects, by reading both sides.")
@click.option("--deep", is_flag=True, help="Compare metadata, content headers, tags and annotations too.")
@click.option(
    "--combined", type=click.Path(path_type=Path), help="File for a line for each key, as `rclone check` has it."
)
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="File for a CSV row for each difference.")
@click.option("--workers", type=click.IntRange(1, 64), default=8, show_default=True, help="Key ranges side by side.")
def command(brigade: Brigade, prefix: str, workers: int, **options: Any) -> ExitStatus:
    """Compare both sides of the deployment's mirror."""
    mirrors = brigade.deployment.mirrors
    if not mirrors:
        raise OpsError("the deployment has no mirror: partition_replicate_enabled is false")
    scope = Scope(prefix, workers, keeps_settled=options["combined"] is not None)
    depth = Depth(downloads=options["download"], details=options["deep"])
    with Files(mirrors[0].source, options["combined"], options["csv_file"]) as files:
        report = CheckReport(brigade.screen, files)
        with failures_as_sentences(), compared_sides(brigade, mirrors[0], depth=depth, workers=workers) as evidence:
            _compare(brigade, evidence, scope, report)
        return report.finish()


def _compare(brigade: Brigade, evidence: Evidence, scope: Scope, report: CheckReport) -> None:
    with brigade.screen.progress("keys") as progress:
        for chunk in compare_all(evidence, scope):
            report.add(chunk)
            progress.advance(TaskID(0), chunk.keys)
    report.requests = len(evidence.source.listed) + len(evidence.destination.listed)
