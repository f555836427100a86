"""A mirror is the same whether its requests go directly or via botocore, and costs the same requests."""

import os
from functools import partial

import pytest

from tasks.object_clerk.parts import MIB
from tasks.object_clerk.streams import StreamLimits
from tasks.partition_replicate import handler as handler_module
from tests.partition_replicate.conftest import MIRROR

PART = 5 * MIB
BODY = os.urandom(2 * PART + 12345)
with_versions = pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids=["versions"], indirect=True)


@pytest.fixture(name="agents")
def agents_of_the_requests(direct, environment, world, wire):
    """The setting, and after each test: direct requests were sent if it was `on`, and none if it was `off`."""
    environment(DIRECT_REQUESTS="on" if direct else "off")
    assert world
    yield
    agents = {
        str(headers["User-Agent"]).startswith(("bucket-brigade", "b'bucket-brigade")) for _, headers in wire.headers
    }
    assert agents == ({True, False} if direct else {False})


@pytest.mark.usefixtures("agents")
def test_small_object_is_mirrored_with_metadata_and_tags(world, wire):
    world.replicate(world.put("first", b"1"))
    wire.sent.clear()
    event = world.put("a.txt", b"bytes", Metadata={"of": "mine"}, Tagging="a=1", ContentType="text/csv")
    assert world.replicate(event) == []
    assert world.mirrored("a.txt") == b"bytes"
    found = world.head("a.txt")
    assert (found["Metadata"], found["ContentType"], world.tags("a.txt")) == ({"of": "mine"}, "text/csv", {"a": "1"})
    assert world.requests(wire)[0] == "GetObject"
    assert world.requests(wire).count("PutObject") == 1


@pytest.mark.usefixtures("agents")
def test_object_in_parts_is_mirrored(world, monkeypatch):
    limits = partial(StreamLimits, threshold=PART, part_size=PART)
    monkeypatch.setattr(handler_module, "StreamLimits", limits)
    assert world.replicate(world.put("big", BODY)) == []
    assert world.mirrored("big") == BODY
    assert world.uploads() == []


@pytest.mark.usefixtures("agents")
def test_overwrite_and_delete_are_mirrored(world):
    world.replicate(world.put("a.txt", b"first"))
    assert world.replicate(world.put("a.txt", b"second")) == []
    assert world.mirrored("a.txt") == b"second"
    assert world.replicate(world.delete("a.txt")) == []
    assert world.mirrored("a.txt") is None


@with_versions
@pytest.mark.usefixtures("agents")
def test_versions_are_mirrored_in_order(world):
    events = [world.put("a.txt", b"first"), world.put("a.txt", b"second"), world.delete("a.txt")]
    assert world.replicate(*reversed(events)) == []
    assert world.versions("a.txt") == (2, 1)


@pytest.mark.usefixtures("agents")
@pytest.mark.parametrize("operation", ["GetObject", "PutObject", "HeadObject"])
def test_throttled_request_is_repeated(world, wire, operation):
    world.replicate(world.put("first", b"1"))
    wire.fail(operation, (503, "SlowDown"), times=2)
    assert world.replicate(world.put("a.txt", b"bytes")) == []
    assert world.mirrored("a.txt") == b"bytes"
    assert world.dead_letters() == []


@pytest.mark.usefixtures("agents")
def test_object_that_another_writer_put_there_meanwhile_is_replaced(world, wire):
    world.replicate(world.put("a.txt", b"first"))
    others = iter([b"of another writer"])

    def interfere(operation):
        if operation == "PutObject" and (body := next(others, None)):
            world.mirror.put_object(Bucket=MIRROR, Key="a.txt", Body=body)

    event = world.put("a.txt", b"second")
    wire.before.append(interfere)
    assert world.replicate(event) == []
    assert world.mirrored("a.txt") == b"second"
