"""Random histories of a set over workers that are processes, on SeaweedFS; their ways break and they are killed. I3-I6.

A worker is killed, or stopped while others go on, before or after any request that it sends to S3, DynamoDB, SES,
GitHub or the webhook; a request of a worker that was killed arrives late; or the answer is lost, cut off, or turned
into a 5xx after the work was done.

`CHAOS_SEED` repeats a run.
"""

import logging
import os
import random
import re
import signal
import threading
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from local.seaweedfs import SeaweedFS
from tests.conftest import REGION
from tests.support.proxy import Proxy, Trouble
from tests.upload_validate.conftest import (
    COUNCILS,
    ENVIRONMENT,
    FINAL,
    GITHUB,
    QUARANTINE,
    UPLOADS,
    WEBHOOK,
    Outside,
)
from tests.upload_validate.histories import LAST_STEP, History, Plan
from tests.upload_validate.worker_processes import Nursery

HISTORIES, RUNS = 500, 10


class Trap(Plan):
    """What befalls the process, or the request on its way."""

    def trouble(self, is_outside):
        """Returns what befalls the request that is due."""
        self.is_outside = is_outside
        self.known.wait()
        when, _, what = self.deed.partition(" ")
        if when == "answer":
            return ANSWERS[what]()
        act = getattr(self, what)
        if when == "after":
            return Trouble(down=lambda head, body: (head, act(body)))
        return Trouble(up=partial(act, is_before=True), down=self._land)

    def kill(self, body, is_before=False):
        """Kills the worker; a request that was not sent yet never is."""
        self.worker.signal(signal.SIGKILL)
        if is_before:
            raise ConnectionError("the worker is gone")
        return body

    def kill_and_hold(self, body, is_before):  # pylint: disable=unused-argument  # as others are called
        """Kills the worker; its request comes to the server when the worker's message is just coming back."""
        self.worker.signal(signal.SIGKILL)
        self.going_on.wait()
        return body

    def stop(self, body, is_before=False):  # pylint: disable=unused-argument  # as others are called
        """Stops the worker, and its request or the answer with it, until it goes on."""
        self.worker.signal(signal.SIGSTOP)
        self.over.set()
        self.going_on.wait()
        return body

    def _land(self, head, body):
        self.landed.set()
        return head, body


def turned_into(status):
    def turn(head, body):
        if head.startswith(b"HTTP/1.1 2"):
            return re.sub(rb"HTTP/1.1 \d+", b"HTTP/1.1 %d" % status, head, count=1), body
        return head, body

    return Trouble(down=turn)


ANSWERS = {
    "lost": lambda: Trouble(lost=True),
    "reset": lambda: Trouble(lost=True, reset=True),
    "cut": lambda: Trouble(cut=3),
    "500": lambda: Trouble(refusal=(500, "InternalError")),
    "503": lambda: Trouble(refusal=(503, "SlowDown")),
    "502": lambda: turned_into(502),
    "504": lambda: turned_into(504),
}
DEEDS = [
    *[f"{when} {what}" for when in ("before", "after") for what in ("kill", "kill", "stop", "stop")],
    *["late kill_and_hold"] * 2,
    *[f"answer {what}" for what in ANSWERS],
]


class Way(Proxy):
    """The way of all workers to one server."""

    world = None
    is_outside = False

    def _trouble_for(self, request_line):
        plan = self.world.plan
        return plan.trouble(self.is_outside) if plan.is_due() else Trouble()


class Neighbours(BaseHTTPRequestHandler):
    """GitHub, the councils and the webhook, over HTTP."""

    world = None

    def do_GET(self):  # pylint: disable=invalid-name  # the library's name
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        place, _, rest = self.path[1:].partition("/")
        url = {"github": GITHUB, "councils": COUNCILS, "hook": WEBHOOK}[place] + ("/" + rest if rest else "")
        parts = urlsplit(url)
        request = SimpleNamespace(
            method=self.command,
            url=url,
            headers=self.headers,
            body=body,
            params=dict(parse_qsl(parts.query)),
            path_url=f"{parts.path}?{parts.query}",
        )
        with self.world.outside.lock:
            status, headers, text = self.world.outside.answer(request)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_GET

    def log_message(self, format, *args):
        pass


@dataclass
class World:
    """All servers, the ways to them, and the means to start workers."""

    s3: Any
    dynamodb: Any
    nursery: Nursery = None
    outside: Outside = field(default_factory=Outside)
    plan: Plan = field(default_factory=Plan)

    @staticmethod
    def any_plan(chance):
        return Trap(chance.choice(["", *DEEDS]), chance.randint(1, LAST_STEP))


@pytest.fixture(scope="module", name="world")
def world_of_processes():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    moto_port = moto.get_host_and_port()[1]
    neighbours = ThreadingHTTPServer(("127.0.0.1", 0), Neighbours)
    threading.Thread(target=neighbours.serve_forever, args=(0.05,), daemon=True).start()
    with (
        SeaweedFS() as server,
        Way(server.host, server.port) as s3_way,
        Way("127.0.0.1", moto_port) as aws_way,
        Way("127.0.0.1", neighbours.server_port) as outside_way,
    ):
        keys = server.credentials
        aws = partial(
            boto3.session.Session().client,
            endpoint_url=f"http://127.0.0.1:{moto_port}",
            **{**keys, "region_name": REGION},
        )
        world = World(server.client(config=Config(retries={"total_max_attempts": 1})), aws("dynamodb"))
        for way in (s3_way, aws_way, outside_way):
            way.world = world
        outside_way.is_outside = True
        Neighbours.world = world
        for bucket in (UPLOADS, FINAL, QUARANTINE):
            world.s3.create_bucket(Bucket=bucket)
        aws("ses").verify_email_identity(EmailAddress=ENVIRONMENT["SENDER_EMAIL"])
        outside_url = f"http://127.0.0.1:{outside_way.listens_on}"
        environment = {
            **ENVIRONMENT,
            "TEMP_BUCKET_NAME": UPLOADS,
            "FINAL_BUCKET_NAME": FINAL,
            "GITHUB_API_URL": f"{outside_url}/github",
            "COUNCIL_API_URL": f"{outside_url}/councils",
            "WDIV_WEBHOOK_URL": f"{outside_url}/hook",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws_way.listens_on}",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3_way.listens_on}",
            "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        with Nursery(environment) as world.nursery:
            yield world
    neighbours.shutdown()
    neighbours.server_close()
    moto.stop()


def histories(world, seed, numbers):
    for number in numbers:
        try:
            History(world, seed, number).run()
        except Exception as error:
            raise AssertionError(f"history {number} of CHAOS_SEED={seed}") from error


@pytest.mark.chaos
@pytest.mark.parametrize("run", range(RUNS))
def test_any_history_of_a_set_ends_with_the_newest_sound_one_published(world, run):
    seed = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(10**9))
    print(f"CHAOS_SEED={seed}")
    share = HISTORIES // RUNS
    histories(world, seed, range(run * share, (run + 1) * share))
