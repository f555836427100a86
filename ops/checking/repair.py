"""`brigade check --repair`: sends the keys that differ through the mirror's FIFO queue, and checks them again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from ops.brigade import Brigade
from ops.checking.report import Explained
from ops.deployment import Mirror
from ops.errors import OpsError
from ops.plurals import number_of
from tasks.mirror_check.circumstances import messages_in
from tasks.mirror_check.repairs import repair_of
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.events import Kind, ObjectEvent
from tasks.utils.key_messages import Queue

# Seconds between two looks at the queue, and how many of them in a row have to find it empty: its counts are
# approximate (SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS").
PAUSE, QUIET = 1.0, 3


class Options(NamedTuple):
    """What `--repair` may do.

    Attributes:
        dry_run: send nothing.
        deletes_extra: delete objects that only the destination has, whatever their origin.
        waits: wait until the queue is empty, and check the keys again.
        patience: seconds that the wait lasts at most.
    """

    dry_run: bool
    deletes_extra: bool
    waits: bool
    patience: float


@dataclass(frozen=True)
class Repair:
    """The repair of a mirror.

    Attributes:
        brigade: the command's deployment and clients.
        mirror: the mirror.
        options: what it may do.
    """

    brigade: Brigade
    mirror: Mirror
    options: Options

    def send(self, differences: Iterable[Explained]) -> list[str]:
        """Send a message for each difference that one can settle, and name the others; return the keys sent."""
        events = []
        for finding, why in differences:
            bucket, deletes = self.mirror.source, self.options.deletes_extra
            event = repair_of(finding, why, bucket=bucket, deletes_extra=deletes)
            if isinstance(event, ObjectEvent):
                events.append(event)
                self._record(finding.key, "removal" if event.kind is Kind.REMOVED else "recheck")
            elif not why.cause.is_expected:
                self._record(finding.key, "none", event)
        if events and not self.options.dry_run:
            self._send(events)
        verb = "would send" if self.options.dry_run else "sent"
        self.brigade.screen.say(f"{verb} {number_of(len(events), 'message')} to the queue of the mirror")
        return [event.object.key for event in events]

    def wait(self) -> None:
        """Wait until the queue is empty.

        Raises:
            OpsError: it takes too long.
        """
        sqs, url, quiet = self.brigade.client("sqs"), self.mirror.fifo_queue, 0
        end = time.monotonic() + self.options.patience
        with self.brigade.screen.progress("messages waiting") as progress:
            while quiet < QUIET:
                waiting = messages_in(sqs, url)
                quiet = 0 if waiting else quiet + 1
                progress.update(progress.task_ids[0], description=f"{number_of(waiting, 'message')} waiting")
                if time.monotonic() > end:
                    seconds = f"{self.options.patience:g} s"
                    raise OpsError(
                        f"after {seconds} the queue still holds {number_of(waiting, 'message')}: check again later"
                    )
                time.sleep(PAUSE)

    def _send(self, events: Sequence[ObjectEvent]) -> None:
        sqs = self.brigade.client("sqs")
        try:
            # The time makes this repair another origin than the one before, whose messages SQS would take these for.
            Queue(lambda: sqs, self.mirror.fifo_queue).send(events, origin=f"check {datetime.now(UTC).isoformat()}")
        except BucketBrigadeError as error:
            raise OpsError(str(error)) from error

    def _record(self, key: str, repair: str, reason: str = "") -> None:
        self.brigade.screen.record({"type": "repair", "key": key, "repair": repair, "reason": reason})
        if reason:
            self.brigade.screen.say(f"not repaired: {key}: {reason}")
