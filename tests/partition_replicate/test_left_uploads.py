"""An upload that a killed worker left open is aborted, whatever becomes of its version. Histories of real processes
found it: see `processes.histories`.
"""

import pytest

from tasks.object_clerk.parts import MIB
from tests.support.dying_client import Killed

BODY = bytes(17 * MIB)
# The delay of the recheck queue, and a second.
RECHECK_SECONDS = 901


def die(operation):
    if operation == "CompleteMultipartUpload":
        raise Killed()


@pytest.mark.parametrize("world", [("Enabled", "Enabled")], indirect=True)
def test_upload_of_a_version_that_was_removed_is_aborted_when_the_next_one_arrives(world, wire):
    big = world.put("a", BODY)
    wire.before.append(die)
    with pytest.raises(Killed):
        world.replicate(big)
    wire.before.clear()
    world.delete("a", big["detail"]["object"]["version-id"])
    assert world.uploads() == ["a"]
    assert world.replicate(world.put("a", b"small")) == []
    assert world.mirrored("a") == b"small"
    assert world.uploads() == []


def test_upload_that_could_not_be_aborted_is_aborted_by_a_recheck(world, wire, clock):
    big = world.put("a", BODY)
    wire.before.append(die)
    with pytest.raises(Killed):
        world.replicate(big)
    wire.before.clear()
    wire.fail("AbortMultipartUpload", (503, "ServiceUnavailable"), times=3)
    assert world.replicate(world.put("a", b"small")) == []
    assert world.mirrored("a") == b"small"
    assert world.uploads() == ["a"]
    clock.sleep(RECHECK_SECONDS)
    assert world.recheck() == 1
    assert world.uploads() == []
