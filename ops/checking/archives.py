"""`brigade check --task archive_copy`: every restored object against its archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice

from ops.brigade import Brigade
from ops.checking.circumstances import reasons_of_dead_letters
from ops.checking.sides import side_of
from ops.deployment import ArchiveCopy
from tasks.archive_copy.bucket_map import BucketMap, UnmappedExtensionError
from tasks.mirror_check.causes import ARCHIVE_CLASSES, Circumstances, Why, cause_of
from tasks.mirror_check.check import CHUNK, Chunk
from tasks.mirror_check.circumstances import messages_in
from tasks.mirror_check.comparison import by_heads
from tasks.mirror_check.findings import Finding, Pair, Sign, Verdict
from tasks.mirror_check.key_ranges import KeyRange
from tasks.mirror_check.listings import Listing, Side
from tasks.mirror_check.pages import Listed
from tasks.object_clerk.errors import ObjectClerkException
from tasks.object_clerk.s3_requests import client_config, head
from tasks.utils.s3_object import S3Object

# What HeadObject says of an object whose restore has ended (S3 API Reference, HeadObject, x-amz-restore).
RESTORED = 'ongoing-request="false"'


def compare_archives(brigade: Brigade, task: ArchiveCopy, *, prefix: str, workers: int) -> Iterator[Chunk]:
    """Yield the restored objects as they are compared with their archives.

    Args:
        brigade: the command's deployment and clients.
        task: the task that archives them.
        prefix: the beginning of the keys.
        workers: objects that are observed side by side.
    """
    side = side_of(brigade.client("s3", client_config(max_pool_connections=2 * workers)), task.source)
    buckets = BucketMap(task.bucket_map)
    with ThreadPoolExecutor(workers) as pool:
        entries = iter(Listing(side, prefix, KeyRange(), pool))
        while some := list(islice(entries, CHUNK)):
            archived = [entry for entry in some if entry.storage_class in ARCHIVE_CLASSES]
            found = pool.map(lambda entry: _finding(side, buckets, entry), archived)
            findings = [finding for finding in found if finding]
            yield Chunk(
                len(findings), sum(each.pair.source.size for each in findings if each.pair.source), findings, []
            )


def explainer(brigade: Brigade, task: ArchiveCopy, lag: float) -> Callable[[Finding], Why]:
    """Return what says why a restored object is not in its archive."""
    sqs = brigade.client("sqs")
    about = Circumstances(
        waiting=sum(messages_in(sqs, queue.url) for queue in task.queues),
        dead=reasons_of_dead_letters(sqs, task),
        settled_before=datetime.now(UTC) - timedelta(seconds=lag),
    )
    return lambda finding: cause_of(finding, about)


def _finding(side: Side, buckets: BucketMap, entry: Listed) -> Finding | None:
    """Compare an object with its copy in the archive; return None if it is not restored."""
    try:
        source = head(side.requests, side.address(entry))
        if source is None or RESTORED not in source.get("Restore", ""):
            return None
        archive = S3Object(buckets.bucket_for(entry.key), entry.key)
        copy = head(side.requests, archive)
        missing = Verdict(Sign.MISSING, f"{archive} does not exist")
        verdict = missing if copy is None else by_heads(source, copy)
    except UnmappedExtensionError as error:
        verdict = Verdict(Sign.UNKNOWN, str(error))
    except ObjectClerkException as error:
        verdict = Verdict(Sign.UNKNOWN, f"not compared: {error}", is_error=True)
    # It is restored, so it can be read whatever its storage class is.
    return Finding(Pair(entry._replace(storage_class=""), None), verdict)
