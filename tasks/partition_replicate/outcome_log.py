"""The log line and the metrics of each outcome."""

from dataclasses import dataclass

from tasks.partition_replicate.outcome import Action, Outcome, Unfinished
from tasks.utils import outcome_log
from tasks.utils.events import ObjectEvent
from tasks.utils.outcome_log import FAILED, RETRIED

CONTINUED = "will be gone on with"

WRITING = (Action.REPLICATED, Action.TAGGED, Action.DELETED)


@dataclass(frozen=True)
class Continued:
    """Some bytes of an object were carried, and another message carries on.

    Attributes:
        event: the `ObjectEvent`.
        error: why it is not done.
        is_rechecked: see `Outcome`.
    """

    event: ObjectEvent
    error: Unfinished
    is_rechecked: bool = False


class OutcomeLog(outcome_log.OutcomeLog):
    """Writes down what came of each event."""

    def message(self, end, told, fate):
        """Writes a line for each event of a message.

        Args:
            end: the message's `batches.End`.
            told: what is known of its events: an `Outcome`, a `Continued`, or the event itself where it failed.
            fate: what becomes of the message if it failed: one of `utils.outcome_log`'s words.
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
            **_recheck(outcome),
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
        self.count_age(outcome.event)

    def _failure(self, error, fate, event=None, **fields):
        self.log_failure(error, fate, **(_about(event) if event else {}), **fields)
        if event:
            # It stays unreplicated, and how old it is by now is what the lag alarm wants to know.
            self.count_age(event)

    def _continued(self, continued):
        fields = {"reason": str(continued.error), "parts": continued.error.carried}
        self._logger.info(CONTINUED, extra={**_about(continued.event), **fields, **_recheck(continued)})
        self.count_age(continued.event)


def _recheck(end):
    return {"recheck": True} if end.is_rechecked else {}


def _about(event):
    return {
        "event": event.name,
        "bucket": event.object.bucket,
        "key": event.object.key,
        "version_id": event.object.version_id,
        "sequencer": event.sequencer,
    }
