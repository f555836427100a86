"""The objects of a job: of a manifest that S3 generates, or of a CSV file.

Sources: Amazon S3 User Guide, "Creating an S3 Batch Operations job"; Amazon S3 API Reference,
JobManifestGeneratorFilter.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from local.batch_operations.errors import JobFailed
from local.batch_operations.task import Task
from local.lambda_service.roles import permits

# Filters that `_matches` knows.
FILTERS = {
    "CreatedAfter",
    "CreatedBefore",
    "KeyNameConstraint",
    "MatchAnyStorageClass",
    "ObjectSizeGreaterThanBytes",
    "ObjectSizeLessThanBytes",
}


def generated_tasks(s3: Any, generator: Mapping[str, Any], role_arn: str) -> list[Task]:
    """Return the tasks of a manifest that S3 generates: all versions of all objects that match the filter.

    S3 reads the bucket as S3 Inventory does, so the role needs no permission to list it. AWS does not document whether
    the manifest holds noncurrent versions.

    Args:
        s3: A client that may list the bucket.
        generator: The `S3JobManifestGenerator`.
        role_arn: The role of the job.

    Raises:
        JobFailed: The role does not permit it, or the bucket does not exist.
    """
    source, wanted = generator["SourceBucket"], generator.get("Filter") or {}
    if unknown := set(wanted) - FILTERS:
        raise JobFailed("NotImplemented", f"The embedded AWS does not implement the filters {sorted(unknown)}.")
    if not permits(role_arn, "s3:PutInventoryConfiguration", source):
        raise JobFailed(
            "AccessDenied", f"The role {role_arn} does not permit s3:PutInventoryConfiguration on {source}."
        )
    bucket = source.rpartition(":")[2]
    owner = {"ExpectedBucketOwner": generator["ExpectedBucketOwner"]} if generator.get("ExpectedBucketOwner") else {}
    try:
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, **owner)
        versions = [version for page in pages for version in page.get("Versions", []) if _matches(version, wanted)]
    except ClientError as error:
        raise JobFailed("ManifestGenerationFailed", str(error)) from error
    return [Task(bucket, quote(version["Key"]), _version_id(version)) for version in versions]


def listed_tasks(s3: Any, manifest: Mapping[str, Any]) -> list[Task]:
    """Return the tasks of a CSV manifest.

    Args:
        s3: A client with the permissions of the job's role.
        manifest: The manifest of the request.

    Raises:
        JobFailed: The manifest cannot be read, or has another form than the request says.
    """
    spec, location = manifest["Spec"], manifest["Location"]
    if spec["Format"] != "S3BatchOperations_CSV_20180820":
        raise JobFailed("NotImplemented", f"The embedded AWS does not read manifests of the form {spec['Format']}.")
    bucket, _, key = location["ObjectArn"].rpartition(":::")[2].partition("/")
    version = {"VersionId": location["ObjectVersionId"]} if location.get("ObjectVersionId") else {}
    try:
        answer = s3.get_object(Bucket=bucket, Key=key, IfMatch=location["ETag"], **version)
    except ClientError as error:
        raise JobFailed("ManifestNotAccessible", str(error)) from error
    lines = answer["Body"].read().decode().splitlines()
    return list(_tasks_of(csv.reader(lines), spec["Fields"]))


def _tasks_of(rows: Iterator[Sequence[str]], fields: Sequence[str]) -> Iterator[Task]:
    for row in rows:
        if len(row) != len(fields) or not all(row):
            raise JobFailed("InvalidManifestContent", f"Required fields are missing in the row {','.join(row)!r}.")
        values = dict(zip(fields, row, strict=True))
        yield Task(values["Bucket"], values["Key"], values.get("VersionId"))


def _version_id(version: Mapping[str, Any]) -> str | None:
    return None if version["VersionId"] == "null" else str(version["VersionId"])


def _utc(time: datetime) -> datetime:
    # Moto's parser drops the time zone, which is always UTC.
    return time.replace(tzinfo=UTC)


def _matches(version: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    key, size, created = version["Key"], version["Size"], version["LastModified"]
    names = wanted.get("KeyNameConstraint") or {}
    return all(
        (
            "CreatedAfter" not in wanted or created > _utc(wanted["CreatedAfter"]),
            "CreatedBefore" not in wanted or created < _utc(wanted["CreatedBefore"]),
            "ObjectSizeGreaterThanBytes" not in wanted or size > wanted["ObjectSizeGreaterThanBytes"],
            "ObjectSizeLessThanBytes" not in wanted or size < wanted["ObjectSizeLessThanBytes"],
            "MatchAnyStorageClass" not in wanted or version["StorageClass"] in wanted["MatchAnyStorageClass"],
            key.startswith(tuple(names.get("MatchAnyPrefix", [""]))),
            key.endswith(tuple(names.get("MatchAnySuffix", [""]))),
            any(part in key for part in names.get("MatchAnySubstring", [""])),
        )
    )
