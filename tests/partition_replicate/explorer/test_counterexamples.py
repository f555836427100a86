"""What the mirror does not keep, each by its shortest history, which the explorer finds and prints.

The limits in the mirror's README name these cases. A history is shown without its reads: what happens to the source, to
the queue and to the destination. Where a change of the mirror closes a case, its test fails, and the case leaves
`explore.documented` and the README.
"""

import pytest

from tests.partition_replicate.explorer.bounds import Bounds, Policy, any_of
from tests.partition_replicate.explorer.explore import Explorer, Violation
from tests.partition_replicate.explorer.mirror import Mirror
from tests.partition_replicate.explorer.traces import lines_of, story, world

pytestmark = pytest.mark.long

MIRRORED = Policy(version_deletes="mirror")
ENCRYPTED = Policy(version_deletes="mirror", is_encrypted=True)
KILLED, LATE = {"late": 0, "duplicates": 0}, {"kills": 0, "duplicates": 0}


def shortest(policy, bounds, extras):
    """Return the story of a shortest history that breaks an invariant, and what is there at its end."""
    with Mirror(policy) as mirror:
        explorer = Explorer(mirror, bounds, allowed=lambda *_: extras)
        with pytest.raises(Violation) as found:
            explorer.run()
        steps = found.value.steps
        print(found.value, *lines_of(mirror, steps), sep="\n")
        return [*story(mirror, steps), world(mirror, steps[-1][1])]


# With VERSION_DELETES=keep an entry stands twice in the history.


def test_copy_of_a_killed_worker_beneath_the_next_write_of_another_stays():
    assert shortest(Policy(), Bounds(any_of(2), switches=2, **KILLED), 0) == [
        "source: put",
        "source: put equal bytes",
        "worker A gets CREATED s1",
        "A: destination put_object(Body=1, IfNoneMatch=*) -> d1",
        "worker B gets CREATED s2",
        "B: destination put_object(Body=1, IfMatch=c4ca4238a0b9); then B is killed",
        "A: destination put_object(Body=1, IfMatch=c4ca4238a0b9) -> d3",
        "worker A gets CREATED s2 again",
        "worker A gets RECHECK s2",
        "source [s1: 1, s2: 1], destination [d1: 1, d2: 1, d3: 1], "
        "table {s1->d1, s2->d3, newest s2, newest replica d3}",
    ]


def test_late_copy_beneath_the_next_write_stays():
    assert shortest(Policy(), Bounds(any_of(2), workers=1, **LATE), 0) == [
        "source: put",
        "source: put equal bytes",
        "worker A gets CREATED s1",
        "A: destination put_object(Body=1, IfNoneMatch=*) -> d1",
        "A: destination put_object(Body=1, IfMatch=c4ca4238a0b9): a server holds it",
        "the server carries out what it held: destination put_object(Body=1, IfMatch=c4ca4238a0b9)",
        "A: destination put_object(Body=1, IfMatch=c4ca4238a0b9) -> d3",
        "worker A gets CREATED s2",
        "worker A gets RECHECK s1",
        "source [s1: 1, s2: 1], destination [d1: 1, d2: 1, d3: 1], "
        "table {s1->d1, s2->d3, newest s2, newest replica d3}",
    ]


# Where SSE-KMS encrypts at the destination, an ETag does not tell a copy from another version.


def test_copy_of_a_killed_worker_stays_beneath_a_marker_where_etags_are_no_md5():
    assert shortest(ENCRYPTED, Bounds(any_of(2), workers=1, **KILLED), 0) == [
        "source: put",
        "worker A gets CREATED s1",
        "source: remove the newest version",
        "A: destination put_object(Body=1, IfNoneMatch=*); then A is killed",
        "worker A gets REMOVED s1",
        "A: destination delete_object(IfMatch=k1) -> d2",
        "worker A gets CREATED s1 again",
        "worker A gets RECHECK s1",
        "source [], destination [d1: 1, d2: deleted], table {removed}",
    ]


def test_late_copy_stays_where_etags_are_no_md5():
    assert shortest(ENCRYPTED, Bounds((("put",), ("delete",)), workers=1, **LATE), 0) == [
        "source: put",
        "source: delete",
        "worker A gets REMOVED s2",
        "A: destination put_object(Body=1, IfNoneMatch=*): a server holds it",
        "A: destination put_object(Body=1, IfNoneMatch=*) -> d1",
        "A: destination delete_object(IfMatch=k1) -> d2",
        "worker A gets CREATED s1",
        "the server carries out what it held: destination put_object(Body=1, IfNoneMatch=*)",
        "worker A gets RECHECK s2",
        "A: destination delete_object(IfMatch=k3) -> d4",
        "A: destination delete_object(VersionId=d2) -> d2",
        "source [s1: 1, s2: deleted], destination [d1: 1, d2: 1, d3: deleted], "
        "table {s1->d1, s2->d3, newest s2, newest replica d3}",
    ]


def test_marker_above_a_copy_that_is_undone_stays_where_etags_are_no_md5():
    assert shortest(Policy(is_encrypted=True), Bounds((("put",), ("delete",)), switches=3, kills=0, late=0), 0) == [
        "source: put",
        "source: delete",
        "worker A gets CREATED s1",
        "A: destination put_object(Body=1, IfNoneMatch=*) -> d1",
        "worker B gets REMOVED s2 once more",
        "A: destination delete_object(IfMatch=k1) -> d2",
        "B: destination put_object(Body=1, IfNoneMatch=*) -> d3",
        "worker A gets REMOVED s2",
        "A: destination delete_object(IfMatch=k3) -> d4",
        "B: destination delete_object(VersionId=d3) -> d3",
        "source [s1: 1, s2: deleted], destination [d1: 1, d2: deleted, d3: deleted], "
        "table {s1->d1, s2->d3, newest s2, newest replica d3}",
    ]


@pytest.mark.parametrize("faults", [{"kills": 0}, {"late": 0}], ids=["late", "killed"])
def test_neither_leaves_anything_where_the_etag_is_an_md5(faults):
    with Mirror(MIRRORED) as mirror:
        assert Explorer(mirror, Bounds(any_of(2), workers=1, **faults), allowed=lambda *_: 0).run().ends


# A version that was removed for good, with two workers at its key.


def test_table_never_forgets_a_replica_that_is_still_there():
    with Mirror(MIRRORED) as mirror:
        assert Explorer(mirror, Bounds(any_of(2), kills=0, late=0, switches=2)).run().ends
