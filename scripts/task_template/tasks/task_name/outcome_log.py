"""The log line and the metrics of each message."""

from collections.abc import Iterable

from tasks.task_name.object_size import ObjectSize
from tasks.utils import outcome_log
from tasks.utils.batches import End
from tasks.utils.errors import DeferredError
from tasks.utils.events import ObjectEvent
from tasks.utils.outcome_log import fate_of


class OutcomeLog(outcome_log.OutcomeLog):
    """Logs each size and each failure."""

    def log_message(self, end: End, events: Iterable[ObjectEvent], sizes: Iterable[ObjectSize]) -> None:
        """Log the end of a message and the sizes of its objects, and count its events."""
        if isinstance(end.error, DeferredError):
            self.log_deferred(end.error, message_id=end.message.id)
        elif end.error:
            self.log_failure(end.error, fate_of(end), message_id=end.message.id)
        else:
            for event in events:
                self.count_done(event)
            for size in sizes:
                self._log_size(size)

    def _log_size(self, size: ObjectSize) -> None:
        fields = {
            "bucket": size.object.bucket,
            "key": size.object.key,
            "version_id": size.object.version_id,
            "bytes": size.bytes,
            "storage_class": size.storage_class,
        }
        self._logger.info("measured", extra=fields)
        self._count("Objects", 1)
        self._count("Bytes", size.bytes)
