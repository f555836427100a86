"""A dead letter: what a message of a dead-letter queue is about, and why it is there.

A message has one of four origins. The function sent it, with the reason in its attributes. SQS moved it after too many
receives. EventBridge could not deliver it (EventBridge User Guide, "Using dead-letter queues to process undelivered
events"). Or an asynchronous invocation failed (AWS Lambda Developer Guide, "Capturing records of Lambda asynchronous
invocations").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from ops.letter_queues import LetterQueue
from ops.reasons import shape_of
from tasks.utils.errors import EventError
from tasks.utils.events import ObjectEvent, decode_json, object_events
from tasks.utils.s3_object import S3Object

NO_REASON = "no reason: the function was killed, ran out of time or memory, or did not start"
NOT_RECORDED = "no reason is recorded"

# The attributes that a function adds to a dead letter.
OF_A_DEAD_LETTER = frozenset({"Reason", "ErrorType", "MessageId"})


@dataclass(frozen=True)
class DeadLetter:
    """A message of a dead-letter queue.

    Attributes:
        queue: the queue.
        message: the message as ReceiveMessage returns it, with all attributes.
    """

    queue: LetterQueue
    message: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The message's id."""
        return str(self.message["MessageId"])

    @property
    def receipt(self) -> str:
        """The handle of its last receive."""
        return str(self.message["ReceiptHandle"])

    @property
    def body(self) -> str:
        """Its text."""
        return str(self.message["Body"])

    @property
    def group(self) -> str:
        """Its FIFO group, or ""."""
        return self._system("MessageGroupId")

    @property
    def receives(self) -> int:
        """The number of its receives in all of its queues."""
        return int(self._system("ApproximateReceiveCount") or 0)

    @property
    def sent(self) -> datetime:
        """The time when it was sent; SQS keeps the first time of a message that it moves between standard queues."""
        return datetime.fromtimestamp(int(self._system("SentTimestamp") or 0) / 1000, UTC)

    @property
    def reason(self) -> str:
        """Why it is a dead letter."""
        failure = self._failure.get("errorMessage")
        known = self.attribute("Reason") or self.attribute("ERROR_MESSAGE") or _text(failure)
        return known or (NO_REASON if self.queue.work else NOT_RECORDED)

    @property
    def error(self) -> str:
        """The type of the error, or "-"."""
        failure = self._failure.get("errorType")
        return self.attribute("ErrorType") or self.attribute("ERROR_CODE") or _text(failure) or "-"

    @property
    def shape(self) -> str:
        """The reason without what differs from message to message."""
        return shape_of(self.reason, self.addresses)

    @property
    def origin(self) -> str:
        """Where it came from, in words."""
        if self.is_invocation:
            condition = _text(_dict(self._record.get("requestContext")).get("condition")) or "failed"
            return f"an asynchronous invocation of {self.queue.function}: {condition}"
        if rule := self.attribute("RULE_ARN"):
            return f"EventBridge's rule {rule.rpartition('/')[2]}"
        if self.attribute("MessageId"):
            return f"sent by {self.queue.function}, as message {self.attribute('MessageId')} of its queue"
        return f"moved by SQS after {self.receives} receives" if self.queue.work else "sent to the queue"

    @property
    def is_invocation(self) -> bool:
        """Whether it records an asynchronous invocation that failed."""
        return "requestPayload" in self._record

    @property
    def is_sendable(self) -> bool:
        """Whether its queue takes it, or its function: a queue takes any text, a function takes JSON."""
        return self._decoded is not None or self.queue.work is not None

    @property
    def payload(self) -> Any:
        """The event: of an invocation that failed, its payload; None if the body is not JSON."""
        return self._record["requestPayload"] if self.is_invocation else self._decoded

    @cached_property
    def addresses(self) -> list[S3Object]:
        """The addresses of the objects that it is about."""
        return [found.object for found in object_events(self.payload) if isinstance(found, ObjectEvent)]

    @property
    def key(self) -> str:
        """The key of the first object, or ""."""
        return self.addresses[0].key if self.addresses else ""

    def attribute(self, name: str) -> str:
        """Return a message attribute, or ""."""
        return _text(_dict(self.message.get("MessageAttributes")).get(name, {}).get("StringValue"))

    @property
    def attributes_of_copy(self) -> dict[str, Any]:
        """The message attributes of its copy in the work queue."""
        found = _dict(self.message.get("MessageAttributes"))
        return {name: value for name, value in found.items() if name not in OF_A_DEAD_LETTER}

    @cached_property
    def _decoded(self) -> Any:
        try:
            return decode_json(self.body)
        except EventError:
            return None

    @property
    def _record(self) -> dict[str, Any]:
        return _dict(self._decoded)

    @property
    def _failure(self) -> dict[str, Any]:
        return _dict(self._record.get("responsePayload")) if self.is_invocation else {}

    def _system(self, name: str) -> str:
        return _text(_dict(self.message.get("Attributes")).get(name))


@dataclass(frozen=True)
class Selection:
    """The dead letters that the options of a command select.

    Attributes:
        reason: a part of the reason, in upper or lower case; or None.
        error: the type of the error, or None.
        key: a key, or a prefix that ends with a slash; or None.
    """

    reason: str | None = None
    error: str | None = None
    key: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether it selects every dead letter."""
        return self == Selection()

    def has(self, letter: DeadLetter) -> bool:
        """Return whether it selects a dead letter."""
        return self._has_reason(letter) and self.error in (None, letter.error) and self._has_key(letter)

    def _has_reason(self, letter: DeadLetter) -> bool:
        if self.reason is None:
            return True
        # A person copies the reason from a group, in which parts are left out, or from a log line, which has them all.
        wanted = self.reason.casefold()
        return wanted in letter.reason.casefold() or wanted in letter.shape.casefold()

    def _has_key(self, letter: DeadLetter) -> bool:
        keys = [address.key for address in letter.addresses]
        if self.key is None or self.key in keys:
            return True
        return self.key.endswith("/") and any(key.startswith(self.key) for key in keys)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
