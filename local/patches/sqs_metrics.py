"""Metrics of queues: counts of messages, and every few seconds the state of each queue.

Source: Amazon SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS".
"""

# pylint: disable=protected-access  # a patch replaces internals of moto

from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.utils import unix_time_millis
from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends

from local.patches.hooks import HOOKS
from local.patches.patching import patch
from local.patches.sqs import QUEUES_CHANGED

# SQS observes each queue once a minute. Values of the same minute become one, so this is only more precise.
SAMPLE_SECONDS = 5

# SQS leaves a message that was received more often out of the age of the oldest message.
RECEIVES_OF_POISON = 3


def sample_regularly() -> None:
    """Write the metrics of the state of each queue, now and every few seconds."""
    HOOKS.clock.call_later(SAMPLE_SECONDS, sample_regularly)
    sample()


def sample() -> None:
    """Write the metrics of the state of each queue."""
    backends = [backend for regions in list(sqs_backends.values()) for backend in list(regions.values())]
    for queue in [queue for backend in backends for queue in list(backend.queues.values())]:
        with QUEUES_CHANGED:
            state = _state_of(queue)
        _write(queue, state)


def _state_of(queue: Any) -> dict[str, float]:
    state: dict[str, float] = {
        "ApproximateNumberOfMessagesVisible": queue.approximate_number_of_messages,
        "ApproximateNumberOfMessagesNotVisible": queue.approximate_number_of_messages_not_visible,
        "ApproximateNumberOfMessagesDelayed": queue.approximate_number_of_messages_delayed,
    }
    ages = [age for message in queue._messages if (age := _age_of(message)) is not None]
    return {**state, "ApproximateAgeOfOldestMessage": max(ages)} if ages else state


def _age_of(message: Message) -> float | None:
    """Return the age of a message in its queue, in seconds; None if it was received too often."""
    arrived, receives = vars(message).get("_arrival", (message.sent_timestamp, 0))
    is_poison = message.approximate_receive_count - receives > RECEIVES_OF_POISON
    return None if is_poison else max(0.0, unix_time_millis() - arrived) // 1000


def _write(queue: Any, values: dict[str, float]) -> None:
    dimensions = [{"Name": "QueueName", "Value": queue.name}]
    units = {"ApproximateAgeOfOldestMessage": "Seconds"}
    cloudwatch_backends[queue.account_id][queue.region].put_metric_data(
        "AWS/SQS",
        [
            {"MetricName": name, "Value": value, "Unit": units.get(name, "Count"), "Dimensions": dimensions}
            for name, value in values.items()
        ],
    )


@patch(Queue, "add_message")
def count_sent_messages(original: Any, queue: Any, message: Any) -> None:
    """A message that is sent counts as `NumberOfMessagesSent`, and one that SQS moves to a dead-letter queue does not.

    The age of a message in a dead-letter queue begins with the move. Moto has no metrics of queues.
    """
    with QUEUES_CHANGED:
        before = len(queue._messages)
        original(queue, message)
        if len(queue._messages) == before:  # a duplicate
            return
        vars(message)["_arrival"] = (unix_time_millis(), message.approximate_receive_count)
    if not message.approximate_receive_count:
        _write(queue, {"NumberOfMessagesSent": 1})


@patch(SQSBackend, "receive_message")
def count_received_messages(original: Any, backend: Any, queue_name: str, *args: Any, **kwargs: Any) -> Any:
    """Each message of an answer to ReceiveMessage counts as `NumberOfMessagesReceived`; moto counts none."""
    received = original(backend, queue_name, *args, **kwargs)
    if received:
        _write(backend.get_queue(queue_name), {"NumberOfMessagesReceived": len(received)})
    return received


@patch(SQSBackend, "delete_message")
def count_deleted_messages(original: Any, backend: Any, queue_name: str, receipt_handle: str) -> None:
    """Each successful DeleteMessage counts as `NumberOfMessagesDeleted`, also a repeated one; moto counts none."""
    original(backend, queue_name, receipt_handle)
    _write(backend.get_queue(queue_name), {"NumberOfMessagesDeleted": 1})
