"""The log line and the metrics of each outcome."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tasks.partition_replicate.outcome import Action, Outcome, Unfinished
from tasks.utils import outcome_log
from tasks.utils.batches import End
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.events import ObjectEvent, Unreadable
from tasks.utils.outcome_log import FAILED, RETRIED, Fate

CONTINUED = "will be gone on with"

WRITING = (Action.REPLICATED, Action.TAGGED, Action.DELETED)

# The fields of a log line.
Fields = dict[str, Any]


@dataclass(frozen=True)
class Continued:
    """A part of an object was carried, and another message goes on with it.

    Attributes:
        event: the event.
        error: why the work is not done.
        is_rechecked: as `Outcome` says.
    """

    event: ObjectEvent
    error: Unfinished
    is_rechecked: bool = False


class OutcomeLog(outcome_log.OutcomeLog):
    """Logs how the work on each event ended, and counts it."""

    def message(self, end: End, results: Iterable[Outcome | Continued | ObjectEvent], fate: Fate) -> None:
        """Log a line for each event of a message.

        Args:
            end: how the message ended.
            results: what is known of its events: an `Outcome`, a `Continued`, or the event itself if it failed.
            fate: what becomes of the message if it failed: one of `utils.outcome_log`'s words.
        """
        failed = None
        for each in results:
            if isinstance(each, Outcome):
                self._outcome(each)
            elif isinstance(each, Continued):
                self._continued(each)
            else:
                failed = each
        if end.error:
            self._failure(end.error, fate, failed, message_id=end.message.id)

    def task(self, event: ObjectEvent | Unreadable, result: Outcome | BucketBrigadeError) -> None:
        """Log a line for a task of S3 Batch Operations."""
        if isinstance(result, Outcome):
            self._outcome(result)
        else:
            known = event if isinstance(event, ObjectEvent) else None
            self._failure(result, RETRIED if result.transient else FAILED, known)

    def _outcome(self, outcome: Outcome) -> None:
        fields: Fields = {
            **_about(outcome.event),
            **_recheck(outcome),
            "destination": str(outcome.destination) if outcome.destination else None,
            "attempts": outcome.effort.attempts,
            "bytes": outcome.effort.bytes,
            "seconds": round(outcome.effort.seconds, 3),
        }
        if outcome.reason:
            fields["reason"] = outcome.reason
        if outcome.not_carried:
            fields["not_carried"] = list(outcome.not_carried)
        self._logger.info(outcome.action.value, extra=fields)
        if outcome.action in WRITING:
            self._count("Copied", 1)
            self._count("Bytes", outcome.effort.bytes)
        self.count_done(outcome.event)

    def _failure(self, error: Exception, fate: Fate, event: ObjectEvent | None = None, **fields: Any) -> None:
        self.log_failure(error, fate, **(_about(event) if event else {}), **fields)
        if event:
            # It stays unreplicated, and the lag alarm goes by how old it is by now.
            self.count_age(event)

    def _continued(self, continued: Continued) -> None:
        fields = {"reason": str(continued.error), "parts": continued.error.carried}
        self._logger.info(CONTINUED, extra={**_about(continued.event), **fields, **_recheck(continued)})
        self.count_age(continued.event)


def _recheck(end: Outcome | Continued) -> Fields:
    return {"recheck": True} if end.is_rechecked else {}


def _about(event: ObjectEvent) -> Fields:
    return {
        "event": event.name,
        "bucket": event.object.bucket,
        "key": event.object.key,
        "version_id": event.object.version_id,
        "sequencer": event.sequencer,
    }
