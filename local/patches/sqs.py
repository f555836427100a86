"""Queues: no message lost or overtaken, and what SQS refuses is refused.

Limits: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

# A patch reaches into moto by its nature.
# pylint: disable=protected-access

import itertools
import json
import re
import threading
import time
from typing import Any

from moto.core.utils import unix_time_millis
from moto.sqs.constants import MAXIMUM_VISIBILITY_TIMEOUT
from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid, SQSException
from moto.sqs.models import DEDUPLICATION_TIME_IN_SECONDS, Message, Queue, SQSBackend

from local.patches.hooks import HOOKS
from local.patches.patching import patch

# Guards the messages of all queues, and tells those who wait for one that there may be one now.
QUEUES_CHANGED = threading.Condition()

# How long a receiver waits at most before it looks for messages whose visibility time-out has ended.
LOOK_AGAIN_SECONDS = 0.1

# Alphanumeric and punctuation, which is ASCII without the space.
FIFO_ID = re.compile(r"[!-~]{1,128}")
UNFIT_FOR_MESSAGES = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_sequence = itertools.count(time.time_ns())


def next_sequence_number() -> str:
    """Give the sequence number of the next message of a FIFO queue."""
    return f"{next(_sequence):020d}"


@patch(SQSBackend, "delete_message")
def delete_while_nobody_sends(original: Any, backend: Any, queue_name: str, receipt_handle: str) -> None:
    """A delete removes one message; moto also loses one that is sent meanwhile."""
    with QUEUES_CHANGED:
        original(backend, queue_name, receipt_handle)
        QUEUES_CHANGED.notify_all()


@patch(Message, "mark_received")
def remember_receipts(original: Any, message: Any, visibility_timeout: int | None = None) -> None:
    """Twelve hours after it was received a message is visible again at the latest; moto counts from when it was sent.

    Amazon SQS API Reference, ChangeMessageVisibility.
    """
    original(message, visibility_timeout)
    vars(message)["_received_at"] = unix_time_millis()


@patch(SQSBackend, "change_message_visibility")
def change_visibility_in_flight(
    _original: Any, backend: Any, queue_name: str, receipt_handle: str, visibility_timeout: int
) -> None:
    """Only a message that is in flight has a visibility time-out that can be changed; moto changes any.

    Amazon SQS API Reference, ChangeMessageVisibility, the error `MessageNotInflight`.
    """
    queue = backend.get_queue(queue_name)
    message = next((one for one in queue._messages if one.had_receipt_handle(receipt_handle)), None)
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
def tell_waiters_of_visibility(original: Any, backend: Any, *args: Any, **kwargs: Any) -> None:
    """A message that is made visible is received by who waits; moto leaves the waiter alone."""
    with QUEUES_CHANGED:
        original(backend, *args, **kwargs)
        QUEUES_CHANGED.notify_all()


@patch(SQSBackend, "receive_message")
def receive_in_order(
    original: Any, backend: Any, queue_name: str, count: int, wait_seconds_timeout: int, *more: Any, **named: Any
) -> list[Any]:
    """Messages of a group come in order also after a visibility time-out, and each to one receiver at a time.

    Moto makes the messages that timed out available one after the other, so that a later one overtakes, and may give
    one to two receivers.
    """
    deadline = time.monotonic() + wait_seconds_timeout
    with QUEUES_CHANGED:
        while True:
            queue = backend.get_queue(queue_name)
            queue._pending_messages = {message for message in queue._pending_messages if not message.visible}
            received = original(backend, queue_name, count, 0, *more, **named)
            remaining = deadline - time.monotonic()
            if received or remaining <= 0 or HOOKS.closed:
                return received
            QUEUES_CHANGED.wait(min(remaining, LOOK_AGAIN_SECONDS))


@patch(Queue, "add_message")
def keep_duplicates_out(_original: Any, queue: Any, message: Any) -> None:
    """A deduplication id is remembered for five minutes; moto forgets it when the message is deleted.

    Moto also polls the queue for its functions here, inside SendMessage: whoever runs functions polls for himself.
    """
    with QUEUES_CHANGED:
        # A message that was received before comes from another queue, whose dead-letter queue this is.
        if queue.fifo_queue and not message.approximate_receive_count and _is_duplicate(queue, message):
            return
        # Where a redrive takes it to, should it become a dead letter.
        vars(message).setdefault("_sent_to", queue.queue_arn)
        queue._messages.append(message)
        QUEUES_CHANGED.notify_all()


@patch(Queue, "attributes")
def tell_who_may_redrive(original: Any, queue: Any) -> dict[str, Any]:
    """A queue tells its `RedriveAllowPolicy`; moto takes it and never gives it back."""
    policy = getattr(queue, "redrive_allow_policy", None)
    return {**original(queue), **({"RedriveAllowPolicy": policy} if policy else {})}


@patch(Queue, "attributes")
def tell_the_redrive_policy_as_it_was_put(original: Any, queue: Any) -> dict[str, Any]:
    """A queue tells its `RedrivePolicy` without spaces; moto puts some in, which Terraform takes for a change."""
    told = original(queue)
    if "RedrivePolicy" in told:
        told["RedrivePolicy"] = json.dumps(queue.redrive_policy, separators=(",", ":"))
    return told


@patch(SQSBackend, "get_queue_attributes")
def find_who_may_redrive(original: Any, backend: Any, queue_name: str, attribute_names: list[str]) -> dict[str, Any]:
    """`RedriveAllowPolicy` is an attribute that can be asked for; moto does not know it."""
    others = [name for name in attribute_names if name != "RedriveAllowPolicy"]
    found = original(backend, queue_name, others)
    if others != attribute_names:
        told = backend.get_queue(queue_name).attributes
        found |= {name: told[name] for name in ("RedriveAllowPolicy",) if name in told}
    return found


@patch(SQSBackend, "send_message")
def number_messages_in_order(original: Any, backend: Any, queue_name: str, *args: Any, **kwargs: Any) -> Any:
    """Every message of a FIFO queue has a sequence number, and they grow; moto's are random and often missing."""
    with QUEUES_CHANGED:
        message = original(backend, queue_name, *args, **kwargs)
        if backend.get_queue(queue_name).fifo_queue:
            message.sequence_number = next_sequence_number()
        return message


@patch(SQSBackend, "_validate_message")
def refuse_unfit_ids(original: Any, backend: Any, queue: Any, message_body: str, *args: Any, **kwargs: Any) -> None:
    """Group and deduplication ids are 1 to 128 ASCII characters without spaces; moto takes any."""
    original(backend, queue, message_body, *args, **kwargs)
    named = {"MessageGroupId": kwargs.get("group_id"), "MessageDeduplicationId": kwargs.get("deduplication_id")}
    for name, value in named.items():
        if value is not None and not FIFO_ID.fullmatch(value):
            raise InvalidParameterValue(
                f"Value {value} for parameter {name} is invalid. Reason: {name} can only include alphanumeric and "
                "punctuation characters. 1 to 128 in length."
            )


@patch(SQSBackend, "send_message")
def refuse_unfit_characters(original: Any, backend: Any, queue_name: str, message_body: str, *args: Any, **kwargs: Any):
    """A message has only characters that XML allows; moto takes any."""
    if UNFIT_FOR_MESSAGES.search(message_body):
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
    """The size of a message is that of its body and attributes in bytes; moto counts the characters of the body."""
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
    """Tell whether a message like this one was sent lately, and remember this one if not."""
    scope = message.group_id if queue.deduplication_scope == "messageGroup" else None
    sent = vars(queue).setdefault("_sent_lately", {})
    before = sent.get((scope, message.deduplication_id))
    if before is not None and message.sent_timestamp - before < DEDUPLICATION_TIME_IN_SECONDS * 1000:
        return True
    sent[scope, message.deduplication_id] = message.sent_timestamp
    return False
