"""Open multipart uploads: their parts, and the uploads that a killed process left.

An operation that fails aborts its own upload. A killed process cannot, and S3 keeps and bills the parts until the
bucket's life cycle clears them. So the next multipart upload of the same key looks for them first.

The rule: an upload is abandoned if it was begun, and its newest part arrived, longer ago than a quiet time, by the
server's clock. A living writer sends its next part, or completes the upload, before that. A slower writer loses its
upload and fails with an error; an abort changes no object. A quiet time of 0 means that a key has one writer, so every
upload that is open when the next one begins is abandoned.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from tasks.object_clerk.errors import ObjectClerkException
from tasks.utils.retry import RetryPolicy

if TYPE_CHECKING:
    from tasks.object_clerk.s3_requests import S3Requests
    from tasks.utils.s3_object import S3Object

LOGGER = logging.getLogger("bucket_brigade")

# Longer than a part takes: 64 MiB at 1 Mbit/s take nine minutes, and S3 copies a part of 5 GiB within a few.
HOUR_SECONDS = 60 * 60


def parts_there(requests: S3Requests, destination: S3Object, upload_id: str) -> dict[int, dict[str, Any]]:
    """Return the parts that an upload has so far: number -> S3's description.

    Raises:
        KeyNotFoundException: there is no such upload: it was completed or aborted.
    """
    found: dict[int, dict[str, Any]] = {}
    marker = None
    while True:
        answer = requests(
            "list_parts",
            destination=destination,
            Bucket=destination.bucket,
            Key=destination.key,
            UploadId=upload_id,
            PartNumberMarker=marker,
        )
        found.update((part["PartNumber"], part) for part in answer.get("Parts", []))
        if not answer.get("IsTruncated"):
            return found
        marker = answer["NextPartNumberMarker"]


def abort_abandoned(requests: S3Requests, address: S3Object, *, quiet_seconds: float = HOUR_SECONDS) -> None:
    """Abort the abandoned uploads of a key.

    Usually this is one request, ListMultipartUploads. It is tried once, and a failure is only logged: a role without
    s3:ListBucketMultipartUploads and s3:ListMultipartUploadParts can upload all the same.

    Args:
        requests: for the bucket of the key.
        address: the key that is about to be uploaded.
        quiet_seconds: see the module's rule.
    """
    once = replace(requests, policy=RetryPolicy(tries=1))
    try:
        # Keys come in order, so the uploads of this one come first of all that share the prefix.
        answer = once("list_multipart_uploads", destination=address, Bucket=address.bucket, Prefix=address.key)
        quiet_since = _server_time(answer) - timedelta(seconds=quiet_seconds)
        for upload in answer.get("Uploads", []):
            if upload["Key"] == address.key and (not quiet_seconds or _is_quiet(once, address, upload, quiet_since)):
                where = {"Bucket": address.bucket, "Key": address.key, "UploadId": upload["UploadId"]}
                once("abort_multipart_upload", destination=address, **where)
                LOGGER.info("an abandoned multipart upload was aborted", extra={"object": str(address)})
    except ObjectClerkException as error:
        about = {"object": str(address), "reason": str(error)}
        LOGGER.info("abandoned multipart uploads could not be looked for or aborted", extra=about)


def _is_quiet(requests: S3Requests, address: S3Object, upload: dict[str, Any], since: datetime) -> bool:
    if upload["Initiated"] >= since:
        return False
    parts = parts_there(requests, address, upload["UploadId"])
    return all(part["LastModified"] < since for part in parts.values())


def _server_time(answer: dict[str, Any]) -> datetime:
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
