"""`brigade dead`: lists, shows and redrives the dead letters of all queues."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import click
from rich.console import JustifyMethod

from ops.brigade import Brigade
from ops.cli import BrigadeGroup
from ops.dead_letters import DeadLetter, Selection
from ops.errors import ExitStatus, OpsError
from ops.letter_groups import Group, grouped
from ops.letter_queues import LetterQueue, letter_queues, tasks_named
from ops.letter_reader import letters_of
from ops.moves import move_all
from ops.plurals import number_of
from ops.redrive import Limits, Redrive
from ops.spans import age_of, span

SELECTS = (
    click.option("--task", help="Only this task.  [default: all tasks]"),
    click.option("--reason", metavar="TEXT", help="Only messages whose reason holds this text."),
    click.option("--type", "error", metavar="TYPE", help="Only messages with this type of error."),
    click.option("--key", help="Only messages about this key, or below it if it ends with a slash."),
    click.option("--max", "most", type=click.IntRange(min=1), help="At most so many messages."),
)


def selects(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that select messages."""
    for option in reversed(SELECTS):
        function = option(function)
    return function


HEADINGS: dict[str, JustifyMethod] = {
    "task": "left",
    "queue": "left",
    "messages": "right",
    "oldest": "right",
    "type": "left",
    "reason": "left",
    "for example": "left",
}

command = BrigadeGroup("dead", help="List, show and redrive dead letters of every kind.")


@command.command("list")
@SELECTS[0]
def list_groups(brigade: Brigade, task: str | None) -> ExitStatus:
    """List the dead letters, grouped by reason. No message is removed or stays hidden.

    Parts that differ from message to message, such as keys and numbers, are left out of the reason.

    Exit status: 0 no dead letters, 1 dead letters, 2 failure.
    """
    with closing(_letters(brigade, brigade.client("sqs"), letter_queues(tasks_named(brigade, task)))) as letters:
        groups = grouped(letters)
    for group in groups:
        brigade.screen.record(group.record)
    if not groups:
        brigade.screen.say("no dead letters")
        return ExitStatus.DONE
    rows = [
        [group.first.queue.task, group.first.queue.kind, group.count, span(group.age), *_texts(group)]
        for group in groups
    ]
    brigade.screen.table(HEADINGS, rows)
    return ExitStatus.DIFFERENT


@command.command("show")
@selects
def show(brigade: Brigade, task: str | None, most: int | None, **selected: str | None) -> ExitStatus:
    """Show each dead letter with its reason and its body. No message is removed or stays hidden.

    Exit status: 0 no such dead letters, 1 dead letters, 2 failure.
    """
    queues, count = letter_queues(tasks_named(brigade, task)), 0
    with closing(letters_of(brigade.client("sqs"), queues)) as letters:
        for letter in islice(filter(Selection(**selected).has, letters), most):
            count += 1
            _show(brigade, letter)
    if not count:
        brigade.screen.say("no such dead letters")
    return ExitStatus.DIFFERENT if count else ExitStatus.DONE


@command.command("redrive")
@selects
@click.option("--rate", type=click.IntRange(1, 500), help="At most so many messages a second.")
@click.option("--dry-run", is_flag=True, help="Only count the messages.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def send_back(brigade: Brigade, **options: Any) -> ExitStatus:
    """Send dead letters back to where they came from. Remove the cause first.

    Without a selection, SQS moves whole queues. Selected messages are sent to the work queue and then deleted. A
    function is invoked with each event that did not reach a queue.

    Exit status: 0 done, 1 messages are left to redrive, 2 failure.
    """
    queues = letter_queues(tasks_named(brigade, options["task"]))
    selection = Selection(options["reason"], options["error"], options["key"])
    found = _plans(brigade, queues, selection, Limits(options["most"], options["rate"]))
    plans = [plan for plan in found if plan.count]
    _announce(brigade, found)
    if not plans:
        brigade.screen.say("no dead letters to redrive")
    elif options["dry_run"] or not (options["yes"] or _agreed(brigade)):
        return ExitStatus.DIFFERENT
    for plan in plans:
        _carry_out(brigade, plan)
    return ExitStatus.DIFFERENT if any(plan.unsendable for plan in found) else ExitStatus.DONE


@dataclass
class Plan:
    """The redrive of a queue.

    Attributes:
        redrive: the redrive message by message.
        count: the number of messages that it sends.
        unsendable: the number of messages that no function can take.
        invocations: whether one of the messages records an invocation that failed.
    """

    redrive: Redrive
    count: int = 0
    unsendable: int = 0
    invocations: bool = False

    @property
    def is_move(self) -> bool:
        """Whether SQS can move the whole queue itself."""
        sends = self.redrive
        is_whole = sends.selection.is_all and sends.limits.most is None
        return is_whole and sends.queue.work is not None and not self.invocations


def _letters(brigade: Brigade, sqs: Any, queues: list[LetterQueue]) -> Generator[DeadLetter, None, None]:
    """Yield the dead letters of some queues, and show how many were read."""
    with brigade.screen.progress("messages") as progress, closing(letters_of(sqs, queues)) as letters:
        for letter in letters:
            progress.advance(progress.task_ids[0])
            yield letter


def _texts(group: Group) -> tuple[str, str, str]:
    return group.first.error, group.first.shape, group.first.key


def _show(brigade: Brigade, letter: DeadLetter) -> None:
    about = {"task": letter.queue.task, "queue": letter.queue.name, "id": letter.id, "key": letter.key}
    why = {"type": letter.error, "reason": letter.reason, "from": letter.origin, "receives": letter.receives}
    brigade.screen.record({**about, **why, "age_seconds": age_of(letter.sent), "body": letter.body})
    for name, value in {**about, **why, "age": span(age_of(letter.sent)), "body": letter.body}.items():
        brigade.screen.say(f"{name + ':':<10}{value}")
    brigade.screen.say("")


def _plans(brigade: Brigade, queues: list[LetterQueue], selection: Selection, limits: Limits) -> list[Plan]:
    sqs, functions, plans = brigade.client("sqs"), brigade.client("lambda"), []
    for queue in queues:
        plans.append(_plan(brigade, Redrive(sqs, functions, queue, selection, limits)))
        if limits.most is not None:
            limits = replace(limits, most=limits.most - plans[-1].count)
    return plans


def _plan(brigade: Brigade, redrive: Redrive) -> Plan:
    plan = Plan(redrive)
    with closing(_letters(brigade, redrive.sqs, [redrive.queue])) as letters:
        for letter in filter(redrive.selection.has, letters):
            if not letter.is_sendable:
                plan.unsendable += 1
            elif plan.count != redrive.limits.most:
                plan.count += 1
                plan.invocations |= letter.is_invocation
    return plan


def _announce(brigade: Brigade, plans: list[Plan]) -> None:
    for plan in plans:
        name = plan.redrive.queue.name
        if plan.unsendable:
            brigade.screen.remark(f"{plan.unsendable} of {name} stay: no function can take what is not JSON")
        if plan.count:
            _report(brigade, plan, "to send", plan.count)


def _report(brigade: Brigade, plan: Plan, state: str, count: int) -> None:
    queue = plan.redrive.queue
    target = queue.function if queue.work is None else queue.work.rpartition("/")[2]
    brigade.screen.record({"state": state, "queue": queue.name, "to": target, "messages": count})
    brigade.screen.say(f"{state}: {number_of(count, 'message')} of {queue.name} to {target}")


def _agreed(brigade: Brigade) -> bool:
    if brigade.screen.as_json:
        raise OpsError("--json cannot ask: add --yes or --dry-run")
    return click.confirm("Is the cause removed, and shall they be sent?", err=True)


def _carry_out(brigade: Brigade, plan: Plan) -> None:
    with brigade.screen.progress("messages", plan.count) as progress:
        task = progress.task_ids[0]
        if plan.is_move:
            sends = plan.redrive
            count = move_all(sends.sqs, sends.queue, sends.limits.rate, lambda n: progress.update(task, completed=n))
        else:
            count = plan.redrive.run(lambda: progress.advance(task))
    _report(brigade, plan, "sent", count)
