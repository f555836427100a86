"""The two sides of a mirror, with their clients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from botocore.config import Config

from ops.brigade import Brigade
from ops.deployment import Mirror
from ops.errors import OpsError
from tasks.mirror_check.evidence import Depth, Evidence
from tasks.mirror_check.histories import HistoryEvidence
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
def compared_sides(
    brigade: Brigade, mirror: Mirror, *, depth: Depth, workers: int, versions: bool
) -> Iterator[Evidence | HistoryEvidence]:
    """Yield what compares the two sides of a mirror.

    Args:
        brigade: the command's deployment and clients.
        mirror: the mirror.
        depth: what is compared.
        workers: key ranges that are compared side by side.
        versions: compare histories.

    Raises:
        OpsError: the mirror does not keep histories.
    """
    # Each range lists both sides, and its objects are observed besides.
    config = client_config(max_pool_connections=4 * workers)
    source = side_of(brigade.client("s3", config), mirror.source, versions=versions)
    destination = side_of(brigade.destination_s3(mirror, config), mirror.destination, versions=versions)
    records = Records(brigade.client("dynamodb", Config(max_pool_connections=2 * workers)), mirror.table)
    if versions:
        _require_histories(brigade, mirror, (source, destination))
    with ThreadPoolExecutor(2 * workers) as pool:
        if versions:
            yield HistoryEvidence(source, destination, records, pool)
        else:
            yield Evidence(source, destination, records, depth, pool)


def side_of(client: Any, bucket: str, *, versions: bool = False) -> Side:
    """Return a bucket as a side."""
    return Side(S3Requests(in_order(keep_xml(client)), RETRIES), bucket, versions)


def _require_histories(brigade: Brigade, mirror: Mirror, sides: Sequence[Side]) -> None:
    if brigade.settings(mirror.replicate).get("VERSIONS") == "current":
        raise OpsError("--versions: VERSIONS is current, so the mirror keeps no history")
    for side in sides:
        if side.requests("get_bucket_versioning", Bucket=side.bucket).get("Status") != "Enabled":
            raise OpsError(f"--versions: {side.bucket} does not keep versions")
