"""The log line and the metrics of each set."""

from tasks.upload_validate.report import PUBLISHED, REJECTED
from tasks.upload_validate.validator import AGAIN, ALREADY, NEWS
from tasks.utils import outcome_log
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.s3_object import printable


class OutcomeLog(outcome_log.OutcomeLog):
    """Writes down what came of each set.

    Args:
        logger: a logger that takes `extra` as fields.
        count: takes the name of a metric and a value.
        tell: takes an error that nobody foresaw.
    """

    def __init__(self, logger, count, tell=lambda error: None):
        super().__init__(logger, count)
        self._tell = tell

    def result(self, result):
        """Writes how it ended with a set, and counts it if that is news."""
        about = {
            "set": printable(result.prefix),
            "files": result.files,
            "errors": result.errors,
            "digest": result.digest,
        }
        outcome = result.outcome
        words = {NEWS: outcome, ALREADY: f"already {outcome}", AGAIN: f"{outcome} again"}
        self._logger.info(words[result.course], extra=about)
        metric = {PUBLISHED: "Published", REJECTED: "Rejected"}.get(outcome)
        if metric and result.course == NEWS:
            self._count(metric, 1)

    def ignored(self, event, reason):
        """Writes that an event asks for nothing."""
        self._logger.info("nothing to do", extra={"object": str(event.object), "event": event.name, "reason": reason})

    def log_failure(self, error, fate, **fields):
        """Writes a line for a message that failed, and counts it; what nobody foresaw is told."""
        super().log_failure(error, fate, **fields)
        if not isinstance(error, BucketBrigadeError):
            self._tell(error)
