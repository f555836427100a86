"""The deployed mirror under load while its worker is killed: `make chaos`."""

import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from local import stack
from local.demo import partition_replicate as demo
from local.demo.comparison import differences, history_differences
from local.demo.lines import fields
from local.demo.mirror import SOURCE, Mirror

ROOT = Path(__file__).parents[2]

OBJECTS, EVENTS, KILLS = 500, 2_000, 10
WRITERS = 4

# It takes two minutes on two idle cores, and more on a busy machine.
TIMEOUT_SECONDS = 1_200


class FinishedEvents:
    """The events that the worker has finished, by name, key and version, from its log lines."""

    def __init__(self):
        self.counts = Counter()
        self.changed = threading.Condition()

    def add(self, _function, line):
        record = fields(line)
        if {"event", "key", "version_id", "attempts"} <= record.keys():
            with self.changed:
                self.counts[record["event"], record["key"], record["version_id"]] += 1
                self.changed.notify_all()

    def wait_for(self, count, until):
        """Wait for a number of different events; return False if the time is up."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self.counts) >= count, max(0.0, until - time.monotonic()))


def writes_of(key, seed, s3):
    """Write one object four times, in random ways, and yield the event of each write."""
    chance = random.Random(f"{seed} {key}")
    version, tagged = None, False
    for number in range(EVENTS // OBJECTS):
        actions = ["put"] if version is None else ["put", "put", "delete", *([] if tagged else ["tag", "tag"])]
        action = chance.choice(actions)
        if action == "put":
            body = f"{key} {number}".encode() * chance.randrange(400)
            about = {"Metadata": {"number": str(number)}, "ContentType": "text/x-soak"}
            version, tagged = s3.put_object(Bucket=SOURCE, Key=key, Body=body, **about)["VersionId"], False
            yield "Object Created", key, version
        elif action == "tag":
            tags = [{"Key": "number", "Value": str(number)}]
            s3.put_object_tagging(Bucket=SOURCE, Key=key, Tagging={"TagSet": tags})
            tagged = True
            yield "Object Tags Added", key, version
        else:
            marker = s3.delete_object(Bucket=SOURCE, Key=key)["VersionId"]
            version = None
            yield "Object Deleted", key, marker


def messages_in(sqs, url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(counts[name]) for name in names)


@contextmanager
def deployed(folder):
    variables = {"package_dir": str(ROOT / "dist"), "archive_copy_enabled": False, **demo.VARIABLES}
    with stack.running(variables, folder=folder, prepare=demo.prepare) as running:
        yield Mirror.of(running)


def write_while_killing_the_worker(mirror, finished, seed, until):
    """Write all objects, kill the worker after random numbers of finished events, and return the sent events."""
    chance = random.Random(seed)
    keys = [f"soak/{number:03} {chance.choice(['é', '+', '%2F', '🪣'])}" for number in range(OBJECTS)]
    moments = sorted(chance.sample(range(20, EVENTS - 100), KILLS))
    with ThreadPoolExecutor(WRITERS) as writers:
        written = [writers.submit(lambda key: list(writes_of(key, seed, mirror.source)), key) for key in keys]
        for moment in moments:
            assert finished.wait_for(moment, until), "the worker is stuck"
            while not mirror.stack.functions.crash(mirror.outputs["replicate_function_name"]):
                assert time.monotonic() < until, "the worker has no work"
        return {event for future in written for event in future.result()}


def wait_until_empty(sqs, url, until):
    while messages_in(sqs, url):
        assert time.monotonic() < until, "messages are left in the queue"
        time.sleep(0.1)


@pytest.mark.chaos
def test_mirror_under_load_with_ten_killed_workers_ends_equal_and_loses_no_event(tmp_path):
    seed = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(10**9))
    print(f"CHAOS_SEED={seed}")
    with deployed(tmp_path) as mirror:
        finished, sqs = FinishedEvents(), mirror.stack.aws.client("sqs")
        mirror.stack.functions.on_log = finished.add
        started = time.monotonic()
        until = started + TIMEOUT_SECONDS
        sent = write_while_killing_the_worker(mirror, finished, seed, until)
        assert len(sent) == EVENTS
        assert finished.wait_for(EVENTS, until), f"{len(sent - finished.counts.keys())} events are not finished"
        wait_until_empty(sqs, mirror.outputs["queue_url"], until)
        repeated = finished.counts.total() - EVENTS
        print(f"{EVENTS} events in {time.monotonic() - started:.0f} s, {repeated} of them finished twice")
        assert finished.counts.keys() == sent
        assert messages_in(sqs, mirror.outputs["dead_letter_queue_url"]) == 0
        assert messages_in(sqs, mirror.outputs["undelivered_queue_url"]) == 0
        sides = (mirror.source, SOURCE, mirror.destination, mirror.outputs["destination_bucket"])
        assert not list(differences(*sides))
        assert not list(history_differences(*sides))
