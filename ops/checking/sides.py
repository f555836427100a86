"""The two sides of a mirror, with their clients."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from botocore.config import Config

from ops.brigade import Brigade
from ops.deployment import Mirror
from ops.errors import OpsError
from tasks.mirror_check.evidence import Depth, Evidence
from tasks.mirror_check.listings import Side, keep_xml
from tasks.mirror_check.records import Records
from tasks.object_clerk.s3_requests import S3Requests, client_config
from tasks.object_clerk.versions import in_order
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.retry import RetryPolicy

# Some 15 seconds: a person waits.
RETRIES = RetryPolicy(tries=6, delay=0.5, jitter=(0.0, 0.5), max_delay=8.0)


@contextmanager
def failures_as_sentences() -> Iterator[None]:
    """Turn an error of this project in the block into an `OpsError`."""
    try:
        yield
    except BucketBrigadeError as error:
        raise OpsError(str(error)) from error


@contextmanager
def compared_sides(brigade: Brigade, mirror: Mirror, *, depth: Depth, workers: int) -> Iterator[Evidence]:
    """Yield what compares the two sides of a mirror.

    Args:
        brigade: the command's deployment and clients.
        mirror: the mirror.
        depth: what is compared.
        workers: key ranges that are compared side by side.
    """
    # Each range lists both sides, and its objects are observed besides.
    config = client_config(max_pool_connections=4 * workers)
    with ThreadPoolExecutor(2 * workers) as pool:
        yield Evidence(
            source=side_of(brigade.client("s3", config), mirror.source),
            destination=side_of(brigade.destination_s3(mirror, config), mirror.destination),
            records=Records(brigade.client("dynamodb", Config(max_pool_connections=workers)), mirror.table),
            depth=depth,
            pool=pool,
        )


def side_of(client: Any, bucket: str) -> Side:
    """Return a bucket as a side."""
    return Side(S3Requests(in_order(keep_xml(client)), RETRIES), bucket)
