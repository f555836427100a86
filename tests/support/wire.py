"""What goes over the wire: every request of the clients it listens to, and faults put in its way."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

from botocore.awsrequest import AWSResponse


@dataclass
class Fault:
    """The next `times` matching requests get `answer`: a (status, code) or (status, code, message) of S3,
    or an exception to raise.
    """

    operation: str
    answer: object
    times: int
    key: str | None = None

    def hits(self, operation, url):
        return self.times > 0 and self.operation == operation and (not self.key or self.key in url)


@dataclass
class Wire:
    """Listens to boto3 clients.

    Attributes:
        sent: the S3 operations requested, in order, with those that a fault answered before they got anywhere.
        headers: of each request that got through, a pair of its operation and its headers.
        before: functions called with the operation just before a request goes out.
    """

    sent: list = field(default_factory=list)
    headers: list = field(default_factory=list)
    faults: list = field(default_factory=list)
    before: list = field(default_factory=list)
    changes: dict = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def listening(self, events):
        """Listens to the clients that are made of a session meanwhile, or to one client, by its event system."""
        events.register("before-call.s3", self._answer_with_fault)
        events.register("before-send.s3", self._note)
        events.register("after-call.s3", self._change_answer)
        yield
        events.unregister("after-call.s3", self._change_answer)
        events.unregister("before-call.s3", self._answer_with_fault)
        events.unregister("before-send.s3", self._note)

    def fail(self, operation, answer, *, times=1, key=None):
        """Puts a fault in the way of the next matching requests."""
        self.faults.append(Fault(operation, answer, times, key))

    def answer_with(self, operation, change):
        """Has `change` called with every answer to an operation that went well, before the client gets it."""
        self.changes[operation] = change

    def count(self, operation):
        """Returns how many requests of one operation were sent."""
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
