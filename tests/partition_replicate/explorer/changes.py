"""The changes of the source, and the event that each of them sends."""

import json
from collections.abc import Callable
from typing import NamedTuple

from tasks.utils.events import Kind, ObjectEvent, object_events
from tasks.utils.key_messages import RecheckQueue, to_body
from tasks.utils.s3_object import S3Object

SOURCE, KEY = "source", "k"


class Change(NamedTuple):
    """A change that was made.

    Attributes:
        name: one of `CHANGES`.
        version: the id of the version that it made, changed or removed.
        content: the content of the version that it is about; ("", "", ()) for a delete marker.
    """

    name: str
    version: str
    content: tuple


class Rule(NamedTuple):
    """A change that may be made.

    Attributes:
        is_possible: takes the source's `Bucket` and `buckets.Kind`.
        make: takes the same, and returns the bucket afterwards and the id of the version that the change is about.
        event: the `Kind` of its event.
    """

    is_possible: Callable
    make: Callable
    event: Kind


def _has_object(source, _kind):
    return source.current is not None


def _written(source, kind, body, meta=""):
    after = kind.put(source, body, meta)
    return after, after.entries[-1].id


def _put(source, kind):
    return _written(source, kind, str(len(source.log) + 1))


def _put_equal(source, kind):
    return _written(source, kind, source.current.body, source.current.meta)


def _describe(source, kind):
    return _written(source, kind, source.current.body, str(len(source.log) + 1))


def _tag(source, kind):
    version = source.current.id
    return kind.tag(source, version, (("value", str(len(source.log) + 1)),)), version


def _delete(source, kind):
    after = kind.delete(source)
    return after, after.entries[-1].id if after.entries else ""


def _remove(place):
    def remove(source, kind):
        version = source.entries[place].id
        return kind.remove(source, version), version

    return remove


def _keeps(count):
    return lambda source, kind: kind.is_versioned and len(source.entries) >= count


CHANGES = {
    "put": Rule(lambda source, kind: True, _put, Kind.CREATED),
    "put equal bytes": Rule(_has_object, _put_equal, Kind.CREATED),
    "put equal bytes with other metadata": Rule(_has_object, _describe, Kind.CREATED),
    "tag": Rule(_has_object, _tag, Kind.TAGGED),
    "delete": Rule(lambda source, kind: bool(source.entries), _delete, Kind.REMOVED),
    "remove the newest version": Rule(_keeps(1), _remove(-1), Kind.REMOVED),
    "remove an older version": Rule(_keeps(2), _remove(-2), Kind.REMOVED),
    "expire": Rule(_has_object, _delete, Kind.LIFECYCLE_EXPIRED),
}
REMOVALS = ("remove the newest version", "remove an older version")


def changed(source, kind, name):
    """Return the source after a change, and its event; None where the change is not possible."""
    rule = CHANGES[name]
    if not rule.is_possible(source, kind):
        return None
    after, version = rule.make(source, kind)
    about = after.find(version) or source.find(version) or source.current
    log = (*source.log, Change(name, version, about.content))
    return after._replace(log=log), _event(rule.event, version, about, len(log))


def _event(kind, version, about, number):
    """Return the event as `replicate` gets it: by way of a message of the FIFO queue."""
    is_new = kind is Kind.CREATED
    event = ObjectEvent(
        kind=kind,
        name="",
        object=S3Object(SOURCE, KEY, version or None),
        size=len(about.body) if is_new else None,
        etag=about.etag.strip('"') if is_new else None,
        sequencer=None if kind is Kind.TAGGED else f"{number:02X}",
    )
    return received(to_body(event))


def received(body):
    """Return the event of a message."""
    (event,) = object_events(json.loads(body))
    return event


class Rechecks:
    """Takes the messages of the recheck queue, in the place of SQS."""

    def __init__(self):
        self._sent = []

    def of(self, event):
        """Return the events that a recheck of this one asks for: one, or none where a test has planted that."""
        self._sent = []
        RecheckQueue(lambda: self, "recheck").send(event)
        return self._sent

    def send_message(self, *, MessageBody, **_):
        """Take a message."""
        self._sent.append(received(MessageBody))
