"""Random histories of a set with worker processes on SeaweedFS; workers are killed and connections break. I3 to I6.

A worker is killed, or stopped while others go on, before or after any request to S3, DynamoDB, SES, GitHub or the
webhook. A request of a killed worker may arrive late. An answer may be lost, cut off, or replaced by a 5xx after the
request was carried out.

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
from tests.support.proxy import Fault, Proxy
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
from tests.upload_validate.worker_processes import WorkerPool

HISTORIES, RUNS = 500, 10


class Trap(Plan):
    """A fault of the process, or of the request on its way."""

    def fault_of_request(self, is_outside):
        """Return the fault of the request that is due."""
        self.is_outside = is_outside
        self.known.wait()
        when, _, what = self.fault.partition(" ")
        if when == "answer":
            return ANSWERS[what]()
        act = getattr(self, what)
        if when == "after":
            return Fault(down=lambda head, body: (head, act(body)))
        return Fault(up=partial(act, is_before=True), down=self._arrive)

    def kill(self, body, is_before=False):
        """Kill the worker; a request that is not sent yet is never sent."""
        self.worker.signal(signal.SIGKILL)
        if is_before:
            raise ConnectionError("the worker is gone")
        return body

    def kill_and_hold(self, body, is_before):  # pylint: disable=unused-argument  # the signature of all faults
        """Kill the worker; its request reaches the server when the worker's message is delivered again."""
        self.worker.signal(signal.SIGKILL)
        self.released.wait()
        return body

    def stop(self, body, is_before=False):  # pylint: disable=unused-argument  # the signature of all faults
        """Stop the worker with its request or its answer, until it is resumed."""
        self.worker.signal(signal.SIGSTOP)
        self.over.set()
        self.released.wait()
        return body

    def _arrive(self, head, body):
        self.arrived.set()
        return head, body


def turned_into(status):
    def turn(head, body):
        if head.startswith(b"HTTP/1.1 2"):
            return re.sub(rb"HTTP/1.1 \d+", b"HTTP/1.1 %d" % status, head, count=1), body
        return head, body

    return Fault(down=turn)


ANSWERS = {
    "lost": lambda: Fault(lost=True),
    "reset": lambda: Fault(lost=True, reset=True),
    "cut": lambda: Fault(cut=3),
    "500": lambda: Fault(refusal=(500, "InternalError")),
    "503": lambda: Fault(refusal=(503, "SlowDown")),
    "502": lambda: turned_into(502),
    "504": lambda: turned_into(504),
}
DEEDS = [
    *[f"{when} {what}" for when in ("before", "after") for what in ("kill", "kill", "stop", "stop")],
    *["late kill_and_hold"] * 2,
    *[f"answer {what}" for what in ANSWERS],
]


class Route(Proxy):
    """The route of all workers to one server."""

    world = None
    is_outside = False

    def _fault_for(self, request_line):
        plan = self.world.plan
        return plan.fault_of_request(self.is_outside) if plan.is_due() else Fault()


class OutsideServices(BaseHTTPRequestHandler):
    """GitHub, the council service and the webhook, over HTTP."""

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
    """All servers, the routes to them, and the pool of workers."""

    s3: Any
    dynamodb: Any
    pool: WorkerPool = None
    outside: Outside = field(default_factory=Outside)
    plan: Plan = field(default_factory=Plan)

    @staticmethod
    def random_plan(chance):
        return Trap(chance.choice(["", *DEEDS]), chance.randint(1, LAST_STEP))


@pytest.fixture(scope="module", name="world")
def world_of_processes():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    moto_port = moto.get_host_and_port()[1]
    services = ThreadingHTTPServer(("127.0.0.1", 0), OutsideServices)
    threading.Thread(target=services.serve_forever, args=(0.05,), daemon=True).start()
    with (
        SeaweedFS() as server,
        Route(server.host, server.port) as s3_route,
        Route("127.0.0.1", moto_port) as aws_route,
        Route("127.0.0.1", services.server_port) as outside_route,
    ):
        keys = server.credentials
        aws = partial(
            boto3.session.Session().client,
            endpoint_url=f"http://127.0.0.1:{moto_port}",
            **{**keys, "region_name": REGION},
        )
        world = World(server.client(config=Config(retries={"total_max_attempts": 1})), aws("dynamodb"))
        for way in (s3_route, aws_route, outside_route):
            way.world = world
        outside_route.is_outside = True
        OutsideServices.world = world
        for bucket in (UPLOADS, FINAL, QUARANTINE):
            world.s3.create_bucket(Bucket=bucket)
        aws("ses").verify_email_identity(EmailAddress=ENVIRONMENT["SENDER_EMAIL"])
        outside_url = f"http://127.0.0.1:{outside_route.listens_on}"
        environment = {
            **ENVIRONMENT,
            "TEMP_BUCKET_NAME": UPLOADS,
            "FINAL_BUCKET_NAME": FINAL,
            "GITHUB_API_URL": f"{outside_url}/github",
            "COUNCIL_API_URL": f"{outside_url}/councils",
            "WDIV_WEBHOOK_URL": f"{outside_url}/hook",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws_route.listens_on}",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3_route.listens_on}",
            "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        with WorkerPool(environment) as world.pool:
            yield world
    services.shutdown()
    services.server_close()
    moto.stop()


def histories(world, seed, numbers):
    for number in numbers:
        try:
            History(world, seed, number).run()
        except Exception as error:
            raise AssertionError(f"history {number} of CHAOS_SEED={seed}") from error


@pytest.mark.chaos
@pytest.mark.parametrize("run", range(RUNS))
def test_any_history_of_a_set_ends_with_the_newest_valid_set_published(world, run):
    seed = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(10**9))
    print(f"CHAOS_SEED={seed}")
    share = HISTORIES // RUNS
    histories(world, seed, range(run * share, (run + 1) * share))
