"""`brigade status`: what waits, what moves and what failed, for each queue."""

from __future__ import annotations

import time
from typing import Any

import click
from rich.console import JustifyMethod

from ops.brigade import Brigade
from ops.cli import BrigadeCommand
from ops.errors import ExitStatus
from ops.letter_queues import letter_queues, tasks_named
from ops.queue_states import Observer, QueueState
from ops.spans import span

WATCH_SECONDS = 10

HEADINGS: dict[str, JustifyMethod] = {
    "task": "left",
    "queue": "left",
    "waiting": "right",
    "in flight": "right",
    "delayed": "right",
    "oldest": "right",
    "dead": "right",
    "changed/h": "right",
    "failed/h": "right",
    "lag": "right",
    "last error": "left",
}


@click.command(cls=BrigadeCommand)
@click.option("--task", help="Only this task.  [default: all tasks]")
@click.option(
    "--watch",
    is_flag=False,
    flag_value=WATCH_SECONDS,
    type=click.IntRange(min=1),
    metavar="[SECONDS]",
    help=f"Show it again and again until Ctrl-C.  [default: every {WATCH_SECONDS} seconds]",
)
def command(brigade: Brigade, task: str | None, watch: int | None) -> ExitStatus:
    """Show what waits, what moves and what failed, for each queue of each task.

    Counts come from SQS; age, lag and the numbers of the last hour from CloudWatch; the last error from the log.

    Exit status: 0 no dead letters and no alarms, 1 dead letters or alarms, 2 failure. With --watch: 0.
    """
    observer = Observer(brigade, letter_queues(tasks_named(brigade, task)))
    if watch is None:
        return _show(brigade, observer)
    try:
        with brigade.screen.frames() as show:
            while True:
                show(lambda: _show(brigade, observer))
                time.sleep(watch)
    except KeyboardInterrupt:
        return ExitStatus.DONE


def _show(brigade: Brigade, observer: Observer) -> ExitStatus:
    states, warnings, alarms = observer.states(), observer.warnings(), observer.alarms()
    for state in states:
        brigade.screen.record(state.record)
    brigade.screen.table(HEADINGS, map(_row, states))
    for kind, texts in (("warning", warnings), ("alarm", alarms)):
        for text in texts:
            brigade.screen.record({kind: text})
            brigade.screen.say(f"{kind}: {text}", "yellow" if kind == "warning" else "red")
    is_bad = bool(alarms) or any(state.dead_letters for state in states)
    return ExitStatus.DIFFERENT if is_bad else ExitStatus.DONE


def _row(state: QueueState) -> list[Any]:
    counts = [state.waiting, state.in_flight, state.delayed]
    error = " ".join(filter(None, (state.error["key"], state.error["reason"]))) if state.error else None
    rates = [state.changed, state.failed]
    cells = [*counts, _span(state.oldest_seconds), state.dead_letters, *rates, _span(state.lag_seconds), error]
    return [state.task, state.queue, *("-" if cell is None else cell for cell in cells)]


def _span(seconds: float | None) -> str | None:
    return None if seconds is None else span(seconds)
