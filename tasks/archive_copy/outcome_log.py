"""The log line and the metrics of each outcome."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from tasks.archive_copy.archiver import Outcome
from tasks.object_clerk.copies import Copied
from tasks.utils import outcome_log
from tasks.utils.batches import End
from tasks.utils.errors import DeferredError
from tasks.utils.events import ObjectEvent
from tasks.utils.outcome_log import FAILED, Fate, fate_of

# A record that cannot be read may hold anything, up to 256 KiB.
RECORD_LIMIT = 2_000


class OutcomeLog(outcome_log.OutcomeLog):
    """Logs the outcome of each event."""

    def log_message(self, end: End, outcomes: Sequence[Outcome]) -> None:
        """Log the end of a message and the outcomes of its events."""
        self.log_outcomes(outcomes, fate_of(end))
        # An outcome names its object, so its error is logged once.
        if isinstance(end.error, DeferredError) or not any(outcome.error for outcome in outcomes):
            self.log_unfinished(end)

    def log_outcomes(self, outcomes: Iterable[Outcome], fate: Fate = FAILED) -> None:
        """Log and count each outcome.

        Args:
            outcomes: the outcomes.
            fate: what becomes of those that failed.
        """
        for outcome in outcomes:
            if outcome.error:
                self.log_failure(outcome.error, fate, **_fields(outcome))
            else:
                assert isinstance(outcome.event, ObjectEvent), "an unreadable event is an error"
                self._log_done(outcome, outcome.event)
                self.count_done(outcome.event)

    def _log_done(self, outcome: Outcome, event: ObjectEvent) -> None:
        if outcome.copied:
            self._log_copy(outcome, outcome.copied, event)
        else:
            self._logger.info("nothing to do", extra={**_fields(outcome), "reason": outcome.skipped})

    def _log_copy(self, outcome: Outcome, copied: Copied, event: ObjectEvent) -> None:
        lacks = {"not_carried": copied.not_carried} if copied.not_carried else {}
        message = "archived" if copied.written else "already archived"
        self._logger.info(message, extra={**_fields(outcome), **lacks})
        if copied.written:
            self._count("Copied", 1)
            self._count("Bytes", event.size or 0)


def _fields(outcome: Outcome) -> dict[str, Any]:
    if not isinstance(outcome.event, ObjectEvent):
        return {"record": json.dumps(outcome.event.record, default=str)[:RECORD_LIMIT]}
    source = outcome.event.object
    return {
        "event": outcome.event.name,
        "bucket": source.bucket,
        "key": source.key,
        "version_id": source.version_id,
        "destination": str(outcome.destination) if outcome.destination else None,
        "attempts": outcome.attempts,
        "bytes": outcome.event.size,
        "seconds": round(outcome.seconds, 3),
    }
