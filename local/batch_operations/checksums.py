"""Tasks that compute the checksum of an object.

Sources: Amazon S3 User Guide, "Compute checksums", "Granting permissions for Batch Operations" (Compute checksum), and
"Examples: S3 Batch Operations completion reports" (Compute checksum task report).
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from moto.s3.models import FakeKey, s3_backends

from local.batch_operations.task import Result, Task
from local.lambda_service.roles import permits
from local.patches.s3_jobs import Scope
from local.patches.s3_keys import MANAGED_KEY


def checksum_of(task: Task, operation: Mapping[str, Any], scope: Scope, role_arn: str) -> Result:
    """Return the result of a task; an archived object is read like any other.

    Args:
        task: The task.
        operation: The `S3ComputeObjectChecksum` operation of the job.
        scope: Where the job runs.
        role_arn: The role of the job.
    """
    key, version = unquote(task.key), task.version_id
    address = f"arn:{scope.partition}:s3:::{task.bucket}/{key}"
    for action in (f"s3:GetObject{'Version' if version else ''}", "s3:RestoreObject"):
        if not permits(role_arn, action, address):
            return _failure(task, f"The role does not permit {action} on {address}", 403)
    found = s3_backends[scope.account_id][scope.partition].get_object(task.bucket, key, version_id=version)
    if not isinstance(found, FakeKey):
        return _failure(task, "Key not found", 404)
    key_arn = found.kms_key_id
    if key_arn not in (None, MANAGED_KEY) and not permits(role_arn, "kms:Decrypt", key_arn):
        return _failure(task, f"The role does not permit kms:Decrypt on {key_arn}", 403)
    return _success(found, operation["ChecksumAlgorithm"])


def _success(found: FakeKey, algorithm: str) -> Result:
    digest = _digest(algorithm, found.value)
    about = {
        "checksum_base64": base64.b64encode(digest).decode(),
        "etag": found.etag.strip('"'),
        "checksumAlgorithm": algorithm,
        "checksumType": "FULL_OBJECT",
        "checksum_hex": digest.hex().upper(),
    }
    return Result("Succeeded", json.dumps(about, separators=(",", ":")).replace("=", "\\u003d"))


def _digest(algorithm: str, body: bytes) -> bytes:
    if algorithm == "CRC32":
        return zlib.crc32(body).to_bytes(4, "big")
    return hashlib.new(algorithm, body, usedforsecurity=False).digest()


def _failure(task: Task, reason: str, code: int) -> Result:
    text = f'error details: {{"failureMessage":"Task {task.id} {reason}", "errorCode": "{code}"}}'
    return Result("PermanentFailure", text)
