"""`python -m bench.mirror NAME PREFIX [cold]`: mirrors what is in the source bucket below the prefix, and ends.

Each who is measured runs alone. Without `cold` it mirrors a small object first, so that it has its clients, and prints,
as JSON in the last line, the seconds that the work took from there.
"""

# A process loads what its own contestant needs and nothing else, so imports are in the functions.
# pylint: disable=import-outside-toplevel

import json
import os
import sys
import time
from functools import cache
from itertools import islice

from bench.names import COLD, ONE_BY_ONE, OURS, SPOOL, WARM_UP

# What Lambda takes from a FIFO queue at a time.
BATCH = 10


def _ours(prefix: str) -> None:
    """Hand the events of all objects to the function, in batches, as one container gets them."""
    from tasks.object_clerk.transport import clients
    from tasks.partition_replicate.handler import replicate

    # The function is told what to mirror; that it is listed here should not cost a second kind of client.
    entries = iter(_entries(clients.client("s3"), prefix))
    while batch := list(islice(entries, BATCH)):
        answer = replicate({"Records": [_record(entry) for entry in batch]}, None)
        if answer["batchItemFailures"]:
            raise SystemExit(f"not replicated: {answer}")


def _record(entry: dict) -> dict:
    about = {"key": entry["Key"], "size": entry["Size"], "etag": entry["ETag"].strip('"'), "sequencer": "01"}
    body = {
        "detail-type": "Object Created",
        "source": "aws.s3",
        "time": entry["LastModified"].isoformat(),
        "detail": {"bucket": {"name": os.environ["SOURCE_BUCKET"]}, "object": about},
    }
    return {"messageId": entry["Key"], "body": json.dumps(body), "attributes": {"MessageGroupId": entry["Key"]}}


def _one_by_one(prefix: str) -> None:
    """Do what is usual: one object after the other through a file, looked at before and after, and written down.

    Clients are made once here. A session for each object takes 0.2 s, and there would be nothing left to compare.
    """
    source, destination, table = _source(), _destination(), _table()
    for entry in _entries(source, prefix):
        place = {"Key": {"S": entry["Key"]}, "VersionId": {"S": "$null"}}
        known = table.get_item(TableName=os.environ["OBJECTS_TABLE"], Key=place, ConsistentRead=True).get("Item")
        if known and known["ETag"]["S"] == entry["ETag"]:
            continue
        made = _through_a_file(source, destination, entry["Key"])
        item = {**place, "ETag": {"S": entry["ETag"]}, "DestObject": {"S": made["ETag"]}}
        table.put_item(TableName=os.environ["OBJECTS_TABLE"], Item=item)


def _spool(prefix: str) -> None:
    """Read each object into a file and write it from there."""
    source, destination = _source(), _destination()
    for entry in _entries(source, prefix):
        _through_a_file(source, destination, entry["Key"])


def _through_a_file(source, destination, key: str) -> dict:
    import tempfile

    from boto3.s3.transfer import TransferConfig

    config = TransferConfig(
        multipart_chunksize=int(os.environ["BENCH_PART"]), max_concurrency=int(os.environ["BENCH_STREAMS"])
    )
    here, there = os.environ["SOURCE_BUCKET"], os.environ["DEST_BUCKET"]
    about = source.head_object(Bucket=here, Key=key)
    with tempfile.NamedTemporaryFile(dir=os.environ["BENCH_FOLDER"]) as file:
        source.download_file(here, key, file.name, Config=config)
        tags = source.get_object_tagging(Bucket=here, Key=key)["TagSet"]
        carried = {"Metadata": about["Metadata"], "ContentType": about["ContentType"]}
        destination.upload_file(file.name, there, key, ExtraArgs=carried, Config=config)
    if tags:
        destination.put_object_tagging(Bucket=there, Key=key, Tagging={"TagSet": tags})
    return destination.head_object(Bucket=there, Key=key)


def _entries(s3, prefix: str):
    wanted = {"Bucket": os.environ["SOURCE_BUCKET"], "Prefix": prefix}
    for page in s3.get_paginator("list_objects_v2").paginate(**wanted):
        yield from page.get("Contents", [])


@cache
def _source():
    import boto3

    return boto3.client("s3")


@cache
def _table():
    import boto3

    return boto3.client("dynamodb")


@cache
def _destination():
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
    """Do what the arguments say."""
    mirror = {OURS: _ours, SPOOL: _spool, ONE_BY_ONE: _one_by_one}[sys.argv[1]]
    if sys.argv[3:] != [COLD]:
        mirror(WARM_UP)
    started = time.perf_counter()
    mirror(sys.argv[2])
    print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main()
    # The work is done. Python would take modules and clients down one by one, which no container of Lambda does.
    os._exit(0)
