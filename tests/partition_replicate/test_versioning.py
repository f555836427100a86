"""Which versions count, by the versioning of both buckets."""

import pytest

from tests.partition_replicate.conftest import MIRROR, SOURCE


@pytest.mark.parametrize("world", [("Enabled", "Suspended")], indirect=True)
def test_all_versions_of_a_bucket_that_keeps_none_are_an_error_and_cost_no_message(world, environment, capsys):
    environment(VERSIONS="all")
    assert world.replicate(world.put("a.txt")) == [0]
    assert world.dead_letters() == []
    assert f"VERSIONS is all, and {MIRROR} does not keep versions: enable versioning there" in capsys.readouterr().out


@pytest.mark.parametrize("world", [("Enabled", "Enabled")], indirect=True)
def test_versions_current_with_two_versioned_buckets_mirrors_the_newest_only(world, environment):
    environment(VERSIONS="current")
    world.put("a.txt", b"older")
    assert world.replicate(world.put("a.txt", b"newest")) == []
    assert (world.mirrored("a.txt"), world.versions("a.txt")) == (b"newest", (1, 0))


@pytest.mark.parametrize("world", [("Enabled", "Enabled")], indirect=True)
def test_versioning_of_both_buckets_is_requested_once(world, wire):
    world.replicate(world.put("a.txt"))
    world.replicate(world.put("b.txt"), world.put("c.txt"))
    assert wire.count("GetBucketVersioning") == 2


@pytest.mark.parametrize("world", [("Enabled", "Enabled")], indirect=True)
def test_store_without_versioning_gets_the_newest_only(world, wire):
    wire.fail("GetBucketVersioning", (501, "NotImplemented"))
    world.put("a.txt", b"older")
    assert world.replicate(world.put("a.txt", b"newest")) == []
    assert world.versions("a.txt") == (1, 0)


@pytest.mark.parametrize("world", [("Enabled", "Enabled")], indirect=True)
def test_message_comes_back_with_its_reason_if_the_versioning_is_denied(world, wire, capsys):
    wire.fail("GetBucketVersioning", (403, "AccessDenied"))
    assert world.replicate(world.put("a.txt")) == [0]
    assert world.dead_letters() == []
    assert f"get_bucket_versioning s3://{SOURCE}/: AccessDenied" in capsys.readouterr().out
