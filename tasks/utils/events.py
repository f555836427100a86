"""Turns each envelope in which AWS delivers S3 events into a list of plain object events.

The envelopes: S3 notifications and EventBridge events, each of them alone, in SQS, in SNS or in SNS in SQS; invocations
by S3 Batch Operations; and `s3:TestEvent`, which names no object. A record that cannot be read is not dropped: the list
holds an `Unreadable` in its place.

Shapes:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    https://docs.aws.amazon.com/lambda/latest/dg/services-s3-batch.html
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any
from urllib.parse import unquote_plus

from tasks.utils.errors import EventError
from tasks.utils.s3_object import S3Object


class Kind(Enum):
    """The kind of a change. The values are S3's own names, without `s3:` and without the finer cause."""

    CREATED = "ObjectCreated"
    REMOVED = "ObjectRemoved"
    RESTORE_STARTED = "ObjectRestore:Post"
    RESTORED = "ObjectRestore:Completed"
    RESTORE_EXPIRED = "ObjectRestore:Delete"
    TAGGED = "ObjectTagging"
    ANNOTATED = "ObjectAnnotation"
    LIFECYCLE_EXPIRED = "LifecycleExpiration"
    REQUESTED = "S3BatchOperations"
    # This project's own kind: a request whose answer was lost may have changed the object.
    RECHECK = "Recheck"
    UNNAMED = ""
    OTHER = "other"


KIND_BY_PREFIX = (
    Kind.RESTORE_STARTED,
    Kind.RESTORED,
    Kind.RESTORE_EXPIRED,
    Kind.CREATED,
    Kind.REMOVED,
    Kind.TAGGED,
    Kind.ANNOTATED,
    Kind.LIFECYCLE_EXPIRED,
)
KIND_BY_DETAIL_TYPE = {
    "Object Created": Kind.CREATED,
    "Object Deleted": Kind.REMOVED,
    "Object Restore Initiated": Kind.RESTORE_STARTED,
    "Object Restore Completed": Kind.RESTORED,
    "Object Restore Expired": Kind.RESTORE_EXPIRED,
    "Object Tags Added": Kind.TAGGED,
    "Object Tags Deleted": Kind.TAGGED,
    "Object Annotation Created": Kind.ANNOTATED,
    "Object Annotation Removed": Kind.ANNOTATED,
    "Object Recheck": Kind.RECHECK,
}


@dataclass(frozen=True)
class ObjectEvent:
    """A change of one object.

    Attributes:
        kind: the kind of the change.
        name: AWS's own name of the change.
        object: the address, its key decoded.
        size: bytes, or None if the event does not say.
        etag: without quotes, or None.
        time: the time of the change, or None.
        sequencer: orders the events of one key, compared as hex padded on the right; or None.
    """

    kind: Kind
    name: str
    object: S3Object
    size: int | None = None
    etag: str | None = None
    time: datetime | None = None
    sequencer: str | None = None


@dataclass(frozen=True)
class Unreadable:
    """A record or a message that names no object.

    Attributes:
        record: the record or the message.
        reason: a sentence that says why, and does not quote the record: its size has no limit.
    """

    record: Any
    reason: str


def is_queue_event(event: Any) -> bool:
    """Return whether an event is a batch of SQS messages, each of which `batches` answers."""
    return _first_source(event) == "aws:sqs"


def is_batch_operations(event: Any) -> bool:
    """Return whether an event is an invocation by S3 Batch Operations, which expects a result for each task."""
    tasks = event.get("tasks") if isinstance(event, dict) and "invocationId" in event else None
    return isinstance(tasks, list) and all(isinstance(task, dict) and "taskId" in task for task in tasks)


def object_events(event: Any) -> list[ObjectEvent | Unreadable]:
    """Return the object events of an event, in order, whatever its envelopes.

    Args:
        event: the event from Lambda, or the decoded body of a message.
    """
    return list(_walk(event))


def check_source(event: ObjectEvent | Unreadable, bucket: str) -> ObjectEvent:
    """Return an event after a check that it can be read and that it is from the configured bucket.

    The role of a function may read more than that bucket, and a message may name any bucket. So a task makes this check
    before all else.

    Args:
        event: the event.
        bucket: the name of the only bucket whose events are accepted, or "" for any bucket.

    Raises:
        EventError: the event cannot be read, or is from another bucket.
    """
    if not isinstance(event, ObjectEvent):
        raise EventError(event.reason)
    if bucket and event.object.bucket != bucket:
        raise EventError(f"{event.object} is not an object of {bucket}, which is the only source bucket")
    return event


def decode_json(text: Any) -> Any:
    """Return the decoded JSON of a message.

    Raises:
        EventError: the text is not JSON.
    """
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise EventError(f"the message is not JSON: {error}") from error


def _walk(event: Any) -> Iterator[ObjectEvent | Unreadable]:
    if not isinstance(event, dict):
        yield Unreadable(event, f"an event is a JSON object, not {_json_name(event)}")
    elif event.get("Event") == "s3:TestEvent":
        return
    elif "tasks" in event and "invocationId" in event:
        yield from _each(event["tasks"], "tasks", partial(_event_or_reason, _from_batch_task))
    elif event.get("Type") == "Notification" and "Message" in event:
        yield from _walk_text(event["Message"], event)
    elif "detail-type" in event:
        yield from _event_or_reason(_from_event_bridge, event)
    elif "Records" in event:
        yield from _each(event["Records"], "Records", _from_record)
    else:
        yield Unreadable(event, 'an event has "Records", "detail-type" or "tasks", this one has none of them')


def _each(
    records: Any, name: str, read: Callable[[Any], Iterator[ObjectEvent | Unreadable]]
) -> Iterator[ObjectEvent | Unreadable]:
    if not isinstance(records, list):
        yield Unreadable(records, f'"{name}" is a list, not {_json_name(records)}')
    else:
        for record in records:
            yield from read(record)


def _walk_text(text: Any, record: Any) -> Iterator[ObjectEvent | Unreadable]:
    try:
        yield from _walk(decode_json(text))
    except EventError as error:
        yield Unreadable(record, str(error))


def _from_record(record: Any) -> Iterator[ObjectEvent | Unreadable]:
    source = record.get("eventSource", record.get("EventSource")) if isinstance(record, dict) else None
    if source == "aws:sqs":
        yield from _walk_text(record.get("body"), record)
    elif source == "aws:sns":
        yield from _walk_text(_dig(record, "Sns", "Message"), record)
    else:
        yield from _event_or_reason(_from_s3, record)


def _event_or_reason(read: Callable[[Any], ObjectEvent], record: Any) -> Iterator[ObjectEvent | Unreadable]:
    try:
        yield read(record)
    except EventError as error:
        yield Unreadable(record, str(error))


def _from_s3(record: Any) -> ObjectEvent:
    bucket = _required(record, "s3", "bucket", "name")
    key = _decode_key(_required(record, "s3", "object", "key"))
    item = record["s3"]["object"]
    name = record.get("eventName") or ""
    name = name.removeprefix("s3:") if isinstance(name, str) else ""
    return ObjectEvent(
        kind=_kind_of(name),
        name=name,
        object=S3Object(bucket, key, _text(item.get("versionId"))),
        size=_size(item.get("size")),
        etag=_text(item.get("eTag")),
        time=_time(record.get("eventTime")),
        sequencer=_text(item.get("sequencer")),
    )


def _from_event_bridge(event: Any) -> ObjectEvent:
    # PutEvents refuses sources that begin with "aws.", so only AWS can send this one.
    if event.get("source") != "aws.s3":
        raise EventError('an EventBridge event of S3 has the source "aws.s3", this one has another or none')
    bucket = _required(event, "detail", "bucket", "name", shown_path='["detail"]["bucket"]["name"]')
    key = _required(event, "detail", "object", "key", shown_path='["detail"]["object"]["key"]')
    item = event["detail"]["object"]
    name = event["detail-type"]
    kind = KIND_BY_DETAIL_TYPE.get(name, Kind.OTHER) if isinstance(name, str) else Kind.OTHER
    if kind is Kind.REMOVED and event["detail"].get("reason") == "Lifecycle Expiration":
        kind = Kind.LIFECYCLE_EXPIRED
    return ObjectEvent(
        kind=kind,
        name=str(name),
        object=S3Object(bucket, key, _text(item.get("version-id"))),
        size=_size(item.get("size")),
        etag=_text(item.get("etag")),
        time=_time(event.get("time")),
        sequencer=_text(item.get("sequencer")),
    )


def _from_batch_task(task: Any) -> ObjectEvent:
    # Schema 1.0 names the bucket by its ARN, 2.0 by its name.
    bucket = _text(_dig(task, "s3Bucket")) or (_text(_dig(task, "s3BucketArn")) or "").rpartition(":")[2]
    if not bucket:
        raise EventError('the task does not contain a value for ["s3Bucket"] or ["s3BucketArn"]')
    key = _decode_key(_required(task, "s3Key", shown_path='["s3Key"]'))
    return ObjectEvent(
        kind=Kind.REQUESTED,
        name=Kind.REQUESTED.value,
        object=S3Object(bucket, key, _text(task.get("s3VersionId"))),
    )


def _kind_of(name: str) -> Kind:
    if not name:
        return Kind.UNNAMED
    return next((kind for kind in KIND_BY_PREFIX if name.startswith(kind.value)), Kind.OTHER)


def _decode_key(key: str) -> str:
    # S3 encodes a key in a notification as HTML forms do: a space is "+", any other character is %XX of UTF-8.
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeDecodeError as error:
        raise EventError(f"the key {key!r} is not URL-encoded UTF-8") from error


def _required(record: Any, *path: str, shown_path: str = "") -> str:
    value = _text(_dig(record, *path))
    if value is None:
        shown_path = shown_path or 'Records["s3"]' + "".join(f'["{step}"]' for step in path[1:])
        raise EventError(f"the event record does not contain a value for {shown_path}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EventError("the event record has half of a surrogate pair in its bucket or key") from error
    return value


def _dig(record: Any, *path: str) -> Any:
    for step in path:
        record = record.get(step) if isinstance(record, dict) else None
    return record


def _json_name(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _first_source(event: Any) -> object:
    records = event.get("Records") if isinstance(event, dict) else None
    first = records[0] if isinstance(records, list) and records else None
    return _dig(first, "eventSource")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _size(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
