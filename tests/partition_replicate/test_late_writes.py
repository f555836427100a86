"""A server performs a request long after its client gave up: after the recheck the mirror equals the source."""

import itertools

import pytest

from tasks.object_clerk.parts import MIB
from tests.partition_replicate.conftest import MIRROR, SOURCE
from tests.partition_replicate.late_requests import lose_the_answer, raise_, refusal
from tests.partition_replicate.sides import ALL, CURRENT, DELAY, backfill, is_mirrored
from tests.partition_replicate.version_history import DELETED, history
from tests.support.dying_client import Killed

pytestmark = pytest.mark.parametrize("world", [CURRENT, ALL], ids="-".join, indirect=True)


def is_mirrored_after_the_recheck(world, clock):
    clock.sleep(DELAY - 1)
    assert world.recheck() == 0
    assert not is_mirrored(world)
    clock.sleep(2)
    assert world.recheck() == 1
    return is_mirrored(world)


LOST = {
    "reset": lose_the_answer,
    "500": refusal(500, "InternalError"),
    "502": refusal(502, "BadGateway"),
    "503": refusal(503, "ServiceUnavailable"),
    "504": refusal(504, "GatewayTimeout"),
}


@pytest.mark.first_cases(4)
@pytest.mark.parametrize("answer", LOST.values(), ids=LOST)
def test_put_that_lands_after_its_object_was_deleted_is_removed_again(world, held, clock, answer):
    held.hold_next("PutObject", answer)
    assert world.replicate(world.put("a.txt", b"bytes")) == []
    assert world.replicate(world.delete("a.txt")) == []
    assert is_mirrored(world)
    held.land()
    assert world.mirrored("a.txt") == b"bytes"
    assert is_mirrored_after_the_recheck(world, clock)


def test_put_that_lands_over_the_same_bytes_with_other_metadata_is_replaced(world, held, clock):
    assert world.replicate(world.put("a.txt", b"bytes", Metadata={"of": "1"})) == []
    held.hold_next("PutObject")
    for number in "23":
        assert world.replicate(world.put("a.txt", b"bytes", Metadata={"of": number})) == []
        assert is_mirrored(world)
    held.land()
    assert world.head("a.txt")["Metadata"] == {"of": "2"}
    assert is_mirrored_after_the_recheck(world, clock)


def test_delete_that_lands_on_the_same_bytes_written_again_is_undone(world, held, clock):
    assert world.replicate(world.put("a.txt", b"bytes")) == []
    held.hold_next("DeleteObject")
    assert world.replicate(world.delete("a.txt")) == []
    assert world.replicate(world.put("a.txt", b"bytes")) == []
    assert is_mirrored(world)
    held.land()
    assert world.mirrored("a.txt") is None
    assert is_mirrored_after_the_recheck(world, clock)


def test_tags_that_land_over_newer_ones_are_replaced(world, held, clock):
    assert world.replicate(world.put("a.txt", b"bytes")) == []
    held.hold_next("PutObjectTagging")
    assert world.replicate(world.tag("a.txt", state="first")) == []
    assert world.replicate(world.tag("a.txt")) == []
    assert is_mirrored(world)
    held.land()
    assert world.tags("a.txt") == {"state": "first"}
    assert is_mirrored_after_the_recheck(world, clock)


def test_backfill_repairs_a_write_that_a_server_held_for_longer(world, held, clock):
    held.hold_next("PutObject")
    world.replicate(world.put("a.txt", b"bytes"))
    world.replicate(world.delete("a.txt"))
    clock.sleep(DELAY + 1)
    assert world.recheck() == 1
    held.land()
    assert world.mirrored("a.txt") == b"bytes"
    backfill()
    assert is_mirrored(world)


def test_history_equals_the_sources_after_the_recheck(world, held, clock):
    held.hold_next("PutObject")
    world.replicate(world.put("a.txt", b"first"))
    world.replicate(world.delete("a.txt"))
    held.land()
    world.replicate(world.put("a.txt", b"second"))
    clock.sleep(DELAY + 1)
    world.recheck()
    assert is_mirrored(world)
    assert world.versions("a.txt") == ((2, 1) if world.keeps_versions else (1, 0))


def test_late_copy_of_a_version_removed_for_good_is_removed(world, held, clock, environment):
    if not world.keeps_versions:
        pytest.skip("there are no versions")
    environment(VERSIONS="all", VERSION_DELETES="mirror")
    world.replicate(world.put("a.txt", b"older"))
    held.hold_next("PutObject")
    event = world.put("a.txt", b"bytes")
    world.replicate(event)
    world.replicate(world.delete("a.txt", event["detail"]["object"]["version-id"]))
    held.land()
    clock.sleep(DELAY + 1)
    assert world.recheck() == 1
    assert is_mirrored(world)
    assert world.versions("a.txt") == (1, 0)


@pytest.mark.first_cases(4)
@pytest.mark.parametrize("how", [*itertools.product(["mirrored", "never mirrored"], ["early", "late"])], ids="-".join)
def test_late_copy_that_a_killed_worker_made_for_another_event_is_removed(world, held, clock, environment, how):
    if not world.keeps_versions:
        pytest.skip("there are no versions")
    environment(VERSIONS="all", VERSION_DELETES="mirror")
    world.replicate(world.put("first"))
    first, second = world.put("a.txt", b"1"), world.put("a.txt", b"2")
    held.hold_next("PutObject", lambda request: raise_(Killed()))
    with pytest.raises(Killed):
        world.replicate(second)
    if how[0] == "mirrored":
        world.replicate(first)
    removed = world.delete("a.txt", first["detail"]["object"]["version-id"])
    world.replicate(first, removed, world.delete("a.txt"))
    if how[1] == "early":
        held.land()
    world.replicate(second, receives=2)
    held.land()
    clock.sleep(DELAY + 1)
    assert world.recheck() == 1
    assert history(MIRROR) == history(SOURCE)


@pytest.mark.parametrize("version_deletes", ["keep", "mirror"])
def test_late_put_below_a_late_delete(world, held, clock, environment, version_deletes):
    """Show a limit of `keep`: the recheck looks only above the newest recorded version. The current state is right."""
    if not world.keeps_versions:
        pytest.skip("there are no versions")
    environment(VERSIONS="all", VERSION_DELETES=version_deletes)
    world.replicate(world.put("first"))
    held.hold_next("PutObject")
    world.replicate(world.put("a.txt", b"1"))
    world.replicate(world.delete("a.txt"))
    held.hold_next("DeleteObject")
    world.replicate(world.delete("a.txt"))
    held.land()
    world.replicate(world.put("a.txt", b"2"))
    clock.sleep(DELAY + 1)
    assert world.recheck() > 0
    assert is_mirrored(world)
    late = [b"1", DELETED] if version_deletes == "keep" else []
    assert history(SOURCE) == [b"1", DELETED, DELETED, b"2"]
    assert history(MIRROR) == [b"1", DELETED, DELETED, *late, b"2"]


def test_upload_whose_creation_lost_its_answer_is_aborted(world, held, clock):
    held.hold_next("CreateMultipartUpload")
    assert world.replicate(world.put("a.txt", bytes(17 * MIB))) == []
    held.land()
    assert is_mirrored(world)
    assert world.uploads() == ["a.txt"]
    clock.sleep(DELAY + 1)
    assert world.recheck() == 1
    assert world.uploads() == []
