"""Injected errors: the next calls of an S3 or DynamoDB operation fail with a chosen error."""

import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Required, TypedDict, Unpack

# S3 sends the status of these before their work is done, so an error may follow inside a 200 answer.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
STATUS_BEFORE_RESULT = frozenset({"CopyObject", "UploadPartCopy", "CompleteMultipartUpload"})


@dataclass(frozen=True)
class FaultAnswer:
    """The answer of a failing call.

    Attributes:
        status: The HTTP status; 200 for an error inside a successful answer.
        code: The error code, such as `SlowDown`.
        message: The error message.
        reasons: Why DynamoDB cancels a transaction: a code for each item, such as `ThrottlingError`.
    """

    status: int
    code: str
    message: str
    reasons: tuple[str, ...] = ()


@dataclass
class Fault:
    """An error for the next calls of one operation.

    Attributes:
        operation: The operation as botocore names it, such as `CopyObject`.
        bucket: The bucket or table of the calls; None is any.
        key: The key of the calls; None is any.
        times: The number of calls that still fail.
        answer: The answer of these calls.
        done: Whether the operation is performed and only its answer is lost.
    """

    operation: str
    bucket: str | None
    key: str | None
    times: int
    answer: FaultAnswer
    done: bool

    def matches(self, operation: str, bucket: str, key: str) -> bool:
        """Return whether a call gets this error."""
        return self.operation == operation and self.bucket in (None, bucket) and self.key in (None, key)


class FaultOptions(TypedDict, total=False):
    """The arguments of `Faults.add`, which describes them."""

    bucket: str | None
    key: str | None
    times: Required[int]
    status: Required[int]
    code: Required[str]
    message: str
    reasons: Collection[str]
    done: bool


class Faults:
    """The errors to inject. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, operation: str, **options: Unpack[FaultOptions]) -> None:
        """Let the next `times` matching calls fail.

        Args:
            operation: The operation as botocore names it, such as `CopyObject`.
            **options: `times`, `status` and `code` are required.

                - `times`: The number of calls that fail.
                - `status`: Their HTTP status. CopyObject, UploadPartCopy and CompleteMultipartUpload may answer 200
                  with the error inside.
                - `code`: Their error code, such as `SlowDown`.
                - `message`: Their error message; the code by default.
                - `bucket`: Only calls on this bucket (for a copy: the destination), or on this table.
                - `key`: Only calls on this key, as it is before it is URL-encoded.
                - `reasons`: With `TransactionCanceledException`, a code for each item, "None" without a fault.
                - `done`: Whether to perform the operation and lose only its answer.

        Raises:
            ValueError: The status is 200, and the operation is none of these three.
        """
        status, code = options["status"], options["code"]
        if status == 200 and operation not in STATUS_BEFORE_RESULT:
            raise ValueError(f"{operation} never answers 200 with an error inside")
        answer = FaultAnswer(status, code, options.get("message") or code, tuple(options.get("reasons", ())))
        bucket, key = options.get("bucket"), options.get("key")
        fault = Fault(operation, bucket, key, options["times"], answer, options.get("done", False))
        with self._lock:
            self._faults.append(fault)

    def take(self, operation: str, bucket: str, key: str) -> Fault | None:
        """Use up one error for a call: the oldest that matches it, or None."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(operation, bucket, key):
                    fault.times -= 1
                    self._faults = [other for other in self._faults if other.times > 0]
                    return fault
        return None

    def clear(self) -> None:
        """Remove all errors."""
        with self._lock:
            self._faults.clear()
