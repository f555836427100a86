"""What each case costs the far side: the table in docs/performance.md, request by request."""

from functools import partial

import pytest

from tasks.object_clerk.parts import MIB
from tasks.object_clerk.streams import StreamLimits
from tasks.partition_replicate import handler as handler_module
from tests.conftest import session_of_the_tasks
from tests.partition_replicate.conftest import MIRROR

PART = 5 * MIB
CURRENT, ALL = ("unversioned", "unversioned"), ("Enabled", "Enabled")
newest_only = pytest.mark.parametrize("world", [CURRENT], ids="-".join, indirect=True)
every_version = pytest.mark.parametrize("world", [ALL], ids="-".join, indirect=True)
both = pytest.mark.parametrize("world", [CURRENT, ALL], ids="-".join, indirect=True)

# What comes along with the first look, what is read by itself, and what goes in parts.
WHOLE = pytest.mark.parametrize("size", [5, 2 * MIB])
LARGE = 3 * PART + 1
IN_PARTS = ["CreateMultipartUpload", *["UploadPart"] * 4, "CompleteMultipartUpload"]


@pytest.fixture(autouse=True)
def parts_of_5_mib(monkeypatch):
    monkeypatch.setattr(handler_module, "StreamLimits", partial(StreamLimits, threshold=PART, part_size=PART))


@pytest.fixture(name="far")
def requests_to_the_far_side(world):
    """The S3 operations that went to the destination, in order, without what a container asks once."""
    sent = []

    def note(request, event_name, **_):
        operation = event_name.rpartition(".")[2]
        if MIRROR in request.url and operation != "GetBucketVersioning":
            sent.append(operation)

    events = session_of_the_tasks().events
    events.register("before-send.s3", note)
    # So that the container has its clients, and each knows where its bucket is.
    world.replicate(world.put("first"))
    sent.clear()
    yield sent
    events.unregister("before-send.s3", note)


def costs(far, *requests):
    assert far == list(requests)
    far.clear()
    return True


@both
@WHOLE
def test_object_in_one_piece_costs_one_request_and_so_do_its_overwrite_and_its_removal(world, far, size):
    for byte in (b"1", b"2"):
        assert world.replicate(world.put("a.txt", byte * size)) == []
        assert costs(far, "PutObject")
        assert world.mirrored("a.txt") == byte * size
    assert world.replicate(world.delete("a.txt")) == []
    assert costs(far, "DeleteObject")
    assert world.mirrored("a.txt") is None
    assert world.replicate(world.put("a.txt", b"3" * size)) == []
    assert costs(far, "PutObject")
    assert world.mirrored("a.txt") == b"3" * size


@both
def test_object_in_parts_costs_its_parts_and_two_requests_and_so_does_its_overwrite(world, far):
    for byte in (b"1", b"2"):
        assert world.replicate(world.put("big", byte * LARGE)) == []
        assert sorted(far) == sorted(IN_PARTS) and (far[0], far[-1]) == (IN_PARTS[0], IN_PARTS[-1])
        far.clear()
        assert world.mirrored("big") == byte * LARGE


@both
@pytest.mark.parametrize("size", [5, LARGE])
def test_event_that_is_delivered_again_costs_one_look(world, far, size):
    event = world.put("a.txt", b"1" * size)
    world.replicate(event)
    far.clear()
    assert world.replicate(event) == []
    assert costs(far, "HeadObject")


@both
@WHOLE
def test_event_that_is_older_than_what_was_mirrored_costs_one_look_and_no_write(world, far, size):
    late, newer = world.put("a.txt", b"1" * size), world.put("a.txt", b"2" * size)
    world.replicate(newer)
    far.clear()
    assert world.replicate(late) == []
    assert costs(far, "HeadObject")


@newest_only
def test_change_of_tags_costs_two_looks_and_a_write(world, far):
    world.replicate(world.put("a.txt", b"bytes"))
    far.clear()
    assert world.replicate(world.tag("a.txt", a="b")) == []
    assert costs(far, "HeadObject", "GetObjectTagging", "PutObjectTagging")
    assert world.tags("a.txt") == {"a": "b"}


@every_version
def test_change_of_a_versions_tags_costs_two_looks_and_a_write(world, far):
    world.replicate(world.put("a.txt", b"bytes"))
    far.clear()
    assert world.replicate(world.tag("a.txt", a="b")) == []
    assert costs(far, "HeadObject", "GetObjectTagging", "PutObjectTagging")
    assert world.tags("a.txt") == {"a": "b"}


@both
def test_tags_that_change_while_they_are_put_are_put_again(world, far, wire):
    world.replicate(world.put("a.txt", b"bytes"))
    event = world.tag("a.txt", a="first")

    def change(operation):
        if operation == "PutObjectTagging":
            wire.before.clear()
            world.tag("a.txt", a="second")

    wire.before.append(change)
    assert world.replicate(event) == []
    assert world.tags("a.txt") == {"a": "second"}
    assert far.count("PutObjectTagging") == 2


@newest_only
def test_object_that_came_back_while_it_was_deleted_is_written_again(world, far, wire):
    world.replicate(world.put("a.txt", b"first"))
    far.clear()
    event = world.delete("a.txt")

    def put(operation):
        if operation == "DeleteObject":
            wire.before.clear()
            world.put("a.txt", b"second")

    wire.before.append(put)
    assert world.replicate(event) == []
    assert world.mirrored("a.txt") == b"second"
    assert far[0] == "DeleteObject"


@newest_only
def test_removal_of_what_another_wrote_over_is_mirrored_after_a_look(world, far):
    world.replicate(world.put("a.txt", b"bytes"))
    world.mirror.put_object(Bucket=MIRROR, Key="a.txt", Body=b"another")
    far.clear()
    assert world.replicate(world.delete("a.txt")) == []
    assert world.mirrored("a.txt") is None
    assert costs(far, "DeleteObject", "HeadObject", "DeleteObject")
