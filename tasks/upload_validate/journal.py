"""The log line and the metrics of each set."""

from tasks.upload_validate.report import PUBLISHED, REJECTED
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.s3_object import printable

# A reason may repeat a record of up to 256 KiB.
REASON_LIMIT = 2_000


class Journal:
    """Writes down what came of each set.

    Args:
        logger: a logger that takes `extra` as fields.
        count: takes the name of a metric and a value.
        tell: takes an error that nobody foresaw.
    """

    def __init__(self, logger, count, tell=lambda error: None):
        self._logger = logger
        self._count = count
        self._tell = tell

    def result(self, result):
        """Writes how it ended with a set, and counts it if that is news."""
        about = {
            "set": printable(result.prefix),
            "files": result.files,
            "errors": result.errors,
            "digest": result.digest,
        }
        self._logger.info(result.outcome if result.anew else f"already {result.outcome}", extra=about)
        metric = {PUBLISHED: "Published", REJECTED: "Rejected"}.get(result.outcome)
        if metric and result.anew:
            self._count(metric, 1)

    def ignored(self, event, reason):
        """Writes that an event asks for nothing."""
        self._logger.info("nothing to do", extra={"object": str(event.object), "event": event.name, "reason": reason})

    def failure(self, error, *, dead_lettered, **fields):
        """Writes a line for a message that failed, and counts it."""
        fate = "dead-lettered" if dead_lettered else "will be retried"
        about = {**fields, "reason": printable(str(error))[:REASON_LIMIT], "error": type(error).__name__}
        self._logger.error(fate, extra=about)
        self._count("Failed", 1)
        if dead_lettered:
            self._count("DeadLettered", 1)
        if not isinstance(error, BucketBrigadeError):
            self._tell(error)
