"""The log line and the metrics of each outcome."""

from tasks.utils import outcome_log
from tasks.utils.events import ObjectEvent

# A record that cannot be read may be anything, up to 256 KiB of it.
RECORD_LIMIT = 2_000


class OutcomeLog(outcome_log.OutcomeLog):
    """Writes down what came of each event."""

    def outcomes(self, outcomes, *, fate=outcome_log.FAILED):
        """Writes a line for each outcome, and counts it.

        Args:
            outcomes: a list of `Outcome`.
            fate: what becomes of those that failed: one of `utils.outcome_log`'s three words.
        """
        for outcome in outcomes:
            if outcome.error:
                self.log_failure(outcome.error, fate, **_fields(outcome))
            elif outcome.skipped:
                self._logger.info("nothing to do", extra={**_fields(outcome), "reason": outcome.skipped})
            else:
                self._success(outcome)

    def _success(self, outcome):
        lacks = {"not_carried": outcome.copied.not_carried} if outcome.copied.not_carried else {}
        message = "archived" if outcome.copied.written else "already archived"
        self._logger.info(message, extra={**_fields(outcome), **lacks})
        if outcome.copied.written:
            self._count("Copied", 1)
            self._count("Bytes", outcome.event.size or 0)
        self.count_age(outcome.event)


def _fields(outcome):
    if not isinstance(outcome.event, ObjectEvent):
        return {"record": repr(outcome.event.record)[:RECORD_LIMIT]}
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
