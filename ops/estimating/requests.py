"""Requests for one new object, when nothing fails.

Tests compare these counts with requests that were counted: `test_estimated_requests.py` in the tests of each task.
"""

from __future__ import annotations

from dataclasses import dataclass

from ops.estimating.workload import ARCHIVE_COPY, MIRROR, Workload
from tasks.object_clerk.copies import CopyLimits
from tasks.object_clerk.parts import MIB, plan
from tasks.object_clerk.streams import StreamLimits


@dataclass(frozen=True)
class Requests:
    """Requests for one object.

    Attributes:
        source_reads: GET and HEAD at the source.
        source_lists: LIST at the source, which S3 charges as PUT.
        writes: PUT, COPY, POST and LIST at the destination.
        read_units: units that DynamoDB charges for reads.
        write_units: units that DynamoDB charges for writes.
    """

    source_reads: int
    source_lists: int
    writes: int
    read_units: int = 0
    write_units: int = 0


def requests_of(workload: Workload) -> Requests:
    """Return the requests for one object of a workload."""
    if workload.task == MIRROR:
        return _mirror(workload)
    if workload.task == ARCHIVE_COPY:
        return _archive(workload)
    # A set of one file. LIST: 4 of the upload bucket and 2 of the final bucket, which also gets a
    # CopyObject and two reports.
    return Requests(source_reads=1, source_lists=4, writes=2 + 1 + 2, write_units=6)


def parts_of(workload: Workload) -> int:
    """Return the number of parts of one object; 1 if it goes in one request."""
    if workload.task == MIRROR:
        return _parts(workload.size, StreamLimits.part_size) if is_in_parts(workload) else 1
    return _parts(workload.size, workload.part_size or CopyLimits().part_size) if is_in_parts(workload) else 1


def _parts(size: int, part_size: int) -> int:
    return len(plan(size, part_size=part_size))


def is_in_parts(workload: Workload) -> bool:
    """Return whether an object goes in parts."""
    return workload.size >= (StreamLimits.threshold if workload.task == MIRROR else CopyLimits().single + 1)


def _mirror(workload: Workload) -> Requests:
    parts, in_parts, history = parts_of(workload), is_in_parts(workload), workload.all_versions
    # The first look at a small object is its GET. `current` looks once more at the end; `all` lists before and after.
    looks = (workload.size > MIB) + (not history)
    return Requests(
        source_reads=parts + looks,
        source_lists=(2 if history else 0) + workload.annotations,
        writes=parts + (2 if in_parts else 0),
        read_units=1,
        # A version's record is a transaction of two items of two units. An upload in parts is recorded and forgotten.
        write_units=(4 if history else 1) + (3 if in_parts else 0),
    )


def _archive(workload: Workload) -> Requests:
    if not is_in_parts(workload):
        return Requests(source_reads=0, source_lists=0, writes=1)
    # LIST of open uploads, create, parts, complete; two HEAD, the tags, and the list of annotations.
    return Requests(source_reads=3, source_lists=1, writes=parts_of(workload) + 3)
