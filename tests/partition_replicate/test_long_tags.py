"""Tags too long for the headers of a write follow it, on exactly that version, and never cost a second write."""

from functools import partial

import pytest

from local.patches.hooks import HOOKS
from tasks.object_clerk import part_copies
from tasks.object_clerk.parts import MIN_PART
from tasks.object_clerk.streams import StreamLimits
from tasks.partition_replicate import handler as handler_module
from tests.partition_replicate.conftest import MIRROR, SOURCE
from tests.support.tags import LONG, as_set, tags_at

MODES = [("unversioned", "unversioned"), ("unversioned", "Enabled"), ("Enabled", "Enabled")]
EACH_MODE = pytest.mark.parametrize("world", MODES, ids="-".join, indirect=True)
SIZES = pytest.mark.parametrize("size", [0, 10, 2 << 20, MIN_PART + 1])


@pytest.fixture(autouse=True)
def parts_from_5_mib(monkeypatch):
    limits = partial(StreamLimits, threshold=MIN_PART, part_size=MIN_PART)
    monkeypatch.setattr(handler_module, "StreamLimits", limits)


def put_with_long_tags(world, size=10, tags=LONG):
    event = world.put("a.txt", b"x" * size, Metadata={"name": "v" * 2044})
    world.s3.put_object_tagging(Bucket=SOURCE, Key="a.txt", Tagging=as_set(tags))
    return event


@pytest.mark.first_cases(3)
@EACH_MODE
@SIZES
def test_long_tags_are_mirrored(world, wire, size):
    assert world.replicate(put_with_long_tags(world, size)) == []
    assert (world.tags("a.txt"), world.head("a.txt")["ContentLength"]) == (LONG, size)
    assert (wire.count("PutObjectTagging"), world.uploads()) == (1, [])
    assert wire.count("PutObject") + wire.count("CompleteMultipartUpload") == 1


@pytest.mark.first_cases(3)
@EACH_MODE
@SIZES
@pytest.mark.usefixtures("clock")
def test_object_whose_tags_are_refused_is_there_and_only_its_tags_are_tried_again(world, wire, capsys, size):
    event = put_with_long_tags(world, size)
    for tried in range(3):
        HOOKS.faults.add("PutObjectTagging", times=1, status=500, code="InternalError")
        HOOKS.faults.add("PutObjectTagging", times=2, status=403, code="AccessDenied")
        wire.sent.clear()
        world.replicate(event)
        HOOKS.faults.clear()
        said = capsys.readouterr().out
        assert said.count("put_object_tagging") == 1 and "AccessDenied" in said
        assert world.head("a.txt")["ContentLength"] == size
        assert wire.count("PutObject") + wire.count("CompleteMultipartUpload") == (0 if tried else 1)
    assert world.replicate(event) == []
    assert world.tags("a.txt") == LONG


@pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids="-".join, indirect=True)
def test_tags_that_were_refused_are_put_on_their_version_by_the_next_event_of_the_key(world):
    first = put_with_long_tags(world)
    HOOKS.faults.add("PutObjectTagging", times=1, status=403, code="AccessDenied")
    world.replicate(first)
    untagged = world.head("a.txt")["VersionId"]
    assert world.replicate(world.put("a.txt", b"second")) == []
    assert tags_at(world.mirror, Bucket=MIRROR, Key="a.txt", VersionId=untagged) == LONG
    assert world.tags("a.txt") == {}
    version = first["detail"]["object"]["version-id"]
    assert world.row("a.txt", version)["DestObjectTags"]["M"].keys() == LONG.keys()
    assert "UntaggedVersionId" not in world.row("a.txt")


@pytest.mark.first_cases(5)
@pytest.mark.parametrize("characters", range(400, 1_700, 100))
def test_tags_that_go_with_a_write_leave_room_for_its_other_headers(world, wire, characters):
    # 9 bytes each: the longest metadata and these tags together are about as much as goes.
    tags = {str(number): "値" * min(256, characters - 256 * number) for number in range(-(-characters // 256))}
    headers = {"CacheControl": "max-age=60", "ContentDisposition": "attachment"}
    event = world.put("a.txt", b"x", Metadata={"name": "v" * 2044}, **headers)
    world.s3.put_object_tagging(Bucket=SOURCE, Key="a.txt", Tagging=as_set(tags))
    assert world.replicate(event) == []
    assert world.tags("a.txt") == tags
    (sent,) = [headers for operation, headers in wire.headers if operation == "PutObject"]
    length = sum(len(name) + len(str(value)) + 4 for name, value in sent.items())
    # A session's token, which the tests have not, is as long as 2 KiB.
    assert length <= 8192 - 2048
    assert wire.count("PutObjectTagging") == ("x-amz-tagging" not in sent)


def test_ordinary_tags_go_with_the_write(world, wire):
    ten = {f"name-{number}": "v" * 100 for number in range(10)}
    event = world.put("a.txt", b"x")
    world.s3.put_object_tagging(Bucket=SOURCE, Key="a.txt", Tagging=as_set(ten))
    assert world.replicate(event) == []
    assert (world.tags("a.txt"), wire.count("PutObjectTagging")) == (ten, 0)


def test_no_tags_are_no_header():
    assert part_copies.tagging_header({}, {}) is None
