"""Restores of archived objects, which complete after a time that can be set."""

# pylint: disable=protected-access  # a patch replaces internals of moto

import datetime
from typing import Any

import xmltodict
from moto.core.utils import utcnow
from moto.s3 import notifications
from moto.s3.exceptions import MissingKey, MissingVersion, S3ClientError
from moto.s3.models import FakeKey, s3_backends
from moto.s3.responses import S3Response
from moto.s3.utils import ARCHIVE_STORAGE_CLASSES

from local.patches.hooks import HOOKS
from local.patches.patching import patch
from local.patches.s3_errors import Answer, refusal
from local.patches.s3_events import RESTORE_COMPLETED
from local.patches.s3_requests import REQUEST_LOCK


@patch(S3Response, "_key_response_post")
def restore_requested_version(original: Any, response: Any, *args: Any) -> Any:
    """RestoreObject restores the version it names, and refuses a second restore during the first.

    Moto always restores the current version, and accepts any number of restores.
    """
    _, body, bucket_name, query, key_name = args
    if "restore" not in query:
        return original(response, *args)
    response._set_action("KEY", "POST", query)
    response._authenticate_and_authorize_s3_action(bucket_name=bucket_name, key_name=key_name)
    version_id = query.get("versionId", [None])[0]
    key = response.backend.get_object(bucket_name, key_name, version_id=version_id)
    if key is None:
        raise MissingVersion(key_name, version_id) if version_id else MissingKey(key=key_name)
    return _restore(key, int(xmltodict.parse(body)["RestoreRequest"]["Days"]))


@patch(FakeKey, "restore")
def complete_restores(original: Any, key: FakeKey, days: int) -> None:
    """A restore takes some time, and S3 sends an event at its end; with moto it completes at once, and the next HEAD
    sends the event.
    """
    key.status = "IN_PROGRESS"
    original(key, days)
    key._expiry = _expiry(days)
    HOOKS.clock.call_later(HOOKS.restore_seconds, lambda: _complete(key))


@patch(FakeKey, "status")
def read_status_without_side_effect(_original: Any, key: FakeKey) -> str | None:
    """Reading an object's status changes nothing; with moto it completes the object's restore."""
    return key._status


@patch(S3Response, "_get_key")
def read_tags_of_archived_objects(original: Any, response: Any, validate_storage_class: bool = True) -> Any:
    """The tags of an archived object can be read; moto refuses that like a read of its bytes."""
    return original(response, validate_storage_class and "tagging" not in response.querystring)


def _restore(key: FakeKey, days: int) -> Answer:
    if key.storage_class not in ARCHIVE_STORAGE_CLASSES:
        raise S3ClientError("InvalidObjectState", "Restore is not allowed for the object's current storage class")
    if key.status == "IN_PROGRESS":
        return refusal("POST", 409, "RestoreAlreadyInProgress", "Object restore is already in progress")
    if key.status == "RESTORED":
        key.set_expiry(_expiry(days))
        return 200, {}, ""
    key.restore(days)
    return 202, {}, ""


def _expiry(days: int) -> datetime.datetime:
    """Return the expiry of a restored copy: the midnight (UTC) after its last day."""
    day_after = utcnow() + datetime.timedelta(days=days + 1)
    return day_after.replace(hour=0, minute=0, second=0, microsecond=0)


def _complete(key: FakeKey) -> None:
    """Complete a restore, unless the object was deleted."""
    with REQUEST_LOCK:
        backend = s3_backends[key.account_id][key.partition]
        bucket = backend.buckets.get(key.bucket_name or "")
        if bucket is None or key not in bucket.keys.getlist(key.name, []):
            return
        key.status = "RESTORED"
        notifications.send_event(key.account_id, RESTORE_COMPLETED, bucket, key)
