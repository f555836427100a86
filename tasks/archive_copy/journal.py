"""The log line and the metrics of each outcome."""

from datetime import datetime, timezone

from tasks.utils.events import ObjectEvent

FAILED = "failed"
DEAD_LETTERED = "dead-lettered"
RETRIED = "will be retried"

# A record that cannot be read may be anything, up to 256 KiB of it, and the reason repeats it.
RECORD_LIMIT = REASON_LIMIT = 2_000


class Journal:
    """Writes down what came of each event.

    Args:
        logger: a logger that takes `extra` as fields.
        count: takes the name of a metric and a value.
    """

    def __init__(self, logger, count):
        self._logger = logger
        self._count = count

    def outcomes(self, outcomes, *, fate=FAILED):
        """Writes a line for each outcome, and counts it.

        Args:
            outcomes: a list of `Outcome`.
            fate: what becomes of those that failed: one of this module's three words.
        """
        for outcome in outcomes:
            if outcome.error:
                self.failure(outcome.error, fate, **_fields(outcome))
            elif outcome.skipped:
                self._logger.info("nothing to do", extra={**_fields(outcome), "reason": outcome.skipped})
            else:
                self._success(outcome)

    def failure(self, error, fate, **fields):
        """Writes a line for something that failed, and counts it."""
        self._logger.error(fate, extra={**fields, "reason": str(error)[:REASON_LIMIT], "error": type(error).__name__})
        self._count("Failed", 1)
        if fate == DEAD_LETTERED:
            self._count("DeadLettered", 1)

    def deferred(self, error, **fields):
        """Writes a line for a message that was not begun with, which is no failure."""
        self._logger.warning(RETRIED, extra={**fields, "reason": str(error)})

    def _success(self, outcome):
        self._logger.info("archived" if outcome.copied.written else "already archived", extra=_fields(outcome))
        if outcome.copied.written:
            self._count("Copied", 1)
            self._count("Bytes", outcome.event.size or 0)
        if outcome.event.time:
            self._count("EventAge", _age(outcome.event.time))


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


def _age(time):
    # An event without a zone, from a test or a hand, is taken for UTC as all of S3's are.
    moment = time if time.tzinfo else time.replace(tzinfo=timezone.utc)
    return max(0.0, (datetime.now(timezone.utc) - moment).total_seconds())
