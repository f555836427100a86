"""The network between the functions and AWS, which disturbs some of their requests."""

import random
from collections import Counter
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from tests.support.http_messages import headers_of
from tests.support.network import NO_FAULT, WRITES, Fault, Line, Network

# The share of the requests that are disturbed, a larger one of those that read an object, and how likely each kind is.
SHARE, OBJECT_SHARE = 0.03, 0.08
KINDS = {"reset": 3, "torn": 2, "lost": 3, "cut": 3, "refused": 3, "failed": 2, "spoilt": 12}
# Kinds that only some requests have. Services that speak JSON get their errors from `local.faults`.
OF_S3 = frozenset({"refused", "failed"})
OF_OBJECTS = frozenset({"spoilt"})
STATUSES = (500, 503)


class Wire(Line):
    """A line whose requests meet faults by chance: equal seeds give the n-th request the same chance.

    Attributes:
        is_calm: whether no request meets a fault.
        counts: how often each kind of fault took place.
    """

    seed, is_calm = "", True

    def __init__(self, network):
        super().__init__(network)
        self.counts = Counter()
        self._requests = 0
        self._writes = []

    def writes_to(self, key):
        """Return a line for each write of the functions to an object: when, the request line, and its fault."""
        return [line for written, line in self._writes if written == key]

    def fault_of(self, request):
        fault = self._fault_of(request)
        if request.method in WRITES and not _speaks_json(request):
            line = request.line.decode()
            _, _, key = unquote(urlsplit(line.split(" ")[1]).path[1:]).partition("/")
            self._writes.append((key, f"{datetime.now(UTC):%H:%M:%S.%f} {line} {fault.kind}".rstrip()))
        return fault

    def _fault_of(self, request):
        self._requests += 1
        dice = random.Random(f"{self.seed} {self._requests}")
        share = OBJECT_SHARE if _reads_object(request) else SHARE
        if self.is_calm or dice.random() >= share:
            return NO_FAULT
        kinds = {kind: weight for kind, weight in KINDS.items() if _suits(kind, request)}
        kind = dice.choices(list(kinds), list(kinds.values()))[0]
        self.counts[kind] += 1
        return Fault(kind, dice.choice(STATUSES), dice.random())


def _suits(kind, request):
    """Return whether a request can have a fault of this kind."""
    if kind in OF_OBJECTS:
        return _reads_object(request)
    return kind not in OF_S3 or not _speaks_json(request)


def _speaks_json(request):
    """Return whether a request is to DynamoDB, SQS, Secrets Manager or Parameter Store."""
    return b"x-amz-target" in headers_of(request.head)


def _reads_object(request):
    """Return whether the answer holds the bytes of an object: of all answers, only these have a checksum in S3."""
    query = urlsplit(request.line.split(b" ")[1].decode()).query
    names = {part.partition("=")[0] for part in query.split("&") if part}
    return request.method == b"GET" and names <= {"versionId", "partNumber", "x-id"}


class Wires:
    """The network of a run, which ends with the `with` block.

    Attributes:
        wire: the line of all functions.
    """

    def __init__(self, seed):
        self._seed = seed
        self.wire = None
        self._network = None

    def endpoint_of(self, aws):
        """Begin; return the URL of AWS for the functions."""
        parts = urlsplit(aws.endpoint_url)
        self._network = Network({"aws": (parts.hostname, parts.port)})
        self.wire = self._network.line(Wire)
        self.wire.seed = self._seed
        return f"http://{parts.hostname}:{self.wire.ports['aws']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._network:
            self.wire.close()
            self._network.close()
