"""Buckets of each kind and a table in memory, and clients whose requests fail, end late or are held by a server."""

from concurrent.futures import Executor, Future
from contextlib import contextmanager
from copy import copy

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from moto.core.models import botocore_stubber

from tasks.object_clerk.s3_requests import client_config
from tasks.object_clerk.transport.direct_s3 import DirectS3
from tasks.object_clerk.versions import in_order
from tests.conftest import REGION, session_of_the_tests
from tests.partition_replicate.conftest import MIRROR_REGION, STATES, create_bucket
from tests.partition_replicate.rows import Rows
from tests.support.dying_client import Killed


class InThisThread(Executor):
    """Run each call at once in the calling thread, and raise its error there."""

    def __init__(self, _):
        """Take the number of threads, which has no effect."""

    def submit(self, fn, /, *args, **kwargs):
        done = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class Stage:  # pylint: disable=too-many-instance-attributes  # both sides and the faults
    """Buckets of each kind, a table, and clients whose requests can be made to fail."""

    def __init__(self):
        session = session_of_the_tests()
        self.s3 = session.client("s3", region_name=REGION)
        self.mirror = session.client("s3", region_name=MIRROR_REGION)
        for state in STATES:
            create_bucket(self.s3, f"source-{state.lower()}", REGION, state)
            create_bucket(self.mirror, f"mirror-{state.lower()}", MIRROR_REGION, state)
        self.dynamodb = Rows(self._before, self._after)
        regions, config = (REGION, MIRROR_REGION), client_config()
        clients = (in_order(session.client("s3", region_name=region, config=config)) for region in regions)
        self.reading, self.writing = (DirectS3(client, session.get_credentials()) for client in clients)
        self.plan = {}
        self.requests = 0
        # If set, a server holds the next write to the mirror, and this function raises the error of its worker.
        self.holding = None
        self.held = []
        # Called before each request, so that an error that is repaired a moment later is seen as well.
        self.observe = lambda: None
        for client in (self.reading, self.writing):
            client.meta.events.register("before-call", self._before)
            client.meta.events.register("after-call", self._after)
        self.writing.meta.events.register_first("before-send", self._hold)

    def lock(self):
        """Lock each version that is written to the versioned mirror."""
        retention = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
        configuration = {"ObjectLockEnabled": "Enabled", "Rule": retention}
        self.mirror.put_object_lock_configuration(Bucket="mirror-enabled", ObjectLockConfiguration=configuration)

    def close(self):
        for client in (self.s3, self.mirror, self.reading, self.writing):
            client.close()

    @contextmanager
    def faults(self, plan):
        """Call functions at some requests of the clients: number of the request -> function."""
        before = self.plan, self.requests, self.holding
        self.plan, self.requests, self.holding = dict(plan), 0, None
        try:
            yield
        finally:
            self.plan, self.requests, self.holding = before

    def hold(self, end):
        """Let a server hold the next write to the mirror; `end` raises the error that its worker gets."""
        self.holding = end

    def land(self, key=None):
        """Let servers carry out the requests that they hold, and return the methods of these requests."""
        landing = [(event, request) for event, request in self.held if key is None or key in request.url]
        self.held = [one for one in self.held if one not in landing]
        for event, request in landing:
            botocore_stubber(event, request)
        return [request.method for _, request in landing]

    def _hold(self, event_name, request, **_):
        if self.holding and request.method not in ("GET", "HEAD"):
            end, self.holding = self.holding, None
            held = copy(request)
            # The buffer of the bytes is used again.
            held.body = bytes(request.body) if isinstance(request.body, memoryview) else request.body
            self.held.append((event_name, held))
            end()

    def _before(self, **_):
        self.observe()
        self.requests += 1
        return self._happen(("before", self.requests))

    def _after(self, **_):
        return self._happen(("after", self.requests))

    def _happen(self, when):
        what = self.plan.pop(when, None)
        return what() if what else None


def kill():
    raise Killed()


def time_out():
    raise ReadTimeoutError(endpoint_url="https://s3")


def refuse():
    """Return an answer in the place of the request's own; after a request to S3 it changes nothing."""
    error = {"Code": "ServiceUnavailable", "Message": "injected"}
    return AWSResponse("", 503, {}, None), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 503}}


FAULTS = {"killed": kill, "timed out": time_out, "refused": refuse}
# The error of a worker whose write a server holds.
HELD = {"held and timed out": time_out, "held and killed": kill}
