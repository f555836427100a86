"""S3 servers for tests that run on each of them."""

import socket
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
import pytest
from botocore.config import Config

from tasks.object_clerk.clerk import ObjectClerk
from tasks.object_clerk.transport import clients


@cache
def session():
    """Return the session of all clients of this process: creating one takes longer than most tests."""
    return boto3.session.Session()


@cache
def session_of_clerks():
    return botocore.session.Session()


def new_client(endpoint_url, keys, config):
    return session().client("s3", endpoint_url=endpoint_url, config=config, **keys)


# For behaviour that SeaweedFS lacks, or that differs there from S3.
ON_MOTO = pytest.mark.parametrize("store", ["moto"], indirect=True)


@dataclass
class Store:
    """A server with an empty bucket, a client for set-up and assertions, and constructors of clerks."""

    name: str
    client: Any
    keys: dict
    endpoint_url: str
    bucket: str
    keeps_versions: bool = False
    direct: bool = False

    @property
    def host(self):
        return urlsplit(self.endpoint_url).hostname

    @property
    def port(self):
        return urlsplit(self.endpoint_url).port

    def clerk(self, *, port=None, tries=3, client_config=None, **options):
        """Return a clerk that does not wait between its tries; `port` is that of a proxy."""
        config = Config(**{"retries": {"total_max_attempts": 1}, **(client_config or {})})
        client = clients.s3(
            direct=self.direct,
            of=session_of_clerks(),
            endpoint_url=f"http://{self.host}:{port or self.port}",
            config=config,
            **self.keys,
        )
        return ObjectClerk.from_client(
            client, retry_delay=0, retry_jitter=0, retry_max_delay=0, retry_tries=tries, **options
        )

    def clerk_of_its_own(self, **options):
        """Return a clerk made from host, port and keys."""
        keys = self.keys["aws_access_key_id"], self.keys["aws_secret_access_key"]
        return ObjectClerk(self.host, self.port, *keys, 0, 1, 0, 0, 3, **options)

    def put(self, key, body, **options):
        return self.client.put_object(Bucket=self.bucket, Key=key, Body=body, **options)

    def put_parts(self, key, body, part_size, **options):
        """Upload an object in parts of a size without a checksum over the whole, as older clients do."""
        where = {"Bucket": self.bucket, "Key": key}
        upload = self.client.create_multipart_upload(**where, **options)["UploadId"]
        parts = []
        for number, start in enumerate(range(0, len(body), part_size), start=1):
            part = self.client.upload_part(
                **where, UploadId=upload, PartNumber=number, Body=body[start : start + part_size]
            )
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        return self.client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})

    def bytes_of(self, key, **options):
        return self.client.get_object(Bucket=self.bucket, Key=key, **options)["Body"].read()

    def head(self, key, **options):
        return self.client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED", **options)

    def keys_of(self):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def open_uploads(self):
        return self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])

    def empty(self):
        for upload in self.open_uploads():
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        for key in self.keys_of():
            self.client.delete_object(Bucket=self.bucket, Key=key)

    def keep_versions(self):
        self.keeps_versions = True
        self.client.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})


def closed_port():
    """Return a port on which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return unused.getsockname()[1]
