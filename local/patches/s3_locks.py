"""Object Lock: bypassing governance mode, and the lock headers of HeadObject.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
"""

from typing import Any

from moto.s3.exceptions import S3AccessDeniedError
from moto.s3.responses import S3Response

from local.patches.patching import patch
from local.patches.s3_permissions import require

BYPASS = "x-amz-bypass-governance-retention"
# The permission that a caller needs to see each header.
PERMISSION_OF_HEADER = {
    "x-amz-object-lock-mode": "GetObjectRetention",
    "x-amz-object-lock-retain-until-date": "GetObjectRetention",
    "x-amz-object-lock-legal-hold": "GetObjectLegalHold",
}


@patch(S3Response, "delete_object")
def require_permission_to_bypass_governance(original: Any, response: Any) -> Any:
    """Bypassing governance mode takes the header's value `true` and the permission; moto accepts any value."""
    if response.headers.get(BYPASS, "").lower() == "true":
        require(response, "BypassGovernanceRetention", response.bucket_name, response.parse_key_name())
        return original(response)
    headers = response.headers
    response.headers = {name: value for name, value in headers.items() if name.lower() != BYPASS}
    try:
        return original(response)
    finally:
        response.headers = headers


@patch(S3Response, "head_object")
def hide_locks_without_permission(original: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
    """HeadObject returns mode and date only with the permission `GetObjectRetention`, a legal hold only with
    `GetObjectLegalHold`; moto returns them always.
    """
    status, headers, body = original(response, *args, **kwargs)
    for name in PERMISSION_OF_HEADER.keys() & headers.keys():
        try:
            require(response, PERMISSION_OF_HEADER[name], response.bucket_name, response.parse_key_name())
        except S3AccessDeniedError:
            del headers[name]
    return status, headers, body
