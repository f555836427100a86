"""A container of `replicate` and `enqueue`, as `tests.support.containers` starts it: the real handlers without mocks.

Objects are small, so that a history costs little. An object of `PARTED` bytes is copied as an upload of one part,
because SeaweedFS, like S3, requires 5 MiB for each part but the last.
"""

import os
import random
import threading
from dataclasses import replace
from functools import partial

from tasks.object_clerk import pacer, parts
from tasks.object_clerk.s3_requests import head
from tasks.object_clerk.transport import clients
from tasks.partition_replicate import handler, table
from tasks.partition_replicate.reconcile import apply_reads, object_snapshot, observe, plan_current, uploads
from tasks.utils import key_messages
from tests.support.containers import context_of, serve

PARTED, LEAST_PART = 12_000, parts.MIN_PART
# The worker reads larger objects after its first observation.
TAKEN_ALONG = 1_000
# Seconds of each wait, so that a history costs little.
WAIT = 0.002


def shrink():
    """Make limits, sizes and waits small."""
    # An upload of one part has a part as small as its object.
    parts.MIN_PART = 1
    handler.StreamLimits = partial(handler.StreamLimits, threshold=PARTED, part_size=LEAST_PART)
    handler.POLICY = replace(handler.POLICY, delay=WAIT, jitter=(0.0, WAIT))
    handler.TABLE_POLICY = replace(handler.TABLE_POLICY, delay=WAIT, jitter=(0.0, WAIT))
    pacer.FIRST_PAUSE = pacer.LONGEST_PAUSE = WAIT
    for module in (apply_reads, object_snapshot, plan_current):
        module.TAKEN_ALONG = TAKEN_ALONG


def warm():
    """Let botocore read its descriptions of the services, which the containers inherit."""
    how = {"region_name": "eu-west-1", "aws_access_key_id": "none", "aws_secret_access_key": "none"}
    secrets, queues = (clients.client(name, **how) for name in ("secretsmanager", "sqs"))
    for made in (clients.s3(direct=True, **how), clients.dynamodb(direct=True, **how), secrets, queues):
        made.close()


def _head_finds_nothing(requests, address, **_):
    return head(requests, address) is None


def _do_nothing(*_, **__):
    return None


def _record_nothing(_table, _key, _before, after, _row):
    return after


# The errors that a test plants, to prove that histories find them. Two others are missing here: a write without its
# precondition, and a write without an observation of the source after it. A recheck or the next event repairs both, so
# only test_convergence.py, which checks every moment, can find them.
PLANTED = {
    "no compare-and-swap of the row": lambda: setattr(table, "_unchanged", lambda _revision: {}),
    "no record of what was made": lambda: setattr(table.Table, "write_version", _record_nothing),
    "no recheck": lambda: setattr(key_messages.RecheckQueue, "send", _do_nothing),
    "a marker is gone where a HEAD finds none": lambda: setattr(observe, "is_gone", _head_finds_nothing),
    "an upload of a dead worker stays": lambda: setattr(uploads, "abort", _do_nothing),
    "an upload whose beginning was not answered stays": lambda: setattr(uploads, "abort_unrecorded", _do_nothing),
}


def handle(job):
    """Invoke a function, and return its answer with the numbers of files and threads that the process holds then."""
    if job.get("planted"):
        PLANTED[job["planted"]]()
    random.seed(job["seed"])
    function = getattr(handler, job["function"])
    answer = function(job["event"], context_of(job["seconds"]))
    return {"answer": answer, "files": len(os.listdir("/proc/self/fd")), "threads": threading.active_count()}


if __name__ == "__main__":
    shrink()
    warm()
    serve(handle)
