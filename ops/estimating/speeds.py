"""The speed of one function instance.

The mirror's are measured: the rows `distance_*` of `make bench`, with a destination 30 and 200 ms away. They count
round trips on one machine, not Lambda's network. The others are assumptions, because a copy within S3 has no emulator
that is as fast as S3; `docs/capacity.md` lists them. The options `--objects-per-second` and `--mb-per-second` replace
them.
"""

from __future__ import annotations

from dataclasses import dataclass

from ops.estimating.ranges import Range
from ops.estimating.requests import is_in_parts
from ops.estimating.workload import ARCHIVE_COPY, MIRROR, Workload
from tasks.object_clerk.copies import CopyLimits

MB = 1e6

# Measured 2026-11-22: 400 objects in 10.4 s (`distance_small_200ms`) and in 3.0 s (`distance_small_30ms`).
MIRROR_OBJECTS = Range(38, 130)
# Measured with `distance_256mib_200ms`: 12.6 s on a busy machine (rclone 10.5 s), 5.0 s on an idle one.
MIRROR_BYTES = Range(21 * MB, 54 * MB)

# One request to S3 that moves bytes. Assumed for a copy; S3 User Guide, "Performance design patterns", names 85 to
# 90 MB/s for a read.
COPY_BYTES = Range(40 * MB, 90 * MB)
# Assumed time of a CopyObject of few bytes.
COPY_SECONDS = Range(0.05, 0.2)
COPIES_AT_ONCE = 8  # archive_copy_concurrency

# The requests of one set, one after the other, of which each takes 20 to 60 ms. Assumed.
SET_SECONDS = Range(0.3, 1.0)
# tasks/upload_validate/README.md: a second of one processor for 150 MB. 1,769 MB of memory are one processor.
CHECKED_BYTES, PROCESSOR_MB = 150 * MB, 1769

# One event in `enqueue`, whose work is one SendMessage. Assumed.
ENQUEUE_SECONDS = Range(0.01, 0.05)


@dataclass(frozen=True)
class Speed:
    """The speed of one function instance.

    Attributes:
        objects: objects a second, with as many at once as the instance takes.
        single: seconds that one object takes alone.
    """

    objects: Range
    single: Range


def speed_of(workload: Workload, objects: float | None = None, megabytes: float | None = None) -> Speed:
    """Return the speed of the function that does the work.

    Args:
        workload: what is handled.
        objects: measured small objects a second and instance, in place of the table's.
        megabytes: measured MB a second and instance, in place of the table's.
    """
    if workload.task == MIRROR:
        small = Range.of(objects) if objects else MIRROR_OBJECTS
        rate = small.at_most((Range.of(megabytes * MB) if megabytes else MIRROR_BYTES) * (1 / workload.size))
        # Ten keys at once.
        return Speed(rate, small.under(10) + rate.under(1))
    if workload.task == ARCHIVE_COPY:
        return _archive(workload, objects, megabytes)
    return _check(workload, objects)


def _archive(workload: Workload, objects: float | None, megabytes: float | None) -> Speed:
    # An object in parts has as many requests at once.
    parallel = CopyLimits().workers if is_in_parts(workload) else 1
    bytes_a_second = Range.of(megabytes * MB) if megabytes else COPY_BYTES * parallel
    seconds = COPY_SECONDS + bytes_a_second.under(workload.size)
    return Speed(Range.of(objects) if objects else seconds.under(COPIES_AT_ONCE), seconds)


def _check(workload: Workload, objects: float | None) -> Speed:
    processor = min(1.0, workload.function.memory_mb / PROCESSOR_MB)
    seconds = SET_SECONDS + Range.of(workload.size / CHECKED_BYTES / processor)
    rate = Range.of(objects) if objects else seconds.under(1)
    return Speed(rate, rate.under(1))
