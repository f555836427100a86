"""Servers and contestants of the rows that mirror objects: two SeaweedFS servers, a table, a secret and queues.

A contestant is a warm service, like a function in its container: the clock runs from the request to the end of the
work. The row of cold starts, and a line of the row of 1 GiB, also measure the start.

A row may add a round-trip time to the destination: contestants reach it through a delay line, the set-up directly.

Both servers speak TLS, as AWS does. Over plain HTTP a client signs the SHA-256 of every body, and over TLS it does not:
over HTTP the rows would measure work that production never does.

Table, secret and queues are in the measuring process, so that they cost every contestant the same.
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
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import boto3
import trustme
from moto.server import ThreadedMotoServer

from bench import peers
from bench.delay_line import at_distance
from bench.names import COLD, DESTINATION, RCLONE, SOURCE, WARM_UP
from bench.row import Contestant
from bench.table import Items, served
from local.seaweedfs import SeaweedFS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

MIB = 1024**2
PART = 16 * MIB
STREAMS = 4
# rclone's flags for the same parts and streams of a large object.
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
class MirrorServers:
    """The running servers.

    Attributes:
        source: The S3 server with the bucket `source`.
        destination: The S3 server with the bucket `destination`.
        destination_url: The URL of the destination for contestants.
        environment: The settings of the task as environment variables.
        rclone_program: The path of rclone.
        empty: Removes all mirrored objects and their records.
    """

    source: SeaweedFS
    destination: SeaweedFS
    destination_url: str
    environment: dict[str, str]
    rclone_program: str
    empty: Callable[[], None]

    def python(self, function: str, prefix: str, *, name: str = "", cold: bool = False) -> Contestant:
        """Return a function of `bench.mirror` as a contestant.

        Args:
            function: The name of the function.
            prefix: The prefix of the keys to mirror.
            name: The name in the table; by default that of the function.
            cold: Whether the start of the process counts.
        """
        command = (sys.executable, "-m", "bench.mirror", function, prefix, *([COLD] if cold else []))
        return Contestant(name or function, command, self.environment, reports_itself=not cold, prepare=self.empty)

    def rclone(self, path: str, *flags: str, name: str = RCLONE) -> Contestant:
        """Return rclone as a contestant; its remotes have the names of the buckets.

        Args:
            path: A key, or a folder with its `/`.
            *flags: Flags of rclone.
            name: The name in the table.
        """
        sides = {SOURCE: (self.source, self.source.endpoint_url), DESTINATION: (self.destination, self.destination_url)}
        environment = {"RCLONE_CONFIG": os.devnull, "RCLONE_CA_CERT": self.source.ca_bundle or ""}
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
        command = (sys.executable, "-m", "bench.rclone_service", self.rclone_program, path, *flags)
        return Contestant(name, command, environment, reports_itself=True, prepare=self.empty)


@contextmanager
def mirror_servers(
    folder: Path, fill: "Callable[[S3Client], None]", *, round_trip_ms: float = 0
) -> Iterator[MirrorServers]:
    """Run the servers until the block ends.

    Args:
        folder: The folder for the peers' packages, kept between runs, and for spooled files.
        fill: Writes the objects to mirror to the bucket `source`.
        round_trip_ms: The round-trip time to the destination, in milliseconds; 0 means no delay line.
    """
    # Moto logs a line for each request.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    rclone = str(peers.installed(folder) / "bin" / "rclone")
    moto = ThreadedMotoServer(port=0, verbose=False)
    items = Items()
    # One authority for both servers, because a process has one AWS_CA_BUNDLE.
    authority = trustme.CA()
    with ExitStack() as stack:
        source, destination = (stack.enter_context(SeaweedFS(authority)) for _ in range(2))
        table = stack.enter_context(served(items))
        destination_url = stack.enter_context(at_distance(destination.endpoint_url, round_trip_ms))
        moto.start()
        url = "http://" + ":".join(map(str, moto.get_host_and_port()))
        try:
            source.client().create_bucket(Bucket=SOURCE)
            destination.client().create_bucket(Bucket=DESTINATION)
            source.client().put_object(Bucket=SOURCE, Key=WARM_UP, Body=b"to be ready")
            fill(source.client())
            environment = {
                **_settings(source, destination_url, url, table),
                **_create_secret_and_queues(destination, url),
                "BENCH_FOLDER": str(folder.resolve()),
            }
            empty = partial(_empty, destination, items)
            yield MirrorServers(source, destination, destination_url, environment, rclone, empty)
        finally:
            # Moto's state is global to the process, which also runs the next row.
            urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()
            moto.stop()


def _settings(source: SeaweedFS, destination_url: str, url: str, table: str) -> dict[str, str]:
    keys = source.credentials
    return {
        "PYTHONPATH": os.getcwd(),
        "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CA_BUNDLE": source.ca_bundle or "",
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


def _create_secret_and_queues(destination: SeaweedFS, url: str) -> dict[str, str]:
    """Create the secret and the queues, and return their settings."""
    options: dict[str, Any] = {"endpoint_url": url, "region_name": REGION}
    options |= {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    keys = destination.credentials
    secret = {"accesskey": keys["aws_access_key_id"], "secretaccesskey": keys["aws_secret_access_key"]}
    session = boto3.session.Session()
    session.client("secretsmanager", **options).create_secret(Name=SECRET, SecretString=json.dumps(secret))
    sqs = session.client("sqs", **options)
    queue = sqs.create_queue(QueueName="objects.fifo", Attributes={"FifoQueue": "true"})
    recheck = sqs.create_queue(QueueName="recheck")
    return {"DEST_SECRET": SECRET, "OBJECTS_QUEUE": queue["QueueUrl"], "RECHECK_QUEUE": recheck["QueueUrl"]}


def _empty(destination: SeaweedFS, items: Items) -> None:
    # Frees the space of the run before the previous one; the objects that are deleted below are not garbage yet.
    destination.reclaim()
    s3 = destination.client()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=DESTINATION):
        keys = [found["Key"] for found in page.get("Contents", [])]
        if keys:
            s3.delete_objects(Bucket=DESTINATION, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True})
    items.clear()


def put_random_object(s3: "S3Client", key: str, size: int) -> None:
    """Write an object of random bytes to the source, in parts, with little memory."""
    upload = s3.create_multipart_upload(Bucket=SOURCE, Key=key)["UploadId"]
    # All parts share one block of random bytes, except for their first four bytes.
    block = bytearray(os.urandom(PART))
    parts: list[CompletedPartTypeDef] = []
    for number, start in enumerate(range(0, size, PART), start=1):
        block[:4] = number.to_bytes(4, "big")
        body = bytes(memoryview(block)[: size - start])
        part = s3.upload_part(Bucket=SOURCE, Key=key, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.complete_multipart_upload(Bucket=SOURCE, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
