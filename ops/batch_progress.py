"""The progress of jobs of S3 Batch Operations, and the number of their objects before they start."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from ops.batch_jobs import Job
from ops.plurals import number_of
from ops.screen import Screen

# Seconds between two looks at a job: short at first, for small jobs. The maximum is AWS's advice (S3 User Guide,
# "Troubleshooting S3 Batch Operations", SlowDownError).
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0

# Objects that are counted; a page of a listing has 1,000.
COUNTED = 20_000


class Counted(NamedTuple):
    """The objects that a job would find.

    Attributes:
        objects: how many.
        size: their bytes.
        is_exact: whether these are all.
    """

    objects: int
    size: int
    is_exact: bool

    def __str__(self) -> str:
        at_least = "" if self.is_exact else "at least "
        return f"{at_least}{number_of(self.objects, 'object')} with {number_of(self.size, 'byte')}"


def counted(s3: Any, bucket: str, prefix: str, since: datetime | None = None) -> Counted:
    """Return how many objects of a bucket begin with a prefix and were created after a time.

    Args:
        s3: an S3 client.
        bucket: the bucket.
        prefix: the start of the keys.
        since: the time, or None.
    """
    earliest = since or datetime.min.replace(tzinfo=UTC)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    listed = list(islice((one for page in pages for one in page.get("Contents", [])), COUNTED))
    sizes = [one["Size"] for one in listed if one["LastModified"] > earliest]
    return Counted(len(sizes), sum(sizes), len(listed) < COUNTED)


def follow(screen: Screen, jobs: list[Job], describe: Callable[[Job], Job]) -> None:
    """Show the progress of jobs until they have ended.

    Args:
        screen: where it is shown.
        jobs: the jobs; the list is brought up to date at each look.
        describe: returns the present state of a job.
    """
    wait, begun = FIRST_WAIT, time.monotonic()
    with screen.progress("objects") as shown:
        while not all(job.has_ended for job in jobs):
            time.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
            jobs[:] = [job if job.has_ended else describe(job) for job in jobs]
            shown.update(shown.task_ids[0], **_progress(jobs, time.monotonic() - begun))


def _progress(jobs: Sequence[Job], seconds: float) -> dict[str, Any]:
    """Return the values of the progress of jobs that run for some seconds."""
    done, totals = sum(job.done for job in jobs), [job.total for job in jobs]
    text = f"objects, {sum(job.failed for job in jobs)} failed, {done / seconds:.0f}/s"
    # The total is known once each job has its manifest.
    total = None if None in totals else sum(one or 0 for one in totals)
    return {"completed": done, "total": total, "description": text}
