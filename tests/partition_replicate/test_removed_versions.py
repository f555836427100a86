"""Versions that are removed for good or expire: the destination follows as the settings say."""

import pytest

from tests.partition_replicate.conftest import MIRROR, SOURCE
from tests.partition_replicate.events import event_of
from tests.partition_replicate.version_history import DELETED, expired, history, version_of

pytestmark = pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids=["Enabled-Enabled"], indirect=True)


# Versions removed for good.


def assert_forgotten(world, version):
    """Check that nothing is left of a version's row, or an ETag that expires."""
    assert (world.row("a.txt", version) or {}).keys() <= {"Key", "VersionId", "GoneETag", "ExpiresAt"}


@pytest.mark.parametrize("version_deletes, left", [("keep", [b"1", b"2", b"1"]), ("mirror", [b"1"])])
def test_newest_version_removed_for_good_brings_the_older_one_back(world, environment, version_deletes, left):
    environment(VERSION_DELETES=version_deletes)
    world.replicate(world.put("a.txt", b"1"))
    newest = world.put("a.txt", b"2")
    world.replicate(newest)
    assert world.replicate(world.delete("a.txt", version_of(newest)), newest) == []
    assert history(MIRROR) == left
    assert_forgotten(world, version_of(newest))


@pytest.mark.parametrize("version_deletes, left", [("keep", [b"1", DELETED, b"1"]), ("mirror", [b"1"])])
def test_delete_marker_removed_for_good_brings_the_object_back(world, environment, version_deletes, left):
    environment(VERSION_DELETES=version_deletes)
    world.replicate(world.put("a.txt", b"1"))
    marker = world.delete("a.txt")
    world.replicate(marker)
    assert world.replicate(world.delete("a.txt", version_of(marker))) == []
    assert history(MIRROR) == left


@pytest.mark.parametrize("version_deletes, left", [("keep", [b"1", b"2", b"3"]), ("mirror", [b"1", b"3"])])
def test_older_version_removed_for_good(world, environment, version_deletes, left):
    environment(VERSION_DELETES=version_deletes)
    world.put("a.txt", b"1")
    older = version_of(world.put("a.txt", b"2"))
    world.replicate(world.put("a.txt", b"3"))
    assert world.replicate(world.delete("a.txt", older)) == []
    assert history(MIRROR) == left
    assert_forgotten(world, older)


@pytest.mark.parametrize("version_deletes, left", [("keep", [b"1", b"2", DELETED]), ("mirror", [])])
def test_all_versions_removed_for_good_leave_no_object(world, environment, version_deletes, left):
    environment(VERSION_DELETES=version_deletes)
    first = world.put("a.txt", b"1")
    second = world.put("a.txt", b"2")
    world.replicate(first, second)
    removals = [world.delete("a.txt", version_of(event)) for event in (first, second)]
    assert world.replicate(*removals) == []
    assert history(MIRROR) == left
    assert world.replicate(world.put("a.txt", b"3")) == []
    assert history(MIRROR) == [*left, b"3"]


@pytest.mark.parametrize("version_deletes, left", [("keep", [b"1", b"2"]), ("mirror", [b"1"])])
def test_version_above_a_marker_that_is_left_out_is_removed(world, environment, version_deletes, left):
    environment(DELETES="keep", VERSION_DELETES=version_deletes)
    world.replicate(world.put("a.txt", b"1"), world.delete("a.txt"))
    newest = world.put("a.txt", b"2")
    world.replicate(newest)
    assert world.replicate(world.delete("a.txt", version_of(newest)), newest) == []
    assert history(MIRROR) == left
    assert world.replicate(world.put("a.txt", b"3")) == []
    assert history(MIRROR) == [*left, b"3"]


def test_marker_that_the_source_lists_and_does_not_serve_stays(world, environment, wire):
    environment(VERSION_DELETES="mirror")
    world.put("a.txt", b"1")
    marker = version_of(world.delete("a.txt"))
    for number in range(12):
        world.replicate(world.put("a.txt", b"%d" % number))
    wire.fail("HeadObject", (404, "404"), key=marker)
    removal = event_of(SOURCE, "a.txt", "Object Deleted", version_id=marker)
    assert world.replicate(removal) == []
    assert history(MIRROR) == history(SOURCE)
    assert DELETED in history(MIRROR)


def test_removal_of_a_version_or_a_marker_costs_one_observation_of_it(world, environment, wire):
    environment(VERSION_DELETES="mirror")
    older, marker = version_of(world.put("a.txt", b"1")), version_of(world.delete("a.txt"))
    world.replicate(world.put("a.txt", b"2"))
    # The first and the last requests are about the newest version.
    for version, question in ((older, "HeadObject"), (marker, "ListObjectVersions")):
        wire.sent.clear()
        assert world.replicate(world.delete("a.txt", version)) == []
        newest = ["ListObjectVersions", "HeadObject"], ["ListObjectVersions", "ListObjectVersions"]
        assert world.requests(wire) == [*newest[0], question, "DeleteObject", *newest[1]]


def test_version_that_the_source_has_is_not_removed_because_of_an_event(world, environment):
    environment(VERSION_DELETES="mirror")
    older = version_of(world.put("a.txt", b"1"))
    marker = version_of(world.delete("a.txt"))
    world.replicate(world.put("a.txt", b"2"))
    reported = [event_of(SOURCE, "a.txt", "Object Deleted", version_id=version) for version in (older, marker)]
    assert world.replicate(*reported) == []
    assert history(MIRROR) == [b"1", DELETED, b"2"]


# Life cycle.


@pytest.mark.parametrize("told_before", [False, True], ids=["its event first", "seen before its event"])
def test_expiry_is_not_mirrored(world, told_before):
    created = world.put("a.txt", b"1")
    world.replicate(created)
    marker = version_of(world.delete("a.txt"))
    if told_before:
        world.replicate(created)
        assert history(MIRROR) == [b"1", DELETED]
    assert world.replicate(expired(marker), created) == []
    assert history(MIRROR) == [b"1"]
    assert world.replicate(world.put("a.txt", b"2")) == []
    assert history(MIRROR) == [b"1", b"2"]


def test_older_version_that_expires_stays_and_its_row_goes(world, environment):
    environment(VERSION_DELETES="mirror")
    older = version_of(world.put("a.txt", b"1"))
    world.replicate(world.put("a.txt", b"2"))
    world.delete("a.txt", older)
    assert world.replicate(expired(older)) == []
    assert history(MIRROR) == [b"1", b"2"]
    assert_forgotten(world, older)


def test_key_that_expires_altogether_stays(world):
    created = world.put("a.txt", b"1")
    world.replicate(created)
    marker = version_of(world.delete("a.txt"))
    world.replicate(expired(marker))
    for version in (version_of(created), marker):
        world.delete("a.txt", version)
        assert world.replicate(expired(version)) == []
    assert world.replicate(created) == []
    assert history(MIRROR) == [b"1"]


def test_delete_marker_is_not_mirrored_where_deletes_are_kept(world, environment):
    environment(DELETES="keep")
    world.replicate(world.put("a.txt", b"1"))
    deleted = world.delete("a.txt")
    assert world.replicate(deleted, deleted) == []
    assert world.replicate(world.put("a.txt", b"2")) == []
    assert history(MIRROR) == [b"1", b"2"]
