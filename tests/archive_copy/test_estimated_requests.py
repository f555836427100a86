"""`brigade estimate` counts as many requests as the task sends."""

from dataclasses import replace

import pytest

from ops.estimating import requests
from ops.estimating.requests import Requests, requests_of
from ops.estimating.workload import ARCHIVE_COPY, DEFAULTS, Workload
from tasks.object_clerk.copies import CopyLimits
from tasks.object_clerk.parts import MIB
from tests.archive_copy.conftest import RESTORED
from tests.archive_copy.outcomes import put
from tests.archive_copy.source_objects import CONTENT
from tests.support.events import s3_event, s3_record

READS = {"GetObjectTagging", "HeadObject"}
LISTS = {"ListObjectAnnotations"}
WRITES = {"CompleteMultipartUpload", "CopyObject", "CreateMultipartUpload", "ListMultipartUploads", "UploadPartCopy"}


@pytest.mark.parametrize("size", [1, 6 * MIB - 1, 6 * MIB, len(CONTENT)])
def test_estimate_of_a_new_object_equals_the_requests_that_were_counted(large_from_6_mib, s3, wire, monkeypatch, size):
    limits = replace(CopyLimits(), single=6 * MIB - 1, part_size=5 * MIB)
    monkeypatch.setattr(requests, "CopyLimits", lambda: limits)
    put(s3, "a.hdf", Body=CONTENT[:size])
    wire.sent.clear()
    large_from_6_mib(s3_event(s3_record(RESTORED, "a.hdf", size=size)))
    assert set(wire.sent) <= READS | LISTS | WRITES
    counted = Requests(*(sum(operation in kind for operation in wire.sent) for kind in (READS, LISTS, WRITES)))
    assert requests_of(Workload(ARCHIVE_COPY, size, DEFAULTS[ARCHIVE_COPY])) == counted
