"""`brigade prove`: a canary through the deployed stack, which is removed again."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.progress import TaskID

from ops.brigade import Brigade
from ops.cli import BrigadeCommand
from ops.errors import ExitStatus, OpsError
from ops.estimating.units import size
from ops.output_files import output_file
from ops.plurals import number_of
from ops.proving.canary import Canary, new_id
from ops.proving.promises import FAILED, OK, SKIPPED, Promise, prove
from ops.proving.report import causes, proof_of, report_of
from ops.proving.stack import Stack
from ops.screen import Screen

# Seconds between two looks at the buckets.
PAUSE = 1.0
STYLES = {OK: "green", FAILED: "bold red", SKIPPED: "yellow"}


@click.command(cls=BrigadeCommand)
@click.option("--objects", type=click.IntRange(0, 100_000), default=25, show_default=True, help="Small objects.")
@click.option("--large", default="40MB", show_default=True, help="Size of the object in parts.")
@click.option("--prefix", default="brigade-prove/", show_default=True, help="Prefix of all runs.")
@click.option("--task", help="Prove one task only.")
@click.option("--restore", is_flag=True, help="Restore an object from GLACIER (Expedited), instead of an event.")
@click.option("--notify", is_flag=True, help="Upload sets although people are notified of them.")
@click.option("--timeout", type=click.FloatRange(0), default=600, show_default=True, help="Seconds to wait.")
@click.option("--keep", is_flag=True, help="Leave the objects; the next run after an hour removes them.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the report to this file, as JSON.")
@click.option("--dry-run", is_flag=True, help="Show what would be proven, and write nothing.")
def command(brigade: Brigade, timeout: float, keep: bool, report: Path | None, **options: Any) -> int:
    """Prove that the deployed stack works: put objects, wait until they have arrived, compare and remove them.

    Everything stays below a prefix of its own, and is removed on both sides, also after Ctrl-C. Exit status: 0 proven,
    1 something differs or was left, 2 nothing could be proven.
    """
    canary = _canary(options)
    chosen = brigade.deployment.tasks
    tasks = (brigade.task(options["task"], chosen),) if options["task"] else chosen
    stack = Stack(brigade, canary, tasks)
    promises = stack.promises()
    if options["dry_run"]:
        return _show_plan(brigade.screen, canary, promises)
    with output_file(report) if report else nullcontext() as file:
        left = _run(brigade.screen, stack, promises, timeout=timeout, keep=keep)
        _show_proofs(brigade, canary, promises, left)
        if file:
            text = json.dumps(report_of(brigade, canary, promises, left, datetime.now(UTC)), indent=2)
            file.write(text + "\n")
    return _status(promises, left)


def _canary(options: dict[str, Any]) -> Canary:
    base = options["prefix"].strip("/") + "/"
    # The longest key has 1,024 bytes, and the longest odd key about 40 more than the prefix.
    if base == "/" or len(base.encode()) > 500:
        raise OpsError("--prefix should be a prefix of 1 to 499 bytes, such as brigade-prove/")
    large = size(options["large"], "--large")
    return Canary(
        id=new_id(datetime.now(UTC)),
        base=base,
        objects=options["objects"],
        large=large,
        restore=options["restore"],
        notify=options["notify"],
    )


def _show_plan(screen: Screen, canary: Canary, promises: list[Promise]) -> int:
    screen.say(f"would write below {canary.prefix}")
    for promise in promises:
        screen.record({"task": promise.task, "promise": promise.text, "objects": len(promise.subjects)})
        objects = number_of(len(promise.subjects), "object") if not promise.skipped else f"skipped: {promise.skipped}"
        screen.say(f"  {promise.task}: {promise.text} ({objects})")
    return ExitStatus.DONE


def _run(screen: Screen, stack: Stack, promises: list[Promise], *, timeout: float, keep: bool) -> int:
    """Prove the promises and clean up; return how much could not be removed."""
    left, canary = 0, stack.canary
    for prefix in stack.places.leftovers(canary.base, datetime.now(UTC)):
        screen.remark(f"removing what an earlier run left below {prefix}")
        left += stack.places.clean(prefix, pause=PAUSE)
    try:
        total = sum(len(promise.subjects) for promise in promises)
        with screen.progress("objects", total) as shown:
            prove(promises, seconds=timeout, pause=PAUSE, on_done=lambda done: shown.update(TaskID(0), completed=done))
    finally:
        if keep:
            screen.remark(f"the objects stay below {canary.prefix}")
        else:
            screen.remark(f"removing everything below {canary.prefix}")
            left += stack.places.clean(canary.prefix, pause=PAUSE)
    return left


def _show_proofs(brigade: Brigade, canary: Canary, promises: list[Promise], left: int) -> None:
    for promise in promises:
        _show(brigade.screen, promise)
    for cause in causes(brigade, promises):
        brigade.screen.say(f"- {cause}")
    if left:
        brigade.screen.say(f"could not remove {number_of(left, 'version')} below {canary.prefix}", "bold red")


def _status(promises: list[Promise], left: int) -> ExitStatus:
    outcomes = {promise.outcome for promise in promises}
    if outcomes == {SKIPPED}:
        raise OpsError("nothing could be proven: every promise was skipped")
    return ExitStatus.DIFFERENT if FAILED in outcomes or left else ExitStatus.DONE


def _show(screen: Screen, promise: Promise) -> None:
    screen.record(proof_of(promise))
    words = f"{promise.outcome:<8} {promise.task}: {promise.text}"
    if promise.times:
        words += f" ({promise.times[0]:.1f} s, at most {promise.times[1]:.1f} s)"
    screen.say(words, STYLES[promise.outcome])
    for remark in filter(None, (promise.reason, promise.note)):
        screen.say(f"         {remark}")
