"""The log line and the metrics of each set."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tasks.upload_validate.file_sets import FileSet
from tasks.upload_validate.verdict import PUBLISHED, REJECTED
from tasks.utils import outcome_log
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.events import ObjectEvent
from tasks.utils.s3_object import printable

NEWS, ALREADY, AGAIN = "news", "already", "again"


@dataclass(frozen=True)
class Result:
    """The result of one set.

    Attributes:
        file_set: the `FileSet`.
        outcome: `published`, `rejected` or `empty`.
        errors: the number of errors in its files.
        course: `NEWS`; `ALREADY` if this content was handled before and is still in its bucket; `AGAIN` if it was
            handled before and had to be put back.
    """

    file_set: FileSet
    outcome: str
    errors: int = 0
    course: str = NEWS

    def as_json(self) -> dict[str, Any]:
        """Return the result as the handler returns it."""
        return {
            "set": self.file_set.prefix,
            "outcome": self.outcome,
            "files": self.file_set.count,
            "errors": self.errors,
            "digest": self.file_set.digest,
        }


class OutcomeLog(outcome_log.OutcomeLog):
    """Logs the result of each set.

    Args:
        logger: a logger that writes `extra` as fields.
        count: takes the name of a metric and a value.
        report_bug: takes an error that this project does not raise on purpose.
    """

    def __init__(
        self,
        logger: outcome_log.Logger,
        count: Callable[[str, float], None],
        report_bug: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        super().__init__(logger, count)
        self._report_bug = report_bug

    def result(self, result: Result) -> None:
        """Log the result of a set; count it unless the same content was handled before."""
        fields = result.as_json()
        outcome = fields.pop("outcome")
        messages = {NEWS: outcome, ALREADY: f"already {outcome}", AGAIN: f"{outcome} again"}
        self._logger.info(messages[result.course], extra=fields | {"set": printable(fields["set"])})
        metric = {PUBLISHED: "Published", REJECTED: "Rejected"}.get(outcome)
        if metric and result.course == NEWS:
            self._count(metric, 1)
            self._count("Bytes", result.file_set.size)

    def ignored(self, event: ObjectEvent, reason: str) -> None:
        """Log that an event needs no work."""
        self._logger.info("nothing to do", extra={"object": str(event.object), "event": event.name, "reason": reason})

    def log_failure(self, error: Exception, fate: outcome_log.Fate, **fields: Any) -> None:
        """Log a message that failed, and count it; report an error that this project does not raise on purpose."""
        super().log_failure(error, fate, **fields)
        if not isinstance(error, BucketBrigadeError):
            self._report_bug(error)
