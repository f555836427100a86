"""Queues: order, visibility, deduplication, and the limits of SQS.

Limits: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

# pylint: disable=protected-access  # a patch replaces internals of moto

import itertools
import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.core.utils import unix_time_millis
from moto.sqs.constants import MAXIMUM_VISIBILITY_TIMEOUT
from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid, SQSException
from moto.sqs.models import DEDUPLICATION_TIME_IN_SECONDS, Message, Queue, SQSBackend

from local.patches.hooks import HOOKS
from local.patches.patching import patch

# Guards the messages of all queues, and wakes the waiting receivers after a change.
QUEUES_CHANGED = threading.Condition()

# Maximum wait of a receiver before it checks for messages whose visibility time-out has ended.
RECHECK_SECONDS = 0.1

# Alphanumeric characters and punctuation: ASCII without the space.
FIFO_ID = re.compile(r"[!-~]{1,128}")
INVALID_CHARACTERS = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_sequence = itertools.count(time.time_ns())


def next_sequence_number() -> str:
    """Return the sequence number of the next message of a FIFO queue."""
    return f"{next(_sequence):020d}"


@patch(SQSBackend, "delete_message")
def lock_queue_during_delete(original: Any, backend: Any, queue_name: str, receipt_handle: str) -> None:
    """A delete removes one message; moto also loses a message that is sent at the same time."""
    with QUEUES_CHANGED:
        original(backend, queue_name, receipt_handle)
        QUEUES_CHANGED.notify_all()


@patch(Message, "mark_received")
def record_receive_time(original: Any, message: Any, visibility_timeout: int | None = None) -> None:
    """A message is visible again at most twelve hours after its receive; moto counts from its sending.

    Amazon SQS API Reference, ChangeMessageVisibility.
    """
    original(message, visibility_timeout)
    vars(message)["_received_at"] = unix_time_millis()


@patch(SQSBackend, "change_message_visibility")
def require_message_in_flight(
    _original: Any, backend: Any, queue_name: str, receipt_handle: str, visibility_timeout: int
) -> None:
    """Only a message in flight has a visibility time-out that can be changed; moto changes any.

    Amazon SQS API Reference, ChangeMessageVisibility, the error `MessageNotInflight`.
    """
    queue = backend.get_queue(queue_name)
    message = next((item for item in queue._messages if item.had_receipt_handle(receipt_handle)), None)
    if message is None:
        raise ReceiptHandleIsInvalid
    if message.visible:
        raise SQSException("AWS.SimpleQueueService.MessageNotInflight", "The message is not in flight.")
    received = vars(message).get("_received_at", message.sent_timestamp)
    if unix_time_millis() + visibility_timeout * 1000 - received > MAXIMUM_VISIBILITY_TIMEOUT * 1000:
        raise InvalidParameterValue(
            f"Value {visibility_timeout} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout "
            f"for the message is beyond the limit [{MAXIMUM_VISIBILITY_TIMEOUT} seconds]"
        )
    message.change_visibility(visibility_timeout)
    if message.visible:
        queue._pending_messages.discard(message)


@patch(SQSBackend, "change_message_visibility")
def wake_receivers_on_visibility_change(original: Any, backend: Any, *args: Any, **kwargs: Any) -> None:
    """A waiting receiver gets a message that becomes visible; moto does not wake it."""
    with QUEUES_CHANGED:
        original(backend, *args, **kwargs)
        QUEUES_CHANGED.notify_all()


@patch(SQSBackend, "receive_message")
def receive_in_order(
    original: Callable[..., list[Any]],
    backend: Any,
    queue_name: str,
    count: int,
    wait_seconds_timeout: float,
    *args: Any,
    **kwargs: Any,
) -> list[Any]:
    """Messages of a group are received in order, also after a visibility time-out, each by one receiver at a time.

    Moto releases messages one by one after their time-out, so that a later one may overtake, and may give the same
    message to two receivers.
    """
    deadline = time.monotonic() + wait_seconds_timeout
    with QUEUES_CHANGED:
        while True:
            queue = backend.get_queue(queue_name)
            queue._pending_messages = {message for message in queue._pending_messages if not message.visible}
            received = original(backend, queue_name, count, 0, *args, **kwargs)
            remaining = deadline - time.monotonic()
            if received or remaining <= 0 or HOOKS.closed:
                return received
            QUEUES_CHANGED.wait(min(remaining, RECHECK_SECONDS))


@patch(Queue, "add_message")
def drop_duplicates(_original: Any, queue: Any, message: Any) -> None:
    """SQS remembers a deduplication id for five minutes; moto forgets it when the message is deleted.

    Moto also polls the queue for its functions here, inside SendMessage; this patch leaves that to the Lambda service.
    """
    with QUEUES_CHANGED:
        # A message that was received before comes from a queue whose dead-letter queue this is.
        if queue.fifo_queue and not message.approximate_receive_count:
            if _is_duplicate(queue, message):
                return
            _deduplication_times(queue)[_deduplication_key(queue, message)] = message.sent_timestamp
        # The destination of a redrive, if the message becomes a dead letter.
        vars(message).setdefault("_sent_to", queue.queue_arn)
        queue._messages.append(message)
        QUEUES_CHANGED.notify_all()


@patch(SQSBackend, "set_queue_attributes")
def keep_policy_that_is_not_named(original: Any, backend: Any, queue_name: str, attributes: dict[str, Any]) -> Any:
    """SetQueueAttributes changes the attributes that it names; moto also removes a policy that it does not name."""
    return original(backend, queue_name, {"Policy": backend.get_queue(queue_name).policy, **attributes})


@patch(Queue, "attributes")
def return_redrive_allow_policy(original: Any, queue: Any) -> dict[str, Any]:
    """GetQueueAttributes returns the `RedriveAllowPolicy`; moto stores it and never returns it."""
    policy = getattr(queue, "redrive_allow_policy", None)
    return {**original(queue), **({"RedriveAllowPolicy": policy} if policy else {})}


@patch(Queue, "attributes")
def return_redrive_policy_without_spaces(original: Callable[..., dict[str, Any]], queue: Any) -> dict[str, Any]:
    """GetQueueAttributes returns the `RedrivePolicy` without spaces; moto adds spaces, and Terraform sees a change."""
    attributes = original(queue)
    if "RedrivePolicy" in attributes:
        attributes["RedrivePolicy"] = json.dumps(queue.redrive_policy, separators=(",", ":"))
    return attributes


@patch(SQSBackend, "get_queue_attributes")
def accept_redrive_allow_policy_attribute(
    original: Callable[..., dict[str, Any]], backend: Any, queue_name: str, attribute_names: list[str]
) -> dict[str, Any]:
    """GetQueueAttributes accepts the attribute name `RedriveAllowPolicy`; moto refuses it."""
    other_names = [name for name in attribute_names if name != "RedriveAllowPolicy"]
    selected = original(backend, queue_name, other_names)
    if other_names != attribute_names:
        attributes = backend.get_queue(queue_name).attributes
        selected |= {name: attributes[name] for name in ("RedriveAllowPolicy",) if name in attributes}
    return selected


@patch(SQSBackend, "send_message")
def number_messages(original: Any, backend: Any, queue_name: str, *args: Any, **kwargs: Any) -> Any:
    """Every message of a FIFO queue has an increasing sequence number; moto's are random and often missing."""
    with QUEUES_CHANGED:
        message = original(backend, queue_name, *args, **kwargs)
        if backend.get_queue(queue_name).fifo_queue:
            message.sequence_number = next_sequence_number()
        return message


@patch(SQSBackend, "_validate_message")
def refuse_invalid_ids(original: Any, backend: Any, queue: Any, message_body: str, *args: Any, **kwargs: Any) -> None:
    """Group and deduplication ids are 1 to 128 ASCII characters without spaces; moto accepts any."""
    original(backend, queue, message_body, *args, **kwargs)
    ids = {"MessageGroupId": kwargs.get("group_id"), "MessageDeduplicationId": kwargs.get("deduplication_id")}
    for name, value in ids.items():
        if value is not None and not FIFO_ID.fullmatch(value):
            raise InvalidParameterValue(
                f"Value {value} for parameter {name} is invalid. Reason: {name} can only include alphanumeric and "
                "punctuation characters. 1 to 128 in length."
            )


@patch(SQSBackend, "send_message")
def refuse_invalid_characters(
    original: Any, backend: Any, queue_name: str, message_body: str, *args: Any, **kwargs: Any
) -> Any:
    """A message has only characters that XML allows; moto accepts any."""
    if INVALID_CHARACTERS.search(message_body):
        raise SQSException("InvalidMessageContents", "The message contains characters outside the allowed set.")
    return original(backend, queue_name, message_body, *args, **kwargs)


@patch(SQSBackend, "send_message")
def refuse_long_messages(
    original: Any,
    backend: Any,
    queue_name: str,
    message_body: str,
    message_attributes: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Any:
    """The size limit counts the bytes of body and attributes; moto counts the characters of the body."""
    limit = backend.get_queue(queue_name).maximum_message_size
    if len(message_body.encode()) + _attributes_size(message_attributes or {}) > limit:
        raise InvalidParameterValue(
            f"One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
        )
    return original(backend, queue_name, message_body, message_attributes, **kwargs)


def _attributes_size(attributes: dict[str, Any]) -> int:
    parts = [(name, *attribute.values()) for name, attribute in attributes.items()]
    encoded = (part if isinstance(part, bytes) else str(part).encode() for attribute in parts for part in attribute)
    return sum(map(len, encoded))


def _is_duplicate(queue: Any, message: Any) -> bool:
    """Return whether a message with the same deduplication id was sent in the last five minutes."""
    earlier = _deduplication_times(queue).get(_deduplication_key(queue, message))
    return earlier is not None and message.sent_timestamp - earlier < DEDUPLICATION_TIME_IN_SECONDS * 1000


def _deduplication_key(queue: Any, message: Any) -> tuple[str | None, str]:
    scope = message.group_id if queue.deduplication_scope == "messageGroup" else None
    return scope, message.deduplication_id


def _deduplication_times(queue: Any) -> dict[tuple[str | None, str], int]:
    """Return the time, in milliseconds, of the last message of each deduplication id."""
    times: dict[tuple[str | None, str], int] = vars(queue).setdefault("_deduplication_times", {})
    return times
