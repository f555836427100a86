"""The archive never goes back to an older version on another S3 server, with its own listings and conditions."""

import itertools
from functools import partial

import pytest
from botocore.config import Config

from local.seaweedfs import SeaweedFS
from tasks.archive_copy.older_versions import OlderVersionError, refuse_older
from tasks.object_clerk.annotations import IGNORE
from tasks.object_clerk.copies import copy_object
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.versions import in_order
from tasks.utils.s3_object import S3Object

pytestmark = pytest.mark.long

CONTENTS = (b"v1", b"v2", b"longer v3")


@pytest.fixture(scope="module", name="s3")
def client_of_a_server():
    with SeaweedFS() as server:
        client = in_order(server.client(config=Config(retries={"total_max_attempts": 1})))
        for bucket in ("source", "archive"):
            client.create_bucket(Bucket=bucket)
        client.put_bucket_versioning(Bucket="source", VersioningConfiguration={"Status": "Enabled"})
        yield client
        client.close()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_archive_never_goes_back_in_whatever_order_versions_come_and_come_again(s3, order):
    key, newest = str(order), -1
    versions = [s3.put_object(Bucket="source", Key=key, Body=body)["VersionId"] for body in CONTENTS]
    for number in (*order, *order):
        requests = S3Requests(s3)
        source, destination = S3Object("source", key, versions[number]), S3Object("archive", key)
        copy = partial(
            copy_object,
            requests,
            source,
            destination,
            annotations=IGNORE,
            before_change=partial(refuse_older, requests, source, destination),
        )
        if number < newest:
            with pytest.raises(OlderVersionError, match="the archive holds a newer version already"):
                copy()
        else:
            copy()
            newest = number
        assert s3.get_object(Bucket="archive", Key=key)["Body"].read() == CONTENTS[newest]
