"""Object Lock: what keeps a version from being removed.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
"""

from typing import Any

from moto.s3.exceptions import S3AccessDeniedError
from moto.s3.responses import S3Response

from local.patches.patching import patch
from local.patches.s3_permissions import need

BYPASS = "x-amz-bypass-governance-retention"
# The permissions without which S3 does not show a lock.
TOLD_TO = {
    "x-amz-object-lock-mode": "GetObjectRetention",
    "x-amz-object-lock-retain-until-date": "GetObjectRetention",
    "x-amz-object-lock-legal-hold": "GetObjectLegalHold",
}


@patch(S3Response, "delete_object")
def need_leave_to_bypass_governance(original: Any, response: Any) -> Any:
    """Governance mode is bypassed by the header's value `true` and by who may do so; by moto's by any value."""
    if response.headers.get(BYPASS, "").lower() == "true":
        need(response, "BypassGovernanceRetention", response.bucket_name, response.parse_key_name())
        return original(response)
    headers = response.headers
    response.headers = {name: value for name, value in headers.items() if name.lower() != BYPASS}
    try:
        return original(response)
    finally:
        response.headers = headers


@patch(S3Response, "head_object")
def tell_locks_to_who_may_know(original: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
    """HeadObject tells mode and date to who may `GetObjectRetention`, a legal hold to who may `GetObjectLegalHold`;
    moto tells everybody.
    """
    status, headers, body = original(response, *args, **kwargs)
    for name in TOLD_TO.keys() & headers.keys():
        try:
            need(response, TOLD_TO[name], response.bucket_name, response.parse_key_name())
        except S3AccessDeniedError:
            del headers[name]
    return status, headers, body
