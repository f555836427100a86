"""A container of `replicate` and `enqueue`, as `tests.support.containers` starts it: the real handlers, nothing mocked.

Objects are small here, so that a history costs little: one of `PARTED` bytes goes as an upload in parts, though of one
part only, for SeaweedFS too wants parts of 5 MiB but for the last one.
"""

import os
import random
import threading
from dataclasses import replace
from functools import partial

from tasks.object_clerk import pacer, parts
from tasks.object_clerk.s3_requests import head
from tasks.object_clerk.transport import clients
from tasks.partition_replicate import handler, intake, table
from tasks.partition_replicate.reconcile import apply_reads, object_snapshot, observe, plan_current, uploads
from tests.support.containers import context_of, serve

PARTED, LEAST_PART = 12_000, parts.MIN_PART
# More than this is not taken along with the first look.
TAKEN_ALONG = 1_000
# Histories wait for nothing but what they are about.
WAIT = 0.002


def shrink():
    """Makes limits, sizes and waits small."""
    # What goes in one part takes the part's size from the object.
    parts.MIN_PART = 1
    handler.StreamLimits = partial(handler.StreamLimits, threshold=PARTED, part_size=LEAST_PART)
    handler.POLICY = replace(handler.POLICY, delay=WAIT, jitter=(0.0, WAIT))
    handler.TABLE_POLICY = replace(handler.TABLE_POLICY, delay=WAIT, jitter=(0.0, WAIT))
    pacer.FIRST_PAUSE = pacer.LONGEST_PAUSE = WAIT
    for module in (apply_reads, object_snapshot, plan_current):
        module.TAKEN_ALONG = TAKEN_ALONG


def warm():
    """Has botocore read its descriptions of the services; a container makes clients of its own."""
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


# What a test plants to see that histories find it. A write without its precondition, or without an observation of the
# source after it, is repaired by a recheck or by the next event: test_convergence.py, which looks at every moment,
# plants those.
PLANTED = {
    "no compare-and-swap of the row": lambda: setattr(table, "_unchanged", lambda _revision: {}),
    "no record of what was made": lambda: setattr(table.Table, "write_version", _record_nothing),
    "no recheck": lambda: setattr(intake.RecheckQueue, "send", _do_nothing),
    "a marker is gone where a HEAD finds none": lambda: setattr(observe, "is_gone", _head_finds_nothing),
    "an upload of a dead worker stays": lambda: setattr(uploads, "abort", _do_nothing),
    "an upload whose beginning was not answered stays": lambda: setattr(uploads, "abort_unrecorded", _do_nothing),
}


def handle(job):
    """Invokes a function; answers with what it returned and with what the process holds after that."""
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
