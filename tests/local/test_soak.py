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
from local.demo.comparison import differences, histories_differ
from local.demo.lines import fields

ROOT = Path(__file__).parents[2]

OBJECTS, EVENTS, KILLS = 500, 2_000, 10
WRITERS = 4

# Two minutes on two idle cores; a busy machine may take its time.
PATIENCE_SECONDS = 1_200


class Told:
    """What the log lines of the worker tell: which events it was done with, each by its name, key and version."""

    def __init__(self):
        self.done = Counter()
        self.changed = threading.Condition()

    def hear(self, _function, line):
        said = fields(line)
        if {"event", "key", "version_id", "attempts"} <= said.keys():
            with self.changed:
                self.done[said["event"], said["key"], said["version_id"]] += 1
                self.changed.notify_all()

    def wait_for(self, count, until):
        """Waits until so many different events are done with; says whether that happened in time."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self.done) >= count, max(0.0, until - time.monotonic()))


def writes_of(key, seed, s3):
    """Writes one object four times, one way or another, and yields the event that each write sends."""
    chance = random.Random(f"{seed} {key}")
    version, tagged = None, False
    for number in range(EVENTS // OBJECTS):
        deeds = ["put"] if version is None else ["put", "put", "delete", *([] if tagged else ["tag", "tag"])]
        deed = chance.choice(deeds)
        if deed == "put":
            body = f"{key} {number}".encode() * chance.randrange(400)
            about = {"Metadata": {"number": str(number)}, "ContentType": "text/x-soak"}
            version, tagged = s3.put_object(Bucket=demo.SOURCE, Key=key, Body=body, **about)["VersionId"], False
            yield "Object Created", key, version
        elif deed == "tag":
            tags = [{"Key": "number", "Value": str(number)}]
            s3.put_object_tagging(Bucket=demo.SOURCE, Key=key, Tagging={"TagSet": tags})
            tagged = True
            yield "Object Tags Added", key, version
        else:
            marker = s3.delete_object(Bucket=demo.SOURCE, Key=key)["VersionId"]
            version = None
            yield "Object Deleted", key, marker


def left_in(sqs, url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(counts[name]) for name in names)


@contextmanager
def deployed(folder):
    variables = {"package_dir": str(ROOT / "dist"), "archive_copy_enabled": False, **demo.VARIABLES}
    with stack.running(variables, folder=folder, on_progress=lambda _: None, prepare=demo.prepare) as running:
        yield demo.Mirror.of(running)


def written_while_the_worker_is_killed(mirror, told, seed, until):
    """Writes all objects, and kills the worker whenever so many events are done with; returns the events sent."""
    chance = random.Random(seed)
    keys = [f"soak/{number:03} {chance.choice(['é', '+', '%2F', '🪣'])}" for number in range(OBJECTS)]
    moments = sorted(chance.sample(range(20, EVENTS - 100), KILLS))
    with ThreadPoolExecutor(WRITERS) as writers:
        written = [writers.submit(lambda key: list(writes_of(key, seed, mirror.source)), key) for key in keys]
        for moment in moments:
            assert told.wait_for(moment, until), "the worker got stuck"
            while not mirror.stack.functions.crash(mirror.where["replicate_function_name"]):
                assert time.monotonic() < until, "the worker has nothing to do"
        return {event for one in written for event in one.result()}


def wait_until_empty(sqs, url, until):
    while left_in(sqs, url):
        assert time.monotonic() < until, "messages are left in the queue"
        time.sleep(0.1)


@pytest.mark.chaos
def test_mirror_under_load_whose_worker_is_killed_ten_times_ends_equal_and_loses_no_event(tmp_path):
    seed = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(10**9))
    print(f"CHAOS_SEED={seed}")
    with deployed(tmp_path) as mirror:
        told, sqs = Told(), mirror.stack.aws.client("sqs")
        mirror.stack.functions.on_log = told.hear
        started = time.monotonic()
        until = started + PATIENCE_SECONDS
        sent = written_while_the_worker_is_killed(mirror, told, seed, until)
        assert len(sent) == EVENTS
        assert told.wait_for(EVENTS, until), f"{len(sent - told.done.keys())} events are not done"
        wait_until_empty(sqs, mirror.where["queue_url"], until)
        print(f"{EVENTS} events in {time.monotonic() - started:.0f} s, {told.done.total() - EVENTS} of them done twice")
        assert told.done.keys() == sent
        assert left_in(sqs, mirror.where["dead_letter_queue_url"]) == 0
        assert left_in(sqs, mirror.where["undelivered_queue_url"]) == 0
        sides = (mirror.source, demo.SOURCE, mirror.destination, mirror.where["destination_bucket"])
        assert not list(differences(*sides))
        assert not list(histories_differ(*sides))
