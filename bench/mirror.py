"""`python -m bench.mirror NAME PREFIX [cold]`: mirror the objects of the source bucket below a prefix.

Each contestant has its own process. Without `cold` it mirrors a small object first, so that its clients exist when the
clock starts. It prints, as JSON in the last line, the seconds of the work.
"""

# Imports are in the functions, so that a process loads only the packages of its own contestant.
# pylint: disable=import-outside-toplevel

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from bench.names import COLD, ONE_BY_ONE, OURS, SPOOL, WARM_UP

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

# Lambda's maximum batch from a FIFO queue.
BATCH = 10


def _ours(prefix: str) -> None:
    """Pass the events of all objects to the function, in batches, as one container gets them."""
    from tasks.object_clerk.transport import clients
    from tasks.partition_replicate.handler import replicate

    # The listing uses the function's own client, so that it loads no second kind of client.
    entries = iter(_entries(clients.client("s3"), prefix))
    while batch := list(islice(entries, BATCH)):
        answer = replicate({"Records": [_record(entry) for entry in batch]}, None)
        if answer["batchItemFailures"]:
            raise SystemExit(f"not replicated: {answer}")


def _record(entry: ObjectTypeDef) -> dict[str, Any]:
    event_object = {"key": entry["Key"], "size": entry["Size"], "etag": entry["ETag"].strip('"'), "sequencer": "01"}
    body = {
        "detail-type": "Object Created",
        "source": "aws.s3",
        "time": entry["LastModified"].isoformat(),
        "detail": {"bucket": {"name": os.environ["SOURCE_BUCKET"]}, "object": event_object},
    }
    return {"messageId": entry["Key"], "body": json.dumps(body), "attributes": {"MessageGroupId": entry["Key"]}}


def _one_by_one(prefix: str) -> None:
    """Mirror one object after the other through a file, with a record of each in the table: the usual way.

    All objects share the clients. A session for each object would take 0.2 s and dominate the measurement.
    """
    source, destination, table = _source(), _destination(), _table()
    for entry in _entries(source, prefix):
        key = {"Key": {"S": entry["Key"]}, "VersionId": {"S": "$null"}}
        item = table.get_item(TableName=os.environ["OBJECTS_TABLE"], Key=key, ConsistentRead=True).get("Item")
        if item and item["ETag"]["S"] == entry["ETag"]:
            continue
        etag = _copy_through_file(source, destination, entry["Key"])
        table.put_item(
            TableName=os.environ["OBJECTS_TABLE"],
            Item={**key, "ETag": {"S": entry["ETag"]}, "DestObject": {"S": etag}},
        )


def _spool(prefix: str) -> None:
    """Download each object to a file, and upload the file."""
    source, destination = _source(), _destination()
    for entry in _entries(source, prefix):
        _copy_through_file(source, destination, entry["Key"])


def _copy_through_file(source: S3Client, destination: S3Client, key: str) -> str:
    """Copy an object through a file, and return its new ETag."""
    import tempfile

    from boto3.s3.transfer import TransferConfig

    config = TransferConfig(
        multipart_chunksize=int(os.environ["BENCH_PART"]), max_concurrency=int(os.environ["BENCH_STREAMS"])
    )
    source_bucket, destination_bucket = os.environ["SOURCE_BUCKET"], os.environ["DEST_BUCKET"]
    head = source.head_object(Bucket=source_bucket, Key=key)
    with tempfile.NamedTemporaryFile(dir=os.environ["BENCH_FOLDER"]) as file:
        source.download_file(source_bucket, key, file.name, Config=config)
        tags = source.get_object_tagging(Bucket=source_bucket, Key=key)["TagSet"]
        headers = {"Metadata": head["Metadata"], "ContentType": head["ContentType"]}
        destination.upload_file(file.name, destination_bucket, key, ExtraArgs=headers, Config=config)
    if tags:
        destination.put_object_tagging(Bucket=destination_bucket, Key=key, Tagging={"TagSet": tags})
    return destination.head_object(Bucket=destination_bucket, Key=key)["ETag"]


def _entries(s3: S3Client, prefix: str) -> Iterator[ObjectTypeDef]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=os.environ["SOURCE_BUCKET"], Prefix=prefix):
        yield from page.get("Contents", [])


@cache
def _source() -> S3Client:
    import boto3

    return boto3.client("s3")


@cache
def _table() -> DynamoDBClient:
    import boto3

    return boto3.client("dynamodb")


@cache
def _destination() -> S3Client:
    import boto3

    secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["DEST_SECRET"])
    keys = json.loads(secret["SecretString"])
    return boto3.client(
        "s3",
        endpoint_url=os.environ["DEST_ENDPOINT_URL"],
        aws_access_key_id=keys["accesskey"],
        aws_secret_access_key=keys["secretaccesskey"],
    )


def main() -> None:
    """Mirror the objects as the contestant of the command line, and print the seconds."""
    mirror = {OURS: _ours, SPOOL: _spool, ONE_BY_ONE: _one_by_one}[sys.argv[1]]
    if sys.argv[3:] != [COLD]:
        mirror(WARM_UP)
    started = time.perf_counter()
    mirror(sys.argv[2])
    print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main()
    # Skip Python's clean-up of modules and clients, as a container of Lambda does.
    os._exit(0)
