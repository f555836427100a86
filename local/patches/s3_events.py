"""Events of S3: which are sent, when, and in which format.

Shapes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

# pylint: disable=protected-access  # a patch replaces internals of moto

import itertools
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote_plus

from moto.core.utils import iso_8601_datetime_with_milliseconds, unix_time
from moto.events.models import events_backends
from moto.events.utils import EventMessageType
from moto.s3 import notifications
from moto.s3.models import FakeDeleteMarker, S3Backend
from moto.s3.notifications import S3NotificationEvent
from moto.s3.responses import S3Response

from local.patches.patching import patch

RESTORE_COMPLETED = S3NotificationEvent.OBJECT_RESTORE_COMPLETED_EVENT
RESTORE_STARTED = S3NotificationEvent.OBJECT_RESTORE_POST_EVENT

# The ETag of a delete marker: the MD5 of nothing.
EMPTY_ETAG = "d41d8cd98f00b204e9800998ecf8427e"

REASONS = {
    "s3:ObjectCreated:Put": "PutObject",
    "s3:ObjectCreated:Post": "POST Object",
    "s3:ObjectCreated:Copy": "CopyObject",
    "s3:ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    "s3:ObjectRemoved:Delete": "DeleteObject",
    "s3:ObjectRemoved:DeleteMarkerCreated": "DeleteObject",
    "s3:ObjectAnnotation:Put": "PutObjectAnnotation",
    "s3:ObjectAnnotation:Delete": "DeleteObjectAnnotation",
}
DELETION_TYPES = {
    "s3:ObjectRemoved:Delete": "Permanently Deleted",
    "s3:ObjectRemoved:DeleteMarkerCreated": "Delete Marker Created",
}
SEQUENCED = ("s3:ObjectCreated:", "s3:ObjectRemoved:", "s3:ObjectAnnotation:")

# Starts with the time, so that it also grows from one run to the next.
_sequence = itertools.count(time.time_ns())
_silenced = threading.local()


@contextmanager
def silenced(*events: S3NotificationEvent) -> Iterator[None]:
    """Suppress some events of this thread until the block ends."""
    outer: frozenset[S3NotificationEvent] = getattr(_silenced, "events", frozenset())
    _silenced.events = outer | frozenset(events)
    try:
        yield
    finally:
        _silenced.events = outer


@patch(notifications, "send_event")
def number_and_send_events(
    original: Any, account_id: str, event_name: S3NotificationEvent, bucket: Any, key: Any
) -> None:
    """Each event has its own sequencer and is sent once; moto sends some events twice, which `silenced` suppresses."""
    if event_name not in getattr(_silenced, "events", ()):
        if event_name.startswith(SEQUENCED):
            vars(key)["sequencer"] = f"{next(_sequence):018X}"
        original(account_id, event_name, bucket, key)


@patch(S3Backend, "put_object_tagging")
def suppress_tagging_events_of_writes(original: Any, backend: Any, *args: Any, **kwargs: Any) -> Any:
    """Only PutObjectTagging sends `ObjectTagging:Put`; moto sends it with every write of an object."""
    with silenced(S3NotificationEvent.OBJECT_TAGGING_PUT_EVENT):
        return original(backend, *args, **kwargs)


@patch(S3Response, "put_object_tagging")
def send_tagging_events(original: Any, response: Any) -> Any:
    """PutObjectTagging sends `ObjectTagging:Put`; moto sends it from a method whose events are now suppressed."""
    answer = original(response)
    backend, bucket_name = response.backend, response.bucket_name
    key = backend.get_object(bucket_name, response.parse_key_name(), version_id=response._get_param("versionId"))
    tagged = S3NotificationEvent.OBJECT_TAGGING_PUT_EVENT
    notifications.send_event(backend.account_id, tagged, backend.get_bucket(bucket_name), key)
    return answer


@patch(S3Backend, "complete_multipart_upload")
def send_one_event_per_multipart_upload(original: Any, backend: Any, *args: Any, **kwargs: Any) -> Any:
    """A multipart upload sends one event, `ObjectCreated:CompleteMultipartUpload`; moto also sends a `Put`."""
    with silenced(S3NotificationEvent.OBJECT_CREATED_PUT_EVENT):
        return original(backend, *args, **kwargs)


@patch(S3Backend, "_set_delete_marker")
def send_delete_marker_events(original: Any, backend: Any, bucket_name: str, key_name: str) -> Any:
    """A delete in a versioned bucket sends `ObjectRemoved:DeleteMarkerCreated`; moto sends nothing."""
    marker = original(backend, bucket_name, key_name)
    created = S3NotificationEvent.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT
    notifications.send_event(backend.account_id, created, backend.get_bucket(bucket_name), marker)
    return marker


@patch(S3Backend, "delete_object")
def send_version_removal_events(original: Any, backend: Any, bucket_name: str, key_name: str, **how: Any) -> Any:
    """Permanent removal of a version sends `ObjectRemoved:Delete`; moto sends it only for the last version of a key."""
    if how.get("version_id") is None:
        return original(backend, bucket_name, key_name, **how)
    bucket, removed = backend.get_bucket(bucket_name), S3NotificationEvent.OBJECT_REMOVED_DELETE_EVENT
    versions = [item for item in bucket.keys.getlist(key_name, []) if item.version_id == how["version_id"]]
    with silenced(removed):
        answer = original(backend, bucket_name, key_name, **how)
    for version in versions:
        notifications.send_event(backend.account_id, removed, bucket, version)
    return answer


@patch(notifications, "_get_s3_event")
def format_notification(
    _original: Any, event_name: S3NotificationEvent, bucket: Any, key: Any, notification_id: str
) -> dict[str, Any]:
    """A notification has version, sequencer and requester, and for a completed restore its expiry; "/" stays unencoded.

    Moto omits all of these, and encodes "/".
    """
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region_name,
        "eventTime": iso_8601_datetime_with_milliseconds(),
        "eventName": event_name.removeprefix("s3:"),
        "userIdentity": {"principalId": f"AWS:{bucket.account_id}"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": _request_id(), "x-amz-id-2": _request_id()},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": notification_id,
            "bucket": {"name": bucket.name, "ownerIdentity": {"principalId": bucket.account_id}, "arn": bucket.arn},
            "object": _described(event_name, key, quote_plus(key.name, safe="/"), ("eTag", "versionId")),
        },
    }
    if event_name == RESTORE_COMPLETED:
        expiry = iso_8601_datetime_with_milliseconds(key._expiry)
        restored = {"lifecycleRestorationExpiryTime": expiry, "lifecycleRestoreStorageClass": key.storage_class}
        record["glacierEventData"] = {"restoreEventData": restored}
    return {"Records": [record]}


@patch(notifications, "_send_event_bridge_message")
def format_event(_original: Any, account_id: str, bucket: Any, event_name: S3NotificationEvent, key: Any) -> None:
    """An event has its own id, the version and the reason, and is sent to the default bus.

    Moto's have one id, request id and sequencer for all, `eTag` for `etag`, the wrong `reason` and no `deletion-type`.
    """
    event: EventMessageType = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": notifications._detail_type(event_name),
        "source": "aws.s3",
        "account": account_id,
        "time": unix_time(),
        "region": bucket.region_name,
        "resources": [bucket.arn],
        "detail": _detail(account_id, bucket, event_name, key),
    }
    for rule in events_backends[account_id][bucket.region_name].event_buses["default"].rules.values():
        rule.send_to_targets(event, transform_input=False)


@patch(notifications, "_send_event_bridge_message")
def drop_events_before_event_bridge_starts(original: Any, account_id: str, bucket: Any, *event: Any) -> None:
    """Events before S3's first event to EventBridge are never sent; moto sends them.

    Amazon S3 User Guide, "Enabling Amazon EventBridge".
    """
    if not vars(bucket).get("_event_bridge_is_pending"):
        original(account_id, bucket, *event)


def _detail(account_id: str, bucket: Any, event_name: S3NotificationEvent, key: Any) -> dict[str, Any]:
    detail = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": _described(event_name, key, key.name, ("etag", "version-id")),
        "request-id": _request_id(),
    }
    if event_name == RESTORE_COMPLETED:
        # S3 itself completes a restore.
        detail["requester"] = "s3.amazonaws.com"
        detail["restore-expiry-time"] = key._expiry.strftime("%Y-%m-%dT%H:%M:%SZ")
    else:
        detail |= {"requester": account_id, "source-ip-address": "127.0.0.1"}
    if event_name in (RESTORE_STARTED, RESTORE_COMPLETED):
        detail["source-storage-class"] = key.storage_class
    if event_name in REASONS:
        detail["reason"] = REASONS[event_name]
    if event_name in DELETION_TYPES:
        detail["deletion-type"] = DELETION_TYPES[event_name]
    if event_name.startswith("s3:ObjectAnnotation:"):
        detail["object-annotation"] = key.annotation
    return detail


def _described(event_name: str, key: Any, name: str, words: tuple[str, str]) -> dict[str, Any]:
    """Return the object of an event; notifications and EventBridge name ETag and version differently."""
    etag_word, version_word = words
    described: dict[str, Any] = {"key": name}
    if isinstance(key, FakeDeleteMarker):
        described[etag_word] = EMPTY_ETAG
    elif not event_name.startswith("s3:ObjectRemoved:"):
        described[etag_word] = key.etag.strip('"')
        # Events of tags and annotations have no object size.
        if not event_name.startswith(("s3:ObjectTagging:", "s3:ObjectAnnotation:")):
            described["size"] = key.size
    if key.version_id != "null":
        described[version_word] = key.version_id
    if event_name.startswith(SEQUENCED):
        described["sequencer"] = key.sequencer
    return described


def _request_id() -> str:
    return uuid.uuid4().hex[:16].upper()
