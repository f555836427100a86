"""The plan for the newest state: the rules of the task's README, each as a snapshot and the step that follows."""

from dataclasses import replace

import pytest

from tasks.object_clerk.annotations import IGNORE
from tasks.partition_replicate.outcome import Action
from tasks.partition_replicate.reconcile import steps
from tasks.partition_replicate.reconcile.plan import next_step
from tasks.partition_replicate.reconcile.policy import Policy, removed
from tasks.partition_replicate.reconcile.snapshot import Round, Snapshot
from tasks.utils.events import Kind
from tasks.utils.key_state import KeyState, OpenWork, Origin, ReplicaVersion, Upload
from tests.partition_replicate import plans
from tests.partition_replicate.plans import (
    AT_D1,
    AT_S1,
    CREATED,
    REMOVED,
    event,
    is_same,
    seen,
    state,
)

# Annotations are tested by their requests, in test_annotations.py.
CURRENT = Policy(annotations=IGNORE)

EXPIRED_FIRST = event(Kind.LIFECYCLE_EXPIRED, sequencer="01")
OLDER = state('"s1"', '"d1"')
NEWER = seen(plans.SOURCE, '"s2"')
NO_SOURCE, NO_MIRROR = seen(plans.SOURCE), seen(plans.MIRROR)
LATER = Round(2)
RECORDED = OLDER._replace(origin=Origin(etag='"s2"'), replica=ReplicaVersion(etag='"d2"'))
COPIED = Round(replica=ReplicaVersion(etag='"d2"'), changed=True)

CURRENT_RULES = {
    "nothing is known: the key row is read": (Snapshot(CREATED), steps.ReadState()),
    "the event is newer than the record: the source is observed at once, with its bytes": (
        Snapshot(CREATED, OLDER),
        steps.ObserveSource(most=5),
    ),
    "the event is of a large object: its bytes are read later": (
        Snapshot(replace(CREATED, size=1 << 30), OLDER),
        steps.ObserveSource(),
    ),
    "the event is of the recorded state: the destination is observed first": (
        Snapshot(event(etag="s1", size=5), OLDER),
        steps.ObserveDestination(),
    ),
    "an upload is under way: the destination is observed first": (
        Snapshot(CREATED, OLDER._replace(open=OpenWork(upload=Upload("u", "stamp", 5)))),
        steps.ObserveDestination(),
    ),
    "tags changed: the destination is observed with its tags": (
        Snapshot(event(Kind.TAGGED), OLDER),
        steps.ObserveDestination(with_tags=True),
    ),
    "source newer than recorded, destination as recorded: copy if the recorded ETag is there": (
        Snapshot(CREATED, OLDER, NEWER),
        steps.Copy(replaces='"d1"'),
    ),
    "source newer than recorded, nothing recorded: copy if nothing is there": (
        Snapshot(CREATED, KeyState(), NEWER),
        steps.Copy(replaces=""),
    ),
    "source as recorded, destination not observed: the event is late, observe both": (
        Snapshot(CREATED, OLDER, AT_S1),
        steps.StartRound(),
    ),
    "no destination: copy if nothing is there": (
        Snapshot(CREATED, OLDER, NEWER, NO_MIRROR),
        steps.Copy(replaces=""),
    ),
    "destination differs: copy if the observed ETag is there": (
        Snapshot(CREATED, KeyState(), NEWER, AT_D1, LATER),
        steps.Copy(replaces='"d1"'),
    ),
    "destination made from this source: recorded already, done": (
        Snapshot(CREATED, OLDER, AT_S1, AT_D1),
        steps.Done(Action.EQUAL),
    ),
    "only tags differ, and the destination counts none: its tags are observed": (
        Snapshot(CREATED, OLDER, replace(AT_S1, tags={"a": "b"}), AT_D1),
        steps.ObserveDestinationTags(),
    ),
    "only tags differ: put the tags": (
        Snapshot(CREATED, OLDER, replace(AT_S1, tags={"a": "b"}), replace(AT_D1, tags_asked=True)),
        steps.PutTags({"a": "b"}, None),
    ),
    "copied: the source is observed again": (Snapshot(CREATED, OLDER, NEWER, None, COPIED), steps.ObserveSource()),
    "copied, and the source is still the same: record": (
        Snapshot(CREATED, OLDER, NEWER, None, COPIED._replace(later=NEWER)),
        steps.RecordState(RECORDED),
    ),
    "copied and recorded: done": (
        Snapshot(CREATED, RECORDED, NEWER, None, COPIED._replace(later=NEWER)),
        steps.Done(Action.EQUAL),
    ),
    "copied, and the source changed: observe both again": (
        Snapshot(CREATED, OLDER, NEWER, None, COPIED._replace(later=AT_S1)),
        steps.StartRound(),
    ),
    "source removed and reported: record the removal before anything is deleted": (
        Snapshot(REMOVED, OLDER, NO_SOURCE),
        steps.RecordRemoval(removed(OLDER)),
    ),
    "removal just recorded: delete if the ETag that was recorded is there": (
        Snapshot(REMOVED, removed(OLDER), NO_SOURCE, None, Round(unrecorded='"d1"')),
        steps.Delete(replaces='"d1"'),
    ),
    "removal recorded earlier: delete if the observed ETag is there": (
        Snapshot(REMOVED, removed(OLDER), NO_SOURCE, AT_D1, LATER),
        steps.Delete(replaces='"d1"'),
    ),
    "deleted: the source is observed again": (
        Snapshot(REMOVED, removed(OLDER), NO_SOURCE, None, Round(unrecorded='"d1"', changed=True)),
        steps.ObserveSource(),
    ),
    "source gone, no removal reported: leave the destination": (
        Snapshot(CREATED, OLDER, NO_SOURCE),
        steps.Done(Action.NOTHING, "the source is gone; the event of its removal says whether it was meant"),
    ),
    "the reported removal is older than what was handled: leave the destination": (
        Snapshot(event(Kind.REMOVED, sequencer="01"), OLDER._replace(sequencer="02"), NO_SOURCE),
        steps.Done(Action.NOTHING, "the source is gone; the event of its removal says whether it was meant"),
    ),
    "source expired before it was removed: mirror the removal": (
        Snapshot(EXPIRED_FIRST, removed(OLDER._replace(sequencer="02")), NO_SOURCE, AT_D1, LATER),
        steps.Delete(replaces='"d1"'),
    ),
    "source expired: forget the key row": (
        Snapshot(event(Kind.LIFECYCLE_EXPIRED), OLDER, NO_SOURCE, AT_D1),
        steps.ForgetState(),
    ),
    "upload of another state: abandon it": (
        Snapshot(CREATED, OLDER._replace(open=OpenWork(upload=Upload("u", "stamp", 5))), NEWER, AT_D1),
        steps.AbandonUpload(),
    ),
    "eight rounds lost: give up": (
        Snapshot(CREATED, OLDER, round=Round(9)),
        steps.GiveUp("other writers got in between 8 times in a row"),
    ),
}


@pytest.mark.parametrize("snapshot, expected", CURRENT_RULES.values(), ids=CURRENT_RULES)
def test_next_step_for_the_newest_state(snapshot, expected):
    assert is_same(next_step(snapshot, CURRENT), expected)
