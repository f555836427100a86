"""`brigade estimate` counts as many requests as the task sends."""

import pytest

from ops.estimating.requests import Requests, requests_of
from ops.estimating.workload import DEFAULTS, MIRROR, Workload
from tasks.object_clerk.parts import MIB

CURRENT, ALL = ("unversioned", "unversioned"), ("Enabled", "Enabled")
both = pytest.mark.parametrize("world", [CURRENT, ALL], ids="-".join, indirect=True)

READS = {"GetObject", "HeadObject"}
LISTS = {"ListObjectAnnotations", "ListObjectVersions"}
WRITES = {"CompleteMultipartUpload", "CreateMultipartUpload", "PutObject", "UploadPart"}
# A transactional write of two items costs two units for each.
UNITS = {"PutItem": 1, "TransactWriteItems": 4}


def counted(world, wire):
    sent = world.requests(wire)
    assert set(sent) <= READS | LISTS | WRITES
    return Requests(
        *(sum(operation in kind for operation in sent) for kind in (READS, LISTS, WRITES)),
        read_units=world.table_requests.count("GetItem"),
        write_units=sum(UNITS.get(operation, 0) for operation in world.table_requests),
    )


# Up to 1 MiB the first look is the GET. From 16 MiB on an object goes in parts of 16 MiB.
@both
@pytest.mark.parametrize(
    ("size", "annotations"),
    [(0, "carry"), (5, "ignore"), *((size, "carry") for size in (MIB, MIB + 1, 16 * MIB - 1, 16 * MIB, 17 * MIB))],
)
def test_estimate_of_a_new_object_equals_the_requests_that_were_counted(world, wire, environment, size, annotations):
    environment(ANNOTATIONS=annotations)
    # The first object of a container shows where its bucket is.
    world.replicate(world.put("first"))
    wire.sent.clear()
    world.table_requests.clear()
    assert world.replicate(world.put("a.txt", bytes(size))) == []
    carries = annotations == "carry"
    workload = Workload(MIRROR, size, DEFAULTS[MIRROR], all_versions=world.keeps_versions, annotations=carries)
    assert requests_of(workload) == counted(world, wire)
