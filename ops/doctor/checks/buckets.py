"""Checks of the buckets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from ops.deployment import Deployment
from ops.doctor.checkup import Check
from ops.doctor.commands import aws
from ops.doctor.facts import Facts, NotAllowed, code_of
from ops.doctor.findings import Result, check_that, ok, problem, warning
from ops.doctor.subjects import Bucket, buckets, mirror_of

BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
NO_BLOCK = "NoSuchPublicAccessBlockConfiguration"
NO_RULES = "NoSuchLifecycleConfiguration"
NO_LOCK = "ObjectLockConfigurationNotFoundError"
NO_ENCRYPTION = "ServerSideEncryptionConfigurationNotFoundError"

# A copy takes minutes, so an upload that is a week old will never complete.
ABORT_RULE = {
    "ID": "abort-stale-uploads",
    "Status": "Enabled",
    "Filter": {},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}


def exists(facts: Facts, bucket: Bucket) -> Iterator[Result]:
    """Check that a bucket exists, in the right region and account."""
    wanted, owner = _region(facts, bucket), facts.owner_of(bucket)
    region = _head(facts, bucket)
    if region is None:
        make = aws("s3", "mb", f"s3://{bucket.label}", region=wanted or facts.region)
        yield problem(f"the bucket {bucket.label} does not exist", make)
        return
    elsewhere = problem(f"it is in {region}, and {wanted} is expected", f"give the task a bucket in {wanted}")
    yield check_that(not wanted or region in ("", wanted), f"it is in {region}", elsewhere)
    if owner:
        yield _owned(facts, bucket, owner)


def _owned(facts: Facts, bucket: Bucket, owner: str) -> Result:
    foreign = problem(
        f"it does not belong to account {owner}, so every request is refused",
        f'bucket_owners = {{ {bucket.label} = "ACCOUNT" }}, if its owner is to be trusted',
    )
    return check_that(_head(facts, bucket, ExpectedBucketOwner=owner) is not None, f"account {owner} owns it", foreign)


def _head(facts: Facts, bucket: Bucket, **owner: str) -> str | None:
    """Return the region of a bucket; None if it does not exist, or has another owner."""
    try:
        answer = facts.read_bucket(bucket, "head_bucket", "404", **owner)
    except (ClientError, NotAllowed) as error:
        refused = isinstance(error, NotAllowed) or code_of(error) == "403"
        if owner and refused:
            return None
        if refused:
            # An answer to HEAD does not say why; this one shows credentials of another partition.
            with suppress(NotAllowed):
                facts.read_bucket(bucket, "get_bucket_versioning")
            raise NotAllowed("s3:ListBucket") from error
        raise
    return answer.get("BucketRegion", "") if answer else None


def _region(facts: Facts, bucket: Bucket) -> str:
    """Return the region that a bucket has to be in; empty if any will do."""
    settings = facts.settings(bucket.function)
    if bucket.is_far:
        return "" if settings["DEST_ENDPOINT_URL"] else settings["DEST_BUCKET_REGION"]
    # S3 and EventBridge notify queues and rules of the bucket's own region.
    return facts.region if bucket.is_read else ""


def own_buckets(deployment: Deployment) -> Iterator[Bucket]:
    """Yield the buckets outside mirrors: the versions of both sides of a mirror are compared."""
    mirrors = deployment.mirrors
    yield from (bucket for bucket in buckets(deployment) if bucket.task not in mirrors)


def versioning(facts: Facts, bucket: Bucket) -> Iterator[Result]:
    """Check that an overwritten object of a bucket can be restored."""
    status = facts.read_bucket(bucket, "get_bucket_versioning").get("Status", "off")
    command = aws(*("s3api", "put-bucket-versioning"), bucket=bucket.label, versioning_configuration="Status=Enabled")
    off = warning(f"its versioning is {status}: an overwritten object is lost", command)
    yield check_that(status == "Enabled", "its versioning is Enabled", off)


def encryption(facts: Facts, bucket: Bucket) -> Iterator[Result]:
    """Report the default encryption of a bucket."""
    found = facts.read_bucket(bucket, "get_bucket_encryption", NO_ENCRYPTION)
    rules = found.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    how = [rule["ApplyServerSideEncryptionByDefault"] for rule in rules if "ApplyServerSideEncryptionByDefault" in rule]
    names = [" ".join(filter(None, (each["SSEAlgorithm"], each.get("KMSMasterKeyID")))) for each in how]
    # S3 encrypts every object, by default with keys of its own.
    yield ok(f"it encrypts with {', '.join(names) or 'AES256'}")


def public_access(facts: Facts, bucket: Bucket) -> Iterator[Result]:
    """Check that no policy and no ACL makes an object of a bucket public."""
    found = facts.read_bucket(bucket, "get_public_access_block", NO_BLOCK).get("PublicAccessBlockConfiguration", {})
    off = [name for name in BLOCKS if not found.get(name)]
    configuration = ",".join(f"{name}=true" for name in BLOCKS)
    command = aws(
        *("s3api", "put-public-access-block"),
        bucket=bucket.label,
        public_access_block_configuration=configuration,
    )
    yield check_that(not off, "its public access is blocked", warning(f"it does not set {', '.join(off)}", command))


def stale_uploads(facts: Facts, bucket: Bucket) -> Iterator[Result]:
    """Check that a bucket removes the parts of uploads that were never completed."""
    rules: list[dict[str, Any]] = facts.read_bucket(bucket, "get_bucket_lifecycle_configuration", NO_RULES).get(
        "Rules", []
    )
    aborts = any(rule["Status"] == "Enabled" and rule.get("AbortIncompleteMultipartUpload") for rule in rules)
    command = aws(
        *("s3api", "put-bucket-lifecycle-configuration"),
        bucket=bucket.label,
        lifecycle_configuration={"Rules": [*rules, ABORT_RULE]},
    )
    kept = warning("no rule removes incomplete uploads: their parts cost storage for ever", command)
    yield check_that(aborts, "a rule removes incomplete uploads", kept)


def lock(facts: Facts, bucket: Bucket) -> Iterator[Result]:
    """Check that Object Lock does not refuse what the task does."""
    found = facts.read_bucket(bucket, "get_object_lock_configuration", NO_LOCK).get("ObjectLockConfiguration", {})
    retention = found.get("Rule", {}).get("DefaultRetention")
    removes = bucket.is_far and facts.settings(bucket.function).get("VERSION_DELETES") == "mirror"
    refused = warning(
        f"it retains each version ({retention}), so removals of versions are refused until then",
        'partition_replicate_version_deletes = "keep"',
    )
    yield check_that(not (retention and removes), f"its default retention is {retention or 'not set'}", refused)


def written_buckets(deployment: Deployment) -> Iterator[Bucket]:
    """Yield the buckets that a task writes."""
    yield from (bucket for bucket in buckets(deployment) if not bucket.is_read)


def both_versions(facts: Facts, bucket: Bucket) -> Iterator[Result]:
    """Compare the versioning of both sides of a mirror."""
    source = Bucket(bucket.task, mirror_of(bucket).source, "source", bucket.function)
    near, far = (facts.read_bucket(each, "get_bucket_versioning").get("Status", "off") for each in (source, bucket))
    mode = facts.settings(bucket.function).get("VERSIONS") or "unset"
    text = f"versioning is {near} at the source and {far} at the mirror, and VERSIONS is {mode}"
    side = source if near != "Enabled" else bucket
    command = aws(*("s3api", "put-bucket-versioning"), bucket=side.label, versioning_configuration="Status=Enabled")
    if mode == "all" and not near == far == "Enabled":
        yield problem(f"{text}: all versions need both sides", command)
        return
    differ = warning(f"{text}: only the current versions are mirrored", command)
    yield check_that(near == far or mode == "current", text, differ)


def mirror_buckets(deployment: Deployment) -> Iterator[Bucket]:
    """Yield the buckets of mirrors."""
    yield from (bucket for bucket in buckets(deployment) if bucket.is_far)


CHECKS = (
    Check("bucket", "whether the bucket exists, in the right region and account", buckets, exists),
    Check("versioning", "whether the bucket keeps versions", own_buckets, versioning),
    Check("both versions", "whether both sides of the mirror keep versions", mirror_buckets, both_versions),
    Check("encryption", "how the bucket encrypts", buckets, encryption),
    Check("public access", "whether public access to the bucket is blocked", buckets, public_access),
    Check("incomplete uploads", "whether a life cycle removes incomplete uploads", written_buckets, stale_uploads),
    Check("object lock", "whether Object Lock refuses what the task does", written_buckets, lock),
)
