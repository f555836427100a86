"""Runs of the real `Replicator`, each in its own thread, that stop at a request and go on when it is answered.

Python cannot copy a run that has stopped. So where a request gets a second answer, another run replays the answers up
to there and takes it.
"""

import io
import threading
from typing import NamedTuple

from botocore.exceptions import ClientError, ReadTimeoutError

from tasks.object_clerk.annotations import IGNORE
from tasks.object_clerk.buffer_pool import BufferPool
from tasks.object_clerk.streams import StreamLimits
from tasks.partition_replicate.reconcile.policy import Policy
from tasks.partition_replicate.replicator import Mirror, Pace, Replicator
from tasks.partition_replicate.table import Table
from tasks.partition_replicate.versions import Versioning
from tasks.utils.deadline import Deadline
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.retry import RetryPolicy

SOURCE, DESTINATION, TABLE = range(3)
PLACES = ("source", "destination", "table")

# The worker sees a time-out, and cannot know what became of its request.
LOST = "no answer"

# Answers that never differ: a container asks for the versioning once, and there are no multipart uploads.
CONSTANT = {"get_bucket_versioning": {"Status": "Enabled"}, "list_multipart_uploads": {}}
# Parameters on which no answer depends, or which are different in each run.
LEFT_OUT = frozenset({"Bucket", "Key", "ClientRequestToken"})

MEMORY_BYTES = 1 << 16


class Request(NamedTuple):
    """A request that waits for its answer.

    Attributes:
        place: `SOURCE`, `DESTINATION` or `TABLE`.
        operation: boto3's method.
        parameters: what the method takes.
        text: the parameters as a text, by which requests are compared.
    """

    place: int
    operation: str
    parameters: dict
    text: str

    @property
    def identity(self):
        """What two equal requests share."""
        return self.place, self.operation, self.text


class End(NamedTuple):
    """How the work of a worker ended.

    Attributes:
        error: the error that it raised, or None.
        is_unanswered: whether the answer to a write was lost.
    """

    error: Exception | None
    is_unanswered: bool


class Abandoned(BaseException):
    """The run is not needed any more."""


class Client:  # pylint: disable=too-few-public-methods  # it has every method that boto3's has
    """As much of a boto3 client as the replicator uses."""

    def __init__(self, place, run):
        self._place, self._run = place, run

    def __getattr__(self, operation):
        return lambda **parameters: self._run.answer(self._place, operation, parameters)


class Run:  # pylint: disable=too-many-instance-attributes  # what both threads share
    """A thread that does the work of one event after the other.

    Args:
        policy: a `Policy`.
    """

    def __init__(self, policy):
        source, self._destination, table = (Client(place, self) for place in (SOURCE, DESTINATION, TABLE))
        self._replicator = Replicator(
            source,
            Table(table, "objects", RetryPolicy(tries=2)),
            Mirror("destination"),
            StreamLimits(BufferPool(MEMORY_BYTES)),
            Pace(RetryPolicy(tries=2)),
            Versioning(policy.versions),
            Policy(deletes=policy.deletes, version_deletes=policy.version_deletes, annotations=IGNORE),
        )
        self._event, self._answers, self._found = None, [], None
        self._wake, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._is_wanted = True
        threading.Thread(target=self._work, daemon=True).start()

    def begin(self, event, answers):
        """Work on an event, with these answers to the first requests; return the next `Request`, or an `End`."""
        self._event, self._answers, self._is_wanted = event, answers[::-1], True
        return self._go_on()

    def resume(self, answer):
        """Answer the request at which the run stopped; return the next `Request`, or an `End`."""
        self._answers.append(answer)
        return self._go_on()

    def abandon(self):
        """Let go of what the run works on."""
        self._is_wanted = False
        self._go_on()

    def close(self):
        """End the thread of a run that works on nothing."""
        self._event = None
        self._wake.release()

    def _go_on(self):
        self._wake.release()
        _await(self._stopped)
        return self._found

    # In the thread.

    def _work(self):
        while True:
            _await(self._wake)
            if self._event is None:
                return
            try:
                self._found = self._replicated()
            except Abandoned:
                self._found = None
            except BaseException as error:  # pylint: disable=broad-exception-caught  # raised where it is waited for
                self._found = error
            self._stopped.release()

    def _replicated(self):
        unanswered = []
        how = {"destination": self._destination, "deadline": Deadline(), "unanswered": unanswered}
        try:
            self._replicator.replicate(self._event, **how)
        except BucketBrigadeError as error:
            return End(error, bool(unanswered))
        return End(None, bool(unanswered))

    def answer(self, place, operation, parameters):
        """Return the answer to a request, or raise its error; waits for it."""
        if operation in CONSTANT:
            return CONSTANT[operation]
        if not self._answers:
            self._found = _request(place, operation, parameters)
            self._stopped.release()
            _await(self._wake)
        if not self._is_wanted:
            raise Abandoned()
        return _given(place, operation, self._answers.pop())


def _await(semaphore):
    semaphore.acquire()  # pylint: disable=consider-using-with  # the other thread releases it


def _request(place, operation, parameters):
    known = {name: value for name, value in parameters.items() if name not in LEFT_OUT or place == TABLE}
    known.pop("ClientRequestToken", None)
    if "Body" in known:
        known["Body"] = known["Body"].read().decode()
    return Request(place, operation, known, repr(sorted(known.items())))


def _given(place, operation, answer):
    if answer is LOST:
        if place == TABLE:
            raise ClientError({"Error": {"Code": "InternalServerError", "Message": LOST}}, operation)
        raise ReadTimeoutError(endpoint_url="https://s3")
    if "Error" in answer:
        raise ClientError(answer, operation)
    if "Body" in answer:
        return {**answer, "Body": io.BytesIO(answer["Body"].encode())}
    return answer
