"""How every task writes down what failed, and counts it: the base of their own outcome logs."""

from datetime import UTC, datetime

from tasks.utils.batches import REASON_LIMIT, State
from tasks.utils.s3_object import printable

FAILED = "failed"
DEAD_LETTERED = "dead-lettered"
RETRIED = "will be retried"


def fate_of(end):
    """Returns what becomes of the message of a `batches.End` that failed: one of this module's words."""
    return DEAD_LETTERED if end.state is State.DEAD_LETTERED else RETRIED


class OutcomeLog:
    """Writes log lines and counts metrics.

    Args:
        logger: a logger that takes `extra` as fields.
        count: takes the name of a metric and a value.
    """

    def __init__(self, logger, count):
        self._logger = logger
        self._count = count

    def failure(self, error, fate, **fields):
        """Writes a line for something that failed, and counts it.

        Args:
            error: an exception; it may repeat a record of up to 256 KiB, so its beginning is written.
            fate: what becomes of it: one of this module's words.
            **fields: what else the line tells.
        """
        about = {**fields, "reason": printable(str(error))[:REASON_LIMIT], "error": type(error).__name__}
        self._logger.error(fate, extra=about)
        self._count("Failed", 1)
        if fate == DEAD_LETTERED:
            self._count("DeadLettered", 1)

    def deferred(self, error, **fields):
        """Writes a line for a message that was not begun with, which is no failure."""
        self._logger.warning(RETRIED, extra={**fields, "reason": str(error)})

    def count_age(self, event):
        """Counts how old an `ObjectEvent` is by now, if it says when it happened."""
        if event.time:
            # An event without a zone, from a test or a hand, is taken for UTC as all of S3's are.
            moment = event.time if event.time.tzinfo else event.time.replace(tzinfo=UTC)
            self._count("EventAge", max(0.0, (datetime.now(UTC) - moment).total_seconds()))
