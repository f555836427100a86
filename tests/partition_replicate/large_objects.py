"""Objects in parts, and what a test sees of their transfers."""

import hashlib
import os
from contextlib import contextmanager

from tasks.object_clerk.parts import MIB, MIN_PART
from tasks.partition_replicate import handler as handler_module
from tests.conftest import session_of_the_tasks

# Three parts and the beginning of a fourth.
BODY = os.urandom(3 * MIN_PART + 12345)
# Enough parts for a kill at each of them.
SIXTY_FOUR = os.urandom(MIB) * 64


def digest(data):
    """Return a digest to compare in the place of megabytes, whose difference would flood the report."""
    return hashlib.sha256(data or b"").hexdigest()


@contextmanager
def listened_to(name, listener):
    """Let the task's clients, which are made again, call a listener within the block."""
    events = session_of_the_tasks().events
    events.register(name, listener)
    handler_module.worker.cache_clear()
    try:
        yield
    finally:
        events.unregister(name, listener)
        handler_module.worker.cache_clear()


def received(world):
    asked = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    return world.sqs.receive_message(QueueUrl=world.queue, **asked).get("Messages", [])
