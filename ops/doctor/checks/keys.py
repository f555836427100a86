"""Checks of the KMS keys of functions, buckets, queues and tables."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ops.doctor.checks.buckets import NO_ENCRYPTION
from ops.doctor.checkup import Check
from ops.doctor.commands import aws
from ops.doctor.facts import Facts
from ops.doctor.findings import Result, check_that, problem
from ops.doctor.subjects import Bucket, Function, Queue, Table, buckets, functions, mirror_of, queues, tables

USABLE = ("Enabled", "Updating")
# The key that AWS manages for SQS. Its policy cannot be changed, so that no other service can use it.
MANAGED_KEY = "alias/aws/sqs"


def of_function(facts: Facts, function: Function) -> Iterator[Result]:
    """Check the key that encrypts the settings of a function."""
    yield from _key(facts, facts.configuration(function.label).get("KMSKeyArn"))


def of_bucket(facts: Facts, bucket: Bucket) -> Iterator[Result]:
    """Check the keys that encrypt new objects of a bucket."""
    for key in keys_of_bucket(facts, bucket):
        yield from _key(facts, key, bucket)


def of_table(facts: Facts, table: Table) -> Iterator[Result]:
    """Check the key that encrypts a table."""
    missing = "ResourceNotFoundException"
    found = facts.read("dynamodb", "describe_table", missing, TableName=table.label).get("Table", {})
    yield from _key(facts, found.get("SSEDescription", {}).get("KMSMasterKeyArn"))


def of_queue(facts: Facts, queue: Queue) -> Iterator[Result]:
    """Check the key of a queue, and that the sender of notifications may use it."""
    key = facts.queue(queue.work.url).get("KmsMasterKeyId")
    if key and queue.sender:
        yield _use_by_s3(facts, key)
    yield from _key(facts, key)


def _use_by_s3(facts: Facts, key: str) -> Result:
    """Return whether S3 may use a key: Amazon SQS Developer Guide, "Configure KMS permissions for AWS services"."""
    if key == MANAGED_KEY:
        return problem(f"S3 cannot use {key}, so no notification arrives", 'kms_key_arn = "the ARN of your own key"')
    policy = facts.read("kms", "get_key_policy", KeyId=key, PolicyName="default")["Policy"]
    principals = [each.get("Principal", {}) for each in json.loads(policy)["Statement"] if each["Effect"] == "Allow"]
    named = any("s3.amazonaws.com" in json.dumps(each) for each in principals)
    text = f"the policy of {key} does not let s3.amazonaws.com use it, so no notification arrives"
    edit = aws("kms", "put-key-policy", key_id=key, policy_name="default", policy="file://policy.json")
    return check_that(named, f"S3 may use {key}", problem(f"{text}: allow kms:GenerateDataKey and kms:Decrypt", edit))


def keys_of_bucket(facts: Facts, bucket: Bucket) -> Iterator[str]:
    """Yield the keys of KMS that a bucket encrypts with by default."""
    found = facts.read_bucket(bucket, "get_bucket_encryption", NO_ENCRYPTION)
    for rule in found.get("ServerSideEncryptionConfiguration", {}).get("Rules", []):
        if key := rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID"):
            yield key


def _key(facts: Facts, key: str | None, bucket: Bucket | None = None) -> Iterator[Result]:
    if not key:
        return
    region = key.split(":")[3] if key.startswith("arn:") else facts.region
    gone = problem(f"the key {key} does not exist: what it encrypts is lost", 'kms_key_arn = "the ARN of another key"')
    if bucket and bucket.is_far:
        found = facts.read_far(mirror_of(bucket), "kms", "describe_key", "NotFoundException", KeyId=key)
    else:
        found = facts.read("kms", "describe_key", "NotFoundException", KeyId=key)
    state = found.get("KeyMetadata", {}).get("KeyState")
    if state is None:
        yield gone
        return
    word = "cancel-key-deletion" if state == "PendingDeletion" else "enable-key"
    unusable = problem(
        f"the key {key} is {state}: nothing can be read or written", aws("kms", word, key_id=key, region=region)
    )
    yield check_that(state in USABLE, f"the key {key} is {state}", unusable)


CHECKS = (
    Check("function key", "whether the key of the function is enabled", functions, of_function),
    Check("bucket key", "whether the key of the bucket is enabled", buckets, of_bucket),
    Check("queue key", "whether the key of the queue is enabled, and S3 may use it", queues, of_queue),
    Check("table key", "whether the key of the table is enabled", tables, of_table),
)
