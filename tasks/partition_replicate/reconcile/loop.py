"""Plans and applies one step after the other, until nothing is left to do for a key."""

from __future__ import annotations

from tasks.object_clerk.errors import ObjectChangedException
from tasks.partition_replicate.errors import LostRace, NoProgress
from tasks.partition_replicate.outcome import Effort, Outcome, Unfinished
from tasks.partition_replicate.reconcile.apply import apply
from tasks.partition_replicate.reconcile.plan import next_step
from tasks.partition_replicate.reconcile.policy import Policy
from tasks.partition_replicate.reconcile.snapshot import Snapshot
from tasks.partition_replicate.reconcile.steps import Done, GiveUp, ObserveVersion, PutMarker, Step
from tasks.partition_replicate.reconcile.tools import Sides, Tools
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.events import ObjectEvent

# With these the work on one version begins, so work that is short of time ends before them.
BEGINNINGS = (ObserveVersion, PutMarker)


def reconcile(event: ObjectEvent, policy: Policy, tools: Tools) -> Outcome:
    """Make the destination of one key equal to its source.

    Args:
        event: what happened to the key.
        policy: what the settings ask for.
        tools: both sides of the key, and the table.

    Returns:
        What was done, without the seconds and attempts that it took.

    Raises:
        Unfinished: time ran out; another message about the key goes on.
        ObjectChangedException: other writers were faster in all rounds.
        NoProgress: a bucket's listing and its reads contradict each other.
        ObjectClerkException: S3 refuses something.
        TableError: the table did not answer.
    """
    snapshot = Snapshot(event)
    while True:
        step = next_step(snapshot, policy)
        if isinstance(step, Done):
            return _outcome(step, snapshot, tools.sides)
        if isinstance(step, GiveUp):
            raise _failure(step, tools.sides)
        snapshot = _perform(step, snapshot, tools)


def _perform(step: Step, snapshot: Snapshot, tools: Tools) -> Snapshot:
    writing = tools.sides.writing
    try:
        if isinstance(step, BEGINNINGS) and writing.deadline.has_passed():
            raise _out_of_time(tools.sides)
        return apply(step, snapshot, tools)
    except LostRace as error:
        lost = error
    except Unfinished as error:
        error.carried += snapshot.progress.carried
        raise
    if snapshot.past.settled and not lost.of_row:
        raise lost.error
    writing.retries += 1
    # A version that could not be recorded is removed, unless another worker records it.
    return snapshot.after_lost_race(keeps_unrecorded=lost.of_row)


def _out_of_time(sides: Sides) -> Unfinished:
    reason = "time ran out between two versions"
    return Unfinished(reason, carried=0, operation="replicate", source=sides.source, destination=sides.destination)


def _outcome(step: Done, snapshot: Snapshot, sides: Sides) -> Outcome:
    return Outcome(
        snapshot.event,
        step.action,
        sides.replica(step.version),
        reason=step.reason,
        not_carried=step.not_carried,
        effort=Effort(bytes=snapshot.progress.size),
    )


def _failure(step: GiveUp, sides: Sides) -> BucketBrigadeError:
    if step.stuck:
        return NoProgress(f"{step.operation} {sides.source} -> {sides.destination}: {step.reason}")
    return ObjectChangedException(
        step.reason, operation=step.operation, source=sides.source, destination=sides.destination
    )
