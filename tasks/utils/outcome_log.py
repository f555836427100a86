"""Log lines and metrics of failures: the base of each task's own outcome log."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from tasks.utils.batches import REASON_LIMIT, End, State
from tasks.utils.errors import DeferredError, reason_of
from tasks.utils.events import ObjectEvent
from tasks.utils.s3_object import printable

# What becomes of a message that failed, as the message of its log line.
Fate = Literal["failed", "dead-lettered", "will be retried"]
FAILED: Fate = "failed"
DEAD_LETTERED: Fate = "dead-lettered"
RETRIED: Fate = "will be retried"


class Logger(Protocol):
    """A logger that takes `extra` as fields: Python's or Powertools'."""

    def info(self, msg: object, *, extra: Mapping[str, object]) -> None:
        """Log a line of level INFO."""

    def warning(self, msg: object, *, extra: Mapping[str, object]) -> None:
        """Log a line of level WARNING."""

    def error(self, msg: object, *, extra: Mapping[str, object]) -> None:
        """Log a line of level ERROR."""


def fate_of(end: End) -> Fate:
    """Return the fate of a message that failed."""
    return DEAD_LETTERED if end.state is State.DEAD_LETTERED else RETRIED


class OutcomeLog:
    """Writes log lines and counts metrics.

    Args:
        logger: writes the lines.
        count: adds a value to the metric of a name.
    """

    def __init__(self, logger: Logger, count: Callable[[str, float], None]) -> None:
        self._logger = logger
        self._count = count

    def log_unfinished(self, end: End) -> None:
        """Log a message whose work failed or did not begin; one that is done needs no line here."""
        if isinstance(end.error, DeferredError):
            self.log_deferred(end.error, message_id=end.message.id)
        elif end.error:
            self.log_failure(end.error, fate_of(end), message_id=end.message.id)

    def log_failure(self, error: Exception, fate: Fate, **fields: Any) -> None:
        """Log and count a failure.

        Args:
            error: the error. Its text may quote a record of up to 256 KiB, so only the beginning is logged.
            fate: what becomes of the message or the file set.
            **fields: further fields of the line.
        """
        more = {**fields, "reason": printable(reason_of(error))[:REASON_LIMIT], "error": type(error).__name__}
        self._logger.error(fate, extra=more)
        self._count("Failed", 1)
        if fate == DEAD_LETTERED:
            self._count("DeadLettered", 1)

    def log_deferred(self, error: Exception, **fields: Any) -> None:
        """Log a message whose work did not begin, which is no failure."""
        self._logger.warning(RETRIED, extra={**fields, "reason": str(error)})

    def count_done(self, event: ObjectEvent) -> None:
        """Count an event whose work ended without a failure, and its age."""
        self._count("Done", 1)
        self.count_age(event)

    def count_age(self, event: ObjectEvent) -> None:
        """Count the age of an event, if it names its time."""
        if event.time:
            # An event without a time zone comes from a test or a person. Events of S3 are in UTC, and so is this one.
            moment = event.time if event.time.tzinfo else event.time.replace(tzinfo=UTC)
            self._count("EventAge", max(0.0, (datetime.now(UTC) - moment).total_seconds()))
