"""Records the requests of S3 clients, and injects faults into them."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

from botocore.awsrequest import AWSResponse


@dataclass
class Fault:
    """An answer for the next matching requests.

    Attributes:
        operation: of S3.
        answer: (status, code) or (status, code, message) of S3, or an exception to raise.
        times: number of requests that get the answer.
        key: part of the URL; None matches all.
    """

    operation: str
    answer: object
    times: int
    key: str | None = None

    def hits(self, operation, url):
        return self.times > 0 and self.operation == operation and (not self.key or self.key in url)


@dataclass
class Wire:
    """Records the requests of boto3 clients.

    Attributes:
        sent: the requested operations, in order, including those that a fault answered.
        headers: for each request that was sent, a pair of its operation and its headers.
        faults: the faults that are left.
        before: functions that are called with the operation right before each request.
        changes: operation -> function that changes its answers.
    """

    sent: list = field(default_factory=list)
    headers: list = field(default_factory=list)
    faults: list = field(default_factory=list)
    before: list = field(default_factory=list)
    changes: dict = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def listening(self, events):
        """Record within the block: all clients that a session makes, or one client, by the event system."""
        events.register("before-call.s3", self._answer_with_fault)
        events.register("before-send.s3", self._note)
        events.register("after-call.s3", self._change_answer)
        yield
        events.unregister("after-call.s3", self._change_answer)
        events.unregister("before-call.s3", self._answer_with_fault)
        events.unregister("before-send.s3", self._note)

    def fail(self, operation, answer, *, times=1, key=None):
        """Inject a fault into the next matching requests."""
        self.faults.append(Fault(operation, answer, times, key))

    def answer_with(self, operation, change):
        """Call `change` with every successful answer to an operation before the client gets the answer."""
        self.changes[operation] = change

    def count(self, operation):
        """Return the number of requests of one operation."""
        return self.sent.count(operation)

    def _note(self, request, event_name, **_):
        operation = event_name.rpartition(".")[2]
        with self._lock:
            self.sent.append(operation)
            self.headers.append((operation, request.headers))

    def _change_answer(self, parsed, event_name, **_):
        change = self.changes.get(event_name.rpartition(".")[2])
        if change and "Error" not in parsed:
            change(parsed)

    def _answer_with_fault(self, params, event_name, **_):
        operation = event_name.rpartition(".")[2]
        for call in self.before:
            call(operation)
        with self._lock:
            fault = next((fault for fault in self.faults if fault.hits(operation, params["url"])), None)
            if fault is None:
                return None
            fault.times -= 1
            self.sent.append(operation)
        if isinstance(fault.answer, Exception):
            raise fault.answer
        status, code, *message = fault.answer
        error = {"Code": code, "Message": (message or ["injected"])[0]}
        answer = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}
        return AWSResponse(params["url"], status, {}, None), answer
