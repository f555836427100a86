"""The stage for the rows that mirror objects: two SeaweedFS servers, a table and a secret, and who mirrors.

Who mirrors is a service that waits for work, as a function in its container does: the clock runs from the order to the
end of the work. What a start takes is in a row of its own, and shown beside 1 GiB.

A row may put the destination far away: contestants reach it through a delay line, and the stage itself directly.

Both servers speak TLS, as AWS does. Over plain HTTP the SHA-256 of every body would be signed, which is left out over
TLS, and the rows would measure what production never does.

Table, secret and queue are in the process that watches, so that they cost every contestant the same.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import trustme
from moto.server import ThreadedMotoServer

from bench import peers
from bench.delay_line import HOST, delayed
from bench.names import COLD, DESTINATION, RCLONE, SOURCE, WARM_UP
from bench.row import Contestant
from bench.table import Items, served
from local.seaweedfs import SeaweedFS

MIB = 1024**2
PART = 16 * MIB
STREAMS = 4
# rclone's flags for a large object in the same parts and streams.
RCLONE_STREAMS = (
    "--ignore-times",
    f"--multi-thread-streams={STREAMS}",
    f"--multi-thread-chunk-size={PART}B",
    f"--s3-upload-concurrency={STREAMS}",
    f"--s3-chunk-size={PART}B",
)
TABLE, SECRET = "objects", "destination-keys"
REGION = "us-east-1"


@dataclass(frozen=True)
class Stage:
    """What runs while objects are mirrored.

    Attributes:
        source: the S3 server with the bucket `source`.
        destination: the one with the bucket `destination`.
        destination_url: where contestants reach it.
        environment: what tells a contestant where all is, as the task's settings name it.
        rclone: the program.
        empty: removes all that was mirrored and all that is remembered of it.
    """

    source: SeaweedFS
    destination: SeaweedFS
    destination_url: str
    environment: dict[str, str]
    rclone: str
    empty: Callable[[], None]

    def python(self, name: str, prefix: str, *, called: str = "", cold: bool = False) -> Contestant:
        """Give one that is a function of `bench.mirror`, for the objects whose keys begin so.

        Args:
            name: the function's.
            prefix: of the keys.
            called: its name in the table, if not the function's.
            cold: let the start of its process count.
        """
        command = (sys.executable, "-m", "bench.mirror", name, prefix, *([COLD] if cold else []))
        return Contestant(called or name, command, self.environment, reports_itself=not cold, prepare=self.empty)

    def by_rclone(self, what: str, *flags: str, called: str = RCLONE) -> Contestant:
        """Give rclone, which knows both servers by the names of their buckets.

        Args:
            what: a key, or a folder with its `/`.
            flags: rclone's own.
            called: its name in the table.
        """
        sides = {SOURCE: (self.source, self.source.endpoint_url), DESTINATION: (self.destination, self.destination_url)}
        environment = {"RCLONE_CONFIG": os.devnull, "RCLONE_CA_CERT": self.source.ca_bundle}
        for side, (server, url) in sides.items():
            keys = server.credentials
            settings = {
                "TYPE": "s3",
                "PROVIDER": "SeaweedFS",
                "ENDPOINT": url,
                "ACCESS_KEY_ID": keys["aws_access_key_id"],
                "SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
                "NO_CHECK_BUCKET": "true",
            }
            environment |= {f"RCLONE_CONFIG_{side.upper()}_{name}": value for name, value in settings.items()}
        command = (sys.executable, "-m", "bench.rclone_service", self.rclone, what, *flags)
        return Contestant(called, command, environment, reports_itself=True, prepare=self.empty)


@contextmanager
def stage(folder: Path, fill: Callable[[Any], None], *, round_trip_ms: float = 0) -> Iterator[Stage]:
    """Set the stage.

    Args:
        folder: for the peers' packages, which are kept from one run to the next, and for what is spooled.
        fill: puts what is to be mirrored into the bucket `source`, through the S3 client that it is given.
        round_trip_ms: how far away the destination is, in milliseconds; 0 for no distance and no delay line.
    """
    # Moto writes a line for each request.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    rclone = str(peers.installed(folder) / "bin" / "rclone")
    other = ThreadedMotoServer(port=0, verbose=False)
    items = Items()
    # One for both servers: a process has one AWS_CA_BUNDLE.
    authority = trustme.CA()
    with ExitStack() as stack:
        source, destination = (stack.enter_context(SeaweedFS(authority)) for _ in range(2))
        table = stack.enter_context(served(items))
        destination_url = stack.enter_context(_away(destination, round_trip_ms))
        other.start()
        url = "http://" + ":".join(map(str, other.get_host_and_port()))
        try:
            source.client().create_bucket(Bucket=SOURCE)
            destination.client().create_bucket(Bucket=DESTINATION)
            source.client().put_object(Bucket=SOURCE, Key=WARM_UP, Body=b"to be ready")
            fill(source.client())
            environment = {**_settings(source, destination_url, url, table), **_secret_and_queue(destination, url)}
            environment["BENCH_FOLDER"] = str(folder.resolve())
            yield Stage(source, destination, destination_url, environment, rclone, partial(_empty, destination, items))
        finally:
            # The next row is of the same process, and so is what moto knows.
            urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()
            other.stop()


@contextmanager
def _away(server: SeaweedFS, round_trip_ms: float) -> Iterator[str]:
    if not round_trip_ms:
        yield server.endpoint_url
        return
    with delayed(server.host, server.port, round_trip_ms) as port:
        yield f"https://{HOST}:{port}"


def _settings(source: SeaweedFS, destination_url: str, url: str, table: str) -> dict[str, str]:
    keys = source.credentials
    return {
        "PYTHONPATH": os.getcwd(),
        "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CA_BUNDLE": source.ca_bundle,
        "AWS_ENDPOINT_URL": url,
        "AWS_ENDPOINT_URL_DYNAMODB": table,
        "AWS_ENDPOINT_URL_S3": source.endpoint_url,
        "SOURCE_BUCKET": SOURCE,
        "DEST_BUCKET": DESTINATION,
        "DEST_BUCKET_REGION": REGION,
        "DEST_ENDPOINT_URL": destination_url,
        "OBJECTS_TABLE": TABLE,
        "TRANSFER_MEMORY_MB": str(STREAMS * PART // MIB),
        "BENCH_PART": str(PART),
        "BENCH_STREAMS": str(STREAMS),
    }


def _client(service: str, url: str) -> Any:
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.session.Session().client(service, endpoint_url=url, region_name=REGION, **keys)


def _secret_and_queue(destination: SeaweedFS, url: str) -> dict[str, str]:
    """Make both, and name them."""
    keys = destination.credentials
    secret = {"accesskey": keys["aws_access_key_id"], "secretaccesskey": keys["aws_secret_access_key"]}
    _client("secretsmanager", url).create_secret(Name=SECRET, SecretString=json.dumps(secret))
    sqs = _client("sqs", url)
    queue = sqs.create_queue(QueueName="objects.fifo", Attributes={"FifoQueue": "true"})
    recheck = sqs.create_queue(QueueName="recheck")
    return {"DEST_SECRET": SECRET, "OBJECTS_QUEUE": queue["QueueUrl"], "RECHECK_QUEUE": recheck["QueueUrl"]}


def _empty(destination: SeaweedFS, items: Items) -> None:
    # What the run before the last one wrote: what is deleted here is not garbage yet.
    destination.reclaim()
    s3 = destination.client()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=DESTINATION):
        objects = [{"Key": found["Key"]} for found in page.get("Contents", [])]
        if objects:
            s3.delete_objects(Bucket=DESTINATION, Delete={"Objects": objects, "Quiet": True})
    items.clear()


def put_noise(s3: Any, key: str, size: int) -> None:
    """Put an object of random bytes into the source, in parts, with little memory."""
    where = {"Bucket": SOURCE, "Key": key}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    # One block of noise serves all parts, which differ in their first bytes.
    block, parts = bytearray(os.urandom(PART)), []
    for number, start in enumerate(range(0, size, PART), start=1):
        block[:4] = number.to_bytes(4, "big")
        body = bytes(memoryview(block)[: size - start])
        part = s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
