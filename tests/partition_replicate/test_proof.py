"""`brigade prove` with the code of the task, which is called whenever the command waits."""

import pytest

from ops.proving import cleaning, promises
from ops.proving.canary import Canary
from ops.proving.cleaning import Places
from ops.proving.mirror import MirrorProof
from ops.proving.side import Side
from tests.partition_replicate.conftest import MIRROR, SOURCE
from tests.partition_replicate.events import event_of

CURRENT, ALL = ("unversioned", "unversioned"), ("Enabled", "Enabled")


class Clock:
    """A clock that passes only when the command waits; meanwhile the task handles an event of each key.

    Args:
        world: the task and its buckets.
        keys: the keys.
        turns: how often the task works.
    """

    def __init__(self, world, keys, turns):
        self._world, self._keys, self._turns = world, keys, turns
        self._now = 0

    def monotonic(self):
        return self._now

    def sleep(self, _seconds):
        self._now += 1
        for key in self._keys if self._now <= self._turns else ():
            assert self._world.replicate(event_of(SOURCE, key, self._kind(key))) == []

    def _kind(self, key):
        if Side(self._world.s3, SOURCE).current(key, readable=False) is None:
            return "Object Deleted"
        return "Object Tags Added" if key.endswith("retagged") else "Object Created"


@pytest.mark.long
@pytest.mark.parametrize("world", [CURRENT, ALL], ids="-".join, indirect=True)
def test_task_keeps_every_promise_and_the_removal_stays(world, monkeypatch):
    canary = Canary("20261122T000000Z-abcdef", objects=1, large=17_000_000)
    source, destination = Side(world.s3, SOURCE), Side(world.mirror, MIRROR)
    made = MirrorProof(source, destination, {}, canary).promises()
    keys = [subject.name for promise in made for subject in promise.subjects]

    monkeypatch.setattr(promises, "time", Clock(world, keys, 20))
    promises.prove(made, seconds=20, pause=1, on_done=lambda done: None)
    assert [promise.reason for promise in made] == [""] * 9
    assert {promise.outcome for promise in made} == {"ok"}

    # The task still handles the removals while the buckets are emptied.
    monkeypatch.setattr(cleaning, "time", Clock(world, keys, 2))
    assert Places([source, destination], lambda: 0).clean(canary.prefix, pause=1) == 0
    assert [*source.versions(""), *destination.versions("")] == []
