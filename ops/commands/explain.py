"""`brigade explain`: the story of one object."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from ops.brigade import Brigade
from ops.cli import BrigadeCommand
from ops.errors import ExitStatus, OpsError
from ops.object_sides import parse
from ops.object_story import Story, Teller, buckets_of

LOG_DAYS = 3


@click.command(cls=BrigadeCommand)
@click.argument("address", metavar="s3://BUCKET/KEY[?versionId=ID]")
@click.option("--days", type=click.IntRange(min=1), default=LOG_DAYS, show_default=True, help="Days of log lines.")
def command(brigade: Brigade, address: str, days: int) -> ExitStatus:
    """Explain what happened to an object, and what it waits for.

    The bucket may be on either side of a task. The story holds the versions on all sides, open uploads, records, dead
    letters and log lines. Nothing is received from a work queue.

    Exit status: 0 equal, archived or published, 1 not yet, or a dead letter is left, 2 failure.
    """
    wanted, tasks = parse(address), brigade.deployment.tasks
    found = [task for task in tasks if wanted.bucket in buckets_of(task)]
    if not found:
        names = ", ".join(sorted({bucket for task in tasks for bucket in buckets_of(task)}))
        raise OpsError(f"no task of the deployment has the bucket {wanted.bucket}; its buckets are: {names}")
    teller = Teller(brigade, wanted, datetime.now(UTC) - timedelta(days=days))
    stories = [teller.story(task) for task in found]
    for story in stories:
        _show(brigade, story)
    return ExitStatus.DONE if all(story.conclusion.is_done for story in stories) else ExitStatus.DIFFERENT


def _show(brigade: Brigade, story: Story) -> None:
    rows = []
    for fact in story.in_order:
        moment = fact.time.isoformat(timespec="seconds") if fact.time else None
        brigade.screen.record({"task": story.task, "time": moment, "where": fact.where, "fact": fact.text})
        rows.append([moment or "now", fact.where, fact.text])
    brigade.screen.table({"time": "left", "where": "left", "fact": "left"}, rows, title=story.task)
    done = story.conclusion.is_done
    brigade.screen.record({"task": story.task, "conclusion": story.conclusion.text, "done": done})
    brigade.screen.say(f"conclusion: {story.conclusion.text}", "green" if done else "yellow")
