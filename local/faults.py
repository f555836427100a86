"""Errors on order: the next calls of an S3 operation answer with an error of one's choice."""

import threading
from dataclasses import dataclass


@dataclass
class Fault:
    """An error that S3 gives to the next calls of one operation.

    Attributes:
        operation: The operation as botocore names it, such as `CopyObject`.
        bucket: The bucket it is limited to; None is any.
        key: The key it is limited to; None is any.
        times: How many calls still get it.
        status: The HTTP status.
        code: The error code of S3, such as `SlowDown`.
        message: What the answer says.
    """

    operation: str
    bucket: str | None
    key: str | None
    times: int
    status: int
    code: str
    message: str

    def concerns(self, operation: str, bucket: str, key: str) -> bool:
        """Tell whether a call is one of those that get this error."""
        return self.operation == operation and self.bucket in (None, bucket) and self.key in (None, key)


class Faults:
    """The errors that are on order; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ordered: list[Fault] = []

    # The seven values are the whole point, and all but the first are named by the caller.
    def add(  # pylint: disable=too-many-arguments
        self,
        operation: str,
        *,
        bucket: str | None = None,
        key: str | None = None,
        times: int,
        status: int,
        code: str,
        message: str = "",
    ) -> None:
        """Let the next `times` matching S3 calls fail.

        Args:
            operation: The operation as botocore names it, such as `CopyObject`.
            bucket: Only calls on this bucket (for a copy: the destination).
            key: Only calls on this key, as it is before it is URL-encoded.
            times: How many calls fail.
            status: The HTTP status they get.
            code: The error code of S3 they get, such as `SlowDown`.
            message: The text they get; the code again when it is empty.
        """
        with self._lock:
            self._ordered.append(Fault(operation, bucket, key, times, status, code, message or code))

    def take(self, operation: str, bucket: str, key: str) -> Fault | None:
        """Use up one error for a call, the oldest that concerns it; None when there is none."""
        with self._lock:
            for fault in self._ordered:
                if fault.concerns(operation, bucket, key):
                    fault.times -= 1
                    self._ordered = [one for one in self._ordered if one.times > 0]
                    return fault
        return None

    def clear(self) -> None:
        """Forget every error that is on order."""
        with self._lock:
            self._ordered.clear()
