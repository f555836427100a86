"""The log line and the metrics of each outcome."""

from dataclasses import dataclass
from datetime import datetime, timezone

from tasks.partition_replicate.outcome import Action, Outcome, Unfinished
from tasks.utils.events import ObjectEvent

FAILED = "failed"
DEAD_LETTERED = "dead-lettered"
RETRIED = "will be retried"
CONTINUED = "will be gone on with"

WRITING = (Action.REPLICATED, Action.TAGGED, Action.DELETED)


@dataclass(frozen=True)
class Continued:
    """Some bytes of an object were carried, and another message carries on."""

    event: ObjectEvent
    error: Unfinished


class Journal:
    """Writes down what came of each event.

    Args:
        logger: a logger that takes `extra` as fields.
        count: takes the name of a metric and a value.
    """

    def __init__(self, logger, count):
        self._logger = logger
        self._count = count

    def message(self, end, told, fate):
        """Writes a line for each event of a message.

        Args:
            end: the message's `batches.End`.
            told: what is known of its events: an `Outcome`, a `Continued`, or the event itself where it failed.
            fate: what becomes of the message if it failed: one of this module's words.
        """
        failed = None
        for each in told:
            if isinstance(each, Outcome):
                self._outcome(each)
            elif isinstance(each, Continued):
                self._continued(each)
            else:
                failed = each
        if end.error:
            self._failure(end.error, fate, failed, message_id=end.message.id)

    def deferred(self, end):
        """Writes a line for a message that was not begun with, which is no failure."""
        self._logger.warning(RETRIED, extra={"message_id": end.message.id, "reason": str(end.error)})

    def task(self, event, result):
        """Writes a line for a task of S3 Batch Operations, of which `result` is an `Outcome` or an error."""
        if isinstance(result, Outcome):
            self._outcome(result)
        else:
            known = event if isinstance(event, ObjectEvent) else None
            self._failure(result, RETRIED if result.transient else FAILED, known)

    def _outcome(self, outcome):
        fields = {
            **_about(outcome.event),
            "destination": str(outcome.destination) if outcome.destination else None,
            "attempts": outcome.attempts,
            "bytes": outcome.size,
            "seconds": round(outcome.seconds, 3),
        }
        if outcome.reason:
            fields["reason"] = outcome.reason
        if outcome.not_carried:
            fields["not_carried"] = outcome.not_carried
        self._logger.info(outcome.action.value, extra=fields)
        if outcome.action in WRITING:
            self._count("Copied", 1)
            self._count("Bytes", outcome.size)
        self._count_age(outcome.event)

    def _failure(self, error, fate, event=None, **fields):
        about = _about(event) if event else {}
        self._logger.error(fate, extra={**about, **fields, "reason": str(error), "error": type(error).__name__})
        self._count("Failed", 1)
        if fate == DEAD_LETTERED:
            self._count("DeadLettered", 1)
        if event:
            # It stays unreplicated, and how old it is by now is what the lag alarm wants to know.
            self._count_age(event)

    def _continued(self, continued):
        fields = {"reason": str(continued.error), "parts": continued.error.carried}
        self._logger.info(CONTINUED, extra={**_about(continued.event), **fields})
        self._count_age(continued.event)

    def _count_age(self, event):
        if event.time:
            # An event without a zone, from a test or a hand, is taken for UTC as all of S3's are.
            moment = event.time if event.time.tzinfo else event.time.replace(tzinfo=timezone.utc)
            self._count("EventAge", max(0.0, (datetime.now(timezone.utc) - moment).total_seconds()))


def _about(event):
    return {
        "event": event.name,
        "bucket": event.object.bucket,
        "key": event.object.key,
        "version_id": event.object.version_id,
        "sequencer": event.sequencer,
    }
