"""One part of a run: keys are compared until half of the time is over, and those that differ are repaired."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from tasks.mirror_check.causes import Circumstances, Why, cause_of
from tasks.mirror_check.check import Chunk, Scope, compare_keys, compare_ranges
from tasks.mirror_check.circumstances import messages_in, open_uploads
from tasks.mirror_check.evidence import Comparer
from tasks.mirror_check.findings import Finding, Sign
from tasks.mirror_check.key_ranges import RangeQueue
from tasks.mirror_check.repairs import needs_action, repair_of
from tasks.mirror_check.runs import Run, Totals
from tasks.mirror_check.settings import Settings
from tasks.utils.deadline import Deadline
from tasks.utils.errors import UnfinishedError
from tasks.utils.events import Kind, ObjectEvent
from tasks.utils.key_messages import Queue

# Ranges of keys that are listed side by side.
WORKERS = 8

# A FIFO queue looks for a free group among its first 120,000 messages, and events come beside the repairs of a run. The
# next run sends the next keys; for a whole bucket a backfill takes less time.
MOST_REPAIRS = 10_000

# A queue that moves holds some messages at any time. With more than these the mirror is behind, and what differs counts
# as waiting. With fewer, a key that has a message and gets another one costs an observation.
BACKLOG = 100

# Keys that differ, by message. Their number is a metric; `brigade check` lists all of them.
MOST_LINES = 100

NO_REPAIR = "REPAIR is off"
LETTERS_FIRST = "the mirror has dead letters: redrive them first"
ENOUGH = f"the run has sent {MOST_REPAIRS} keys; the next run goes on"


class Difference(NamedTuple):
    """A key that differs, why, and what was sent for it or why nothing was."""

    finding: Finding
    why: Why
    repair: str


@dataclass
class Part:
    """A part of a run.

    Attributes:
        settings: the settings.
        run: the run as its message describes it.
        evidence: compares the sides.
        sqs: returns an SQS client.
        deadline: of the invocation.
        differences: the first keys that differ, for the log.
    """

    settings: Settings
    run: Run
    evidence: Comparer
    sqs: Callable[[], Any]
    deadline: Deadline
    differences: list[Difference] = field(default_factory=list)

    def check(self) -> Run:
        """Check keys; return the run as it stands after them.

        Raises:
            UnfinishedError: the time ran out before all was compared that had been begun.
            ObjectClerkException: a side cannot be listed.
            ClientError, BotoCoreError, TableBusy: the table or a queue cannot be read.
            NotSent: the mirror's queue did not take a message.
        """
        # Copies, because a worker that shares a range cuts it.
        ranges = RangeQueue(*map(replace, self.run.ranges), is_time_up=lambda: not self.deadline.is_early())
        totals = self.run.totals
        with closing(compare_ranges(self.evidence, Scope(self.run.prefixes[0], WORKERS), ranges)) as chunks:
            for chunk in chunks:
                totals = self._add(chunk, totals)
        return self.run.after(ranges.rest, totals)

    def _add(self, chunk: Chunk, totals: Totals) -> Totals:
        """Return the totals after a chunk, whose differences are repaired."""
        found = list(self._confirmed(chunk)) if chunk.findings else []
        if self.deadline.has_passed():
            # A comparison that ended for want of time looks like an object that cannot be compared.
            raise UnfinishedError(f"the time ran out while {chunk.keys} keys were compared")
        repaired = self._repair(found, totals.repaired)
        return totals.plus(keys=chunk.keys, different=len(found), repaired=repaired)

    def _confirmed(self, chunk: Chunk) -> Iterator[tuple[Finding, Why]]:
        """Yield the keys that differ at a second look: a key may change between the listings of its two sides."""
        suspects = [finding.key for finding, _ in self._needing_action(chunk)]
        for again in compare_keys(self.evidence, suspects):
            yield from self._needing_action(again)

    def _needing_action(self, chunk: Chunk) -> Iterator[tuple[Finding, Why]]:
        for finding in chunk.findings:
            if finding.verdict.sign is not Sign.EQUAL:
                why = cause_of(finding, self._about)
                if needs_action(finding, why, self._about, is_idle=not self._messages):
                    yield finding, why

    def _repair(self, found: list[tuple[Finding, Why]], repaired: int) -> int:
        """Send keys to the mirror's queue; return the number of them.

        Args:
            found: the keys that differ.
            repaired: keys that the run has sent before.
        """
        events: list[ObjectEvent] = []
        for finding, why in found:
            event = self._event_for(finding, why, repaired + len(events))
            if isinstance(event, ObjectEvent):
                events.append(event)
            self._remember(finding, why, event)
        queue = Queue(self.sqs, self.settings.mirror.objects_queue)
        # A run that is repeated sends the same messages, which SQS takes once.
        queue.send(events, origin=f"check {self.run.name}")
        return len(events)

    def _event_for(self, finding: Finding, why: Why, repaired: int) -> ObjectEvent | str:
        if not self.settings.run.repairs:
            return NO_REPAIR
        if self._has_dead_letters:
            return LETTERS_FIRST
        if repaired >= MOST_REPAIRS:
            return ENOUGH
        return repair_of(finding, why, bucket=self.settings.mirror.source_bucket, deletes_extra=False)

    def _remember(self, finding: Finding, why: Why, event: ObjectEvent | str) -> None:
        if len(self.differences) < MOST_LINES:
            kinds = {Kind.RECHECK: "recheck", Kind.REMOVED: "removal"}
            repair = event if isinstance(event, str) else f"{kinds[event.kind]} sent"
            self.differences.append(Difference(finding, why, repair))

    @cached_property
    def _about(self) -> Circumstances:
        """What is known of the mirror, asked for once, for the first key that differs."""
        run = self.settings.run
        return Circumstances(
            keeps_deleted=run.keeps_deleted,
            waiting=self._messages if self._messages > BACKLOG else 0,
            uploads=frozenset(open_uploads(self.evidence.destination)),
            settled_before=datetime.now(UTC) - timedelta(seconds=run.lag),
        )

    @cached_property
    def _messages(self) -> int:
        """The number of messages in the mirror's FIFO queue that are not the run's own."""
        return max(0, messages_in(self.sqs(), self.settings.mirror.objects_queue) - self.run.totals.repaired)

    @cached_property
    def _has_dead_letters(self) -> bool:
        """Whether something that the mirror could not handle waits for a person: a difference may be its key's."""
        return sum(messages_in(self.sqs(), url) for url in self.settings.mirror.dead_letters) > 0
