"""Errors on order: the next calls of an operation of S3 or DynamoDB answer with an error of one's choice."""

import threading
from collections.abc import Collection
from dataclasses import dataclass

# S3 sends the status before it is done with these, so an error comes inside the answer.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
ANSWER_BEFORE_THEY_END = frozenset({"CopyObject", "UploadPartCopy", "CompleteMultipartUpload"})


# One for each value of an answer.
@dataclass
class Fault:  # pylint: disable=too-many-instance-attributes
    """An error that S3 or DynamoDB gives to the next calls of one operation.

    Attributes:
        operation: The operation as botocore names it, such as `CopyObject`.
        bucket: The bucket, or table, it is limited to; None is any.
        key: The key it is limited to; None is any.
        times: How many calls still get it.
        status: The HTTP status; 200 for an error inside an answer that seems to go well.
        code: The error code, such as `SlowDown`.
        message: What the answer says.
        reasons: Why DynamoDB cancels a transaction: a code for each item, such as `ThrottlingError`.
        done: Whether the operation is done all the same, so that only its answer is lost.
    """

    operation: str
    bucket: str | None
    key: str | None
    times: int
    status: int
    code: str
    message: str
    reasons: tuple[str, ...] = ()
    done: bool = False

    def concerns(self, operation: str, bucket: str, key: str) -> bool:
        """Tell whether a call is one of those that get this error."""
        return self.operation == operation and self.bucket in (None, bucket) and self.key in (None, key)


class Faults:
    """The errors that are on order; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ordered: list[Fault] = []

    # The nine values are the whole point, and all but the first are named by the caller.
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
        reasons: Collection[str] = (),
        done: bool = False,
    ) -> None:
        """Let the next `times` matching calls fail.

        Args:
            operation: The operation as botocore names it, such as `CopyObject`.
            bucket: Only calls on this bucket (for a copy: the destination), or on this table.
            key: Only calls on this key, as it is before it is URL-encoded.
            times: How many calls fail.
            status: The HTTP status they get. CopyObject, UploadPartCopy and CompleteMultipartUpload may answer 200 and
                have the error inside.
            code: The error code they get, such as `SlowDown`.
            message: The text they get; the code again when it is empty.
            reasons: With `TransactionCanceledException`, a code for each item; "None" for one without fault.
            done: Do what is asked all the same, and lose only the answer.

        Raises:
            ValueError: No operation but those three answers 200 with an error inside.
        """
        if status == 200 and operation not in ANSWER_BEFORE_THEY_END:
            raise ValueError(f"{operation} never answers 200 with an error inside")
        fault = Fault(operation, bucket, key, times, status, code, message or code, tuple(reasons), done)
        with self._lock:
            self._ordered.append(fault)

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
