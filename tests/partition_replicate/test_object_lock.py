"""A destination under Object Lock: a version that cannot be removed stays as an older one, and the key goes on."""

from datetime import UTC, datetime, timedelta

import pytest

from local.patches.hooks import HOOKS
from tasks.partition_replicate import handler as handler_module
from tasks.partition_replicate.reconcile import destination
from tests.partition_replicate.conftest import MIRROR
from tests.partition_replicate.version_history import DELETED, history, killed_before_its_record, made_from, version_of
from tests.support.dying_client import Killed

STAYS = "a version is under Object Lock and stays, as an older version"

pytestmark = pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids=["Enabled-Enabled"], indirect=True)


@pytest.fixture(autouse=True)
def forget_logged_warnings():
    # The warning is logged once a container.
    destination._log_that_it_stays.cache_clear()  # pylint: disable=protected-access


def lock_what_is_written(world, mode="COMPLIANCE"):
    retention = {"DefaultRetention": {"Mode": mode, "Days": 1}}
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": retention}
    world.mirror.put_object_lock_configuration(Bucket=MIRROR, ObjectLockConfiguration=configuration)


def lock(world, version, how):
    where = {"Bucket": MIRROR, "Key": "a.txt", "VersionId": version}
    if how == "hold":
        world.mirror.put_object_legal_hold(**where, LegalHold={"Status": "ON"})
    else:
        until = datetime.now(UTC) + timedelta(hours=1)
        world.mirror.put_object_retention(**where, Retention={"Mode": how, "RetainUntilDate": until})


HOW = pytest.mark.parametrize("how", ["COMPLIANCE", "GOVERNANCE", "hold"])


@HOW
def test_newest_version_removed_for_good_stays_below_the_one_that_is_back(world, environment, capsys, how):
    lock_what_is_written(world, "GOVERNANCE")
    environment(VERSION_DELETES="mirror")
    world.replicate(world.put("a.txt", b"1"))
    newest = world.put("a.txt", b"2")
    world.replicate(newest)
    lock(world, made_from(world, version_of(newest)), how)
    removed = world.delete("a.txt", version_of(newest))
    assert world.replicate(removed) == []
    assert history(MIRROR) == [b"1", b"2", b"1"]
    assert capsys.readouterr().out.count(STAYS) <= 1
    assert world.replicate(removed, newest, world.put("a.txt", b"3")) == []
    assert history(MIRROR) == [b"1", b"2", b"1", b"3"]
    assert world.dead_letters() == []


def test_key_whose_versions_are_all_removed_is_hidden(world, environment):
    lock_what_is_written(world)
    environment(VERSION_DELETES="mirror")
    events = [world.put("a.txt", body) for body in (b"1", b"2")]
    world.replicate(*events)
    removals = [world.delete("a.txt", version_of(event)) for event in events]
    assert world.replicate(*removals) == []
    assert history(MIRROR) == [b"1", b"2", DELETED]
    assert world.replicate(*removals, *events) == []
    assert history(MIRROR) == [b"1", b"2", DELETED]
    assert world.replicate(world.put("a.txt", b"3")) == []
    assert world.mirrored("a.txt") == b"3"


def test_older_version_removed_for_good_stays_and_its_row_goes(world, environment, capsys):
    lock_what_is_written(world)
    environment(VERSION_DELETES="mirror")
    older = version_of(world.put("a.txt", b"1"))
    world.replicate(world.put("a.txt", b"2"))
    removed = world.delete("a.txt", older)
    assert world.replicate(removed, removed) == []
    assert (history(MIRROR), world.row("a.txt", older)) == ([b"1", b"2"], None)
    assert capsys.readouterr().out.count(STAYS) == 1


def test_write_of_a_worker_that_lost_the_race_stays_and_the_key_goes_on(world, wire, capsys):
    lock_what_is_written(world)
    world.replicate(world.put("a.txt", b"1", Metadata={"of": "second"}))
    event = world.put("a.txt", b"1", Metadata={"of": "third"})
    # Another worker writes the version, and its row, just before this one does.
    wire.before.append(lambda operation: operation == "PutObject" and (wire.before.clear() or world.replicate(event)))
    assert world.replicate(event) == []
    assert world.head("a.txt")["Metadata"] == {"of": "third"}
    assert capsys.readouterr().out.count(STAYS) == 1
    assert "TakenBackVersionId" not in world.row("a.txt")
    written = history(MIRROR)
    assert world.replicate(event, world.put("a.txt", b"2")) == []
    assert history(MIRROR) == [*written, b"2"]


def test_pending_delete_of_a_locked_version_stays(world):
    lock_what_is_written(world)
    first = world.put("a.txt", b"1")
    world.replicate(first)
    table = handler_module.worker().replicator.table
    state = table.read_state("a.txt")
    table.write_state("a.txt", state, state.with_open(pending_delete=made_from(world, version_of(first))))
    assert world.replicate(world.put("a.txt", b"2")) == []
    assert history(MIRROR) == [b"1", b"2"]


def test_copy_that_a_killed_worker_did_not_record_stays_and_is_hidden(world, environment):
    environment(VERSION_DELETES="mirror")
    lock_what_is_written(world)
    put = world.put("a.txt", b"2")
    with pytest.raises(Killed), killed_before_its_record():
        world.replicate(put)
    assert world.replicate(put, world.delete("a.txt", version_of(put)), put) == []
    assert history(MIRROR) == [b"2", DELETED]


def test_user_that_may_not_remove_versions_is_a_failure_and_nothing_is_swallowed(world, environment, capsys):
    environment(VERSION_DELETES="mirror")
    world.replicate(world.put("a.txt", b"1"))
    newest = world.put("a.txt", b"2")
    world.replicate(newest)
    removed = world.delete("a.txt", version_of(newest))
    HOOKS.faults.add("DeleteObject", times=1, status=403, code="AccessDenied")
    world.replicate(removed)
    assert history(MIRROR) == [b"1", b"2"]
    said = capsys.readouterr().out
    assert STAYS not in said and "AccessDenied" in said
    assert world.replicate(removed) == []
    assert history(MIRROR) == [b"1"]


def test_version_whose_lock_has_ended_is_removed(world, environment):
    lock_what_is_written(world)
    environment(VERSION_DELETES="mirror")
    world.replicate(world.put("a.txt", b"1"))
    newest = world.put("a.txt", b"2")
    world.replicate(newest)
    # moto lets a date of the past pass.
    where = {"Bucket": MIRROR, "Key": "a.txt", "VersionId": made_from(world, version_of(newest))}
    ended = datetime.now(UTC) - timedelta(hours=1)
    world.mirror.put_object_retention(**where, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": ended})
    assert world.replicate(world.delete("a.txt", version_of(newest))) == []
    assert history(MIRROR) == [b"1"]
