"""KMS keys in S3: the permissions on a key that a request needs besides those on the object.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

from typing import Any

from moto.iam.access_control import S3IAMRequest
from moto.s3.models import FakeKey
from moto.s3.responses import S3Response

from local.patches.patching import patch
from local.patches.s3_copy import source_of_copy

READ, WRITE = "Decrypt", "GenerateDataKey"
MANAGED_KEY = "alias/aws/s3"
KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"


class _KeyRequest(S3IAMRequest):
    """A request that S3 sends to KMS with the permissions of its caller."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._action = self._action.replace("s3:", "kms:")


@patch(S3Response, "get_object")
def require_key_of_read(original: Any, response: Any) -> Any:
    """GetObject needs `kms:Decrypt` on the object's key; moto does not encrypt."""
    _require(response, READ, _key_of(_object(response)))
    return original(response)


@patch(S3Response, "head_object")
def require_key_of_checksums(original: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
    """HeadObject needs `kms:Decrypt` on the object's key for its checksums; moto does not encrypt.

    Amazon S3 API Reference, HeadObject, ChecksumMode.
    """
    answer = original(response, *args, **kwargs)
    if response.headers.get("x-amz-checksum-mode") == "ENABLED" and answer[0] == 200:
        _require(response, READ, answer[1].get(KEY_HEADER))
    return answer


@patch(S3Response, "put_object")
def require_key_of_write(original: Any, response: Any) -> Any:
    """PutObject needs `kms:GenerateDataKey` on the key of the request, or of the bucket; moto does not encrypt."""
    _require(response, WRITE, _key_of_write(response))
    return original(response)


@patch(S3Response, "copy_object")
def require_keys_of_copy(original: Any, response: Any) -> Any:
    """CopyObject reads under the key of its source and writes under the key of the copy; moto does not encrypt."""
    _require(response, READ, _key_of(source_of_copy(response)))
    _require(response, WRITE, _key_of_write(response))
    return original(response)


@patch(S3Response, "_key_response_post")
def require_key_of_multipart_upload(original: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
    """CreateMultipartUpload needs `kms:GenerateDataKey`; moto does not encrypt.

    Amazon S3 API Reference, CreateMultipartUpload.
    """
    answer = original(response, *args, **kwargs)
    if "uploads" in response.querystring:
        _require(response, WRITE, _key_of_write(response))
    return answer


@patch(S3Response, "upload_part")
def require_key_of_part(original: Any, response: Any) -> Any:
    """UploadPart needs `kms:Decrypt` on the key of its upload; moto does not encrypt.

    Amazon S3 API Reference, CreateMultipartUpload.
    """
    _require(response, READ, _key_of_upload(response))
    return original(response)


@patch(S3Response, "upload_part_copy")
def require_keys_of_part_copy(original: Any, response: Any) -> Any:
    """UploadPartCopy needs `kms:Decrypt` on the keys of its source and of its upload; moto does not encrypt.

    Amazon S3 API Reference, CreateMultipartUpload.
    """
    _require(response, READ, _key_of(source_of_copy(response)))
    _require(response, READ, _key_of_upload(response))
    return original(response)


def _require(response: Any, action: str, key: str | None) -> None:
    """Refuse a request unless its caller has a permission on a KMS key.

    The policy of the key that AWS manages permits all principals of the account what S3 asks for them (AWS KMS
    Developer Guide, "AWS managed keys").
    """
    if key in (None, MANAGED_KEY):
        return
    action_of_request = response.data.get("Action")
    response.data["Action"] = action
    try:
        response._authenticate_and_authorize_action(  # pylint: disable=protected-access  # moto's only check
            _KeyRequest, key
        )
    finally:
        response.data["Action"] = action_of_request


def _object(response: Any) -> FakeKey | None:
    version = response.querystring.get("versionId", [None])[0]
    found = response.backend.get_object(response.bucket_name, response.parse_key_name(), version_id=version)
    return found if isinstance(found, FakeKey) else None


def _key_of(found: FakeKey | None) -> str | None:
    return found.kms_key_id if found else None


def _key_of_write(response: Any) -> str | None:
    """Return the key that a request names, or the default key of its bucket."""
    encryption = response.backend.get_bucket(response.bucket_name).encryption or {}
    default = encryption.get("Rule", {}).get("ApplyServerSideEncryptionByDefault", {})
    named = response.headers.get("x-amz-server-side-encryption")
    return response.headers.get(KEY_HEADER) or (None if named == "AES256" else default.get("KMSMasterKeyID"))


def _key_of_upload(response: Any) -> str | None:
    bucket = response.backend.get_bucket(response.bucket_name)
    upload = bucket.multiparts.get(response.querystring.get("uploadId", [None])[0])
    return (upload.kms_key_id if upload else None) or _key_of_write(response)
