"""The account that each bucket must belong to: S3 refuses a request that expects another owner, with 403 AccessDenied.

A bucket's name does not name its owner. A name with a typo may be another account's bucket, and another account may
make a deleted bucket again. Source: S3 User Guide, "Verifying bucket ownership with bucket owner condition",
https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html. All operations that this project uses
take the condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.model import OperationModel

# Stands for every bucket that is not named. No bucket can have this name.
OTHERS = "*"

# The parameters of an operation that name the owners of its buckets.
DESTINATION, SOURCE = "ExpectedBucketOwner", "ExpectedSourceBucketOwner"
# The codes of S3's refusal. The answer to a HEAD has no body, so its only code is its status.
REFUSALS = frozenset({"403", "AccessDenied"})
CONTEXT = "expected_bucket_owners"


def expect_owners(client: Any, owners: Mapping[str, str]) -> None:
    """Make each request of a client name the expected owners of its buckets, and each refusal repeat them.

    S3 answers a wrong owner as it answers any missing permission, so the error's text names the expected owners.

    Args:
        client: an S3 client. A request that names an owner itself keeps it.
        owners: bucket -> account ID of 12 digits, `*` for all other buckets. Without `*` nothing is expected of them.
    """
    if owners:
        client.meta.events.register("provide-client-params.s3", partial(_with_owners, owners))
        client.meta.events.register("after-call.s3", _name_owners)


def owner_of(owners: Mapping[str, str], bucket: str) -> str | None:
    """Return the account that a bucket must belong to, or None if nothing is expected of it."""
    return owners.get(bucket, owners.get(OTHERS))


def _with_owners(
    owners: Mapping[str, str], params: dict[str, Any], model: OperationModel, context: dict[str, Any], **_: object
) -> dict[str, Any]:
    """Return the parameters of a request with the owners of its buckets."""
    buckets = {DESTINATION: params.get("Bucket"), SOURCE: _bucket_of(params.get("CopySource", ""))}
    # Each operation of S3 on a bucket has parameters.
    members = model.input_shape.members if model.input_shape else {}
    found = {name: owner_of(owners, bucket) for name, bucket in buckets.items() if bucket and name in members}
    expected = {name: owner for name, owner in found.items() if owner}
    context[CONTEXT] = {buckets[name]: owner for name, owner in expected.items()}
    return {**expected, **params}


def _bucket_of(copy_source: dict[str, str] | str) -> str:
    """Return the bucket of a `CopySource`, which is a dict or `bucket/key`."""
    return copy_source["Bucket"] if isinstance(copy_source, dict) else copy_source.lstrip("/").partition("/")[0]


def _name_owners(parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Add to the text of a refusal which accounts the buckets must belong to."""
    error, expected = parsed.get("Error", {}), context.get(CONTEXT)
    if expected and error.get("Code") in REFUSALS:
        needs = [f"the bucket {bucket} must belong to account {owner}" for bucket, owner in expected.items()]
        error["Message"] = f"{error.get('Message') or 'no message'} ({' and '.join(needs)})"
