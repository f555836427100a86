"""Batches of messages, and handlers that fail."""

from tasks.object_clerk.errors import (
    ObjectClerkServerInternalException,
)
from tasks.utils.batches import DeadLetters
from tasks.utils.errors import EventError
from tasks.utils.work_queue import WorkQueue
from tests.support.events import sqs_event

NO_QUEUE = WorkQueue(None, "")
NONE = DeadLetters(None, "")
FOR_GOOD = EventError("never")
FOR_NOW = ObjectClerkServerInternalException("later")


def batch(size, *, groups=None):
    return sqs_event(*("{}" for _ in range(size)), groups=groups)


def failing(errors, seen=None):
    """Return a handler that raises the error of a message's id in `errors`."""

    def handle(message):
        if seen is not None:
            seen.append(message.id)
        if message.id in errors:
            raise errors[message.id]

    return handle


def failed(result):
    return [failure["itemIdentifier"] for failure in result.answer["batchItemFailures"]]
