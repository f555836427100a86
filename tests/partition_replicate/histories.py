"""Random histories of a few keys, delivered in any way: see `test_convergence.py`."""

import itertools
import json
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from tasks.object_clerk.buffer_pool import BufferPool
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.streams import StreamLimits
from tasks.partition_replicate.reconcile.policy import Policy
from tasks.partition_replicate.replicator import Mirror, Pace, Replicator
from tasks.partition_replicate.settings import ALL, KEEP, MIRROR
from tasks.partition_replicate.table import Table
from tasks.partition_replicate.versions import Versioning
from tasks.utils.deadline import Deadline
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.events import object_events
from tasks.utils.key_messages import RecheckQueue
from tasks.utils.retry import RetryPolicy
from tests.partition_replicate.source_changes import CHANGES, DELETED, SourceChanges
from tests.partition_replicate.stage import FAULTS, HELD
from tests.support.dying_client import Killed

# Two keys, so that a change often follows an earlier one of its key.
KEYS = ("a", "é ü")
# Requests of one delivery that can fail; a delivery without a fault makes four to nine.
LAST_REQUEST = 9


# What happens to a key while a worker is at work.
MEANWHILE = (
    ("put",),
    ("put_with_tags",),
    ("delete",),
    ("delete",),
    ("put", "delete"),
    ("put", "delete"),
    ("tag",),
    ("annotate",),
    ("unannotate",),
    ("land",),
    ("land", "put"),
    (),
)

_example = itertools.count()


class Histories(SourceChanges):  # pylint: disable=too-many-instance-attributes  # what happened so far
    # Lists of settings, each list as likely as the others.
    among = ()
    # Whether every version of the destination is under Object Lock.
    locked = False

    def __init__(self):
        super().__init__()
        self.mirror = self.replicator = None
        self.every_version = False
        self.version_deletes = KEEP
        # The latest content of a key at the destination since the key was last absent there.
        self.latest = {}
        self.deliveries = self.under_way = 0
        self.failed_amid_another = self.has_landed = False
        # Events whose message was received, and failed or died; and the requested rechecks.
        self.received = set()
        self.rechecks = []

    @initialize(data=st.data())
    def begin(self, data):
        setting = data.draw(st.sampled_from(data.draw(st.sampled_from(self.among))))
        source, mirror, versions, self.version_deletes = setting
        self.every_version = versions == ALL
        self.source, self.mirror = f"source-{source.lower()}", f"mirror-{mirror.lower()}"
        self.versioned = source == "Enabled"
        self.prefix = f"{next(_example)}/"
        # A history that failed may have left some.
        self.stage.held = []
        self.stage.observe = self._observe
        table = Table(self.stage.dynamodb, "objects")
        limits = StreamLimits(BufferPool(1 << 20))
        versioning = Versioning(versions)
        # A container requests this once, so its failure is not a fault of a key.
        versioning.is_kept(S3Requests(self.stage.s3), self.source, S3Requests(self.stage.mirror), self.mirror)
        self.replicator = Replicator(
            self.stage.reading,
            table,
            Mirror(self.mirror),
            limits,
            Pace(RetryPolicy(tries=2)),
            versioning,
            Policy(version_deletes=self.version_deletes),
        )

    @rule(key=st.sampled_from(KEYS), change=st.sampled_from(CHANGES))
    def change(self, key, change):
        getattr(self, "_" + change)(key)

    @rule(key=st.sampled_from(KEYS), change=st.sampled_from(CHANGES), data=st.data())
    def change_and_deliver(self, key, change, data):
        getattr(self, "_" + change)(key)
        if self.pending:
            with self.stage.faults(self._plan(data, key, depth=2)):
                self._deliver(self.pending[-1])

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), again=st.booleans())
    def deliver(self, data, again):
        event = data.draw(st.sampled_from(self.pending))
        key = event["detail"]["object"]["key"].removeprefix(self.prefix)
        with self.stage.faults(self._plan(data, key, depth=2)):
            self._deliver(event, again)

    @precondition(lambda self: self.stage.held)
    @rule(key=st.sampled_from(KEYS))
    def land(self, key):
        self._land(key)

    def _land(self, key):
        if self.stage.land(quote(self.prefix + key)):
            # It may be an older state than the one that it replaced.
            self.went_back.add(key)
            self.has_landed = True

    # Deliveries.

    def _plan(self, data, key, depth):
        """Return the faults of one delivery; mostly there is only another active worker."""
        plan = {}
        if data.draw(st.sampled_from([False, False, depth == 2])):
            where, number = data.draw(st.sampled_from(["before", "after"])), data.draw(st.integers(1, LAST_REQUEST))
            plan[where, number] = FAULTS[data.draw(st.sampled_from(sorted(FAULTS)))]
        elif data.draw(st.booleans()):
            end = HELD[data.draw(st.sampled_from(sorted(HELD)))]
            plan["before", 1] = lambda: self.stage.hold(end)
        if depth and data.draw(st.sampled_from([True, True, depth == 2])):
            # Not before the first request: that would be the same as a delivery before this one.
            plan["before", data.draw(st.integers(2, 6))] = self._meanwhile(data, key, depth)
        return plan

    def _meanwhile(self, data, key, depth):
        """Return a function that changes the key, and lets another worker handle an event."""

        def happen():
            for change in data.draw(st.sampled_from(MEANWHILE)):
                getattr(self, "_" + change)(key)
            if self.pending and data.draw(st.sampled_from([True, True, True, False])):
                event = self.pending[-1] if data.draw(st.booleans()) else data.draw(st.sampled_from(self.pending))
                with self.stage.faults(self._plan(data, key, depth - 1)):
                    self._deliver(event, again=data.draw(st.booleans()))

        return happen

    def _deliver(self, event, again=False):
        """Deliver an event. A failed one stays pending, and so does one with `again`."""
        self.deliveries += 1
        self.under_way += 1
        mine = self.deliveries
        try:
            self._replicate(event)
        except (Killed, BucketBrigadeError):
            self.received.add(event["id"])
            if self.under_way > 1 or self.deliveries > mine:
                self.failed_amid_another = True
            if event not in self.pending:
                # Another delivery of the same event succeeded meanwhile, which does not undo this failure.
                self.pending.append(event)
            return
        finally:
            self.under_way -= 1
        if not again and event in self.pending:
            self.pending.remove(event)

    def _replicate(self, event):
        (plain,) = object_events(event)
        unanswered = []
        how = {"destination": self.stage.writing, "deadline": Deadline(), "unanswered": unanswered}
        self.replicator.replicate(plain, **how)
        if unanswered or event.get("id") in self.received:
            RecheckQueue(lambda: self, "recheck").send(plain)

    def send_message(self, **message):
        """Take a recheck in the place of SQS."""
        self.rechecks.append(json.loads(message["MessageBody"]))

    @invariant()
    def _observe(self):
        """Check that no replaced content of the source comes back to the destination after a later one."""
        if not self.prefix:
            return
        for key in KEYS:
            found = self._backend(self.mirror).get_object(self.mirror, self.prefix + key)
            number = int(found.value) if found else 0
            if found and key not in self.went_back:
                assert number >= self.latest.get(key, 0), f"{key!r} went back from {self.latest[key]} to {number}"
            self.latest[key] = number

    def teardown(self):
        if not self.prefix:
            return
        for event in list(self.pending):
            self._replicate(event)
        for key in KEYS:
            self._land(key)
        while self.rechecks:
            self._replicate(self.rechecks.pop())
        for key in KEYS:
            assert self._get(self.mirror, key) == self._get(self.source, key)
            if self.every_version:
                self._check_history(key)
        self._forget()

    def _check_history(self, key):
        """Check the destination's history: that of the source, except for what its versions under Object Lock keep.

        With VERSION_DELETES=keep it may hold versions that were removed for good at the source. If a worker failed amid
        the work of another one, or a server held a write, an entry may stand there once more: the conditions of S3
        distinguish neither a delete marker from the one before it nor a version from one with the same bytes.
        """
        theirs, mine = self._history(self.source, key), self._history(self.mirror, key)
        if self.version_deletes == MIRROR and not self.locked:
            assert mine == theirs
        elif key not in self.removed_for_good:
            if not (self.locked or self.failed_amid_another or self.has_landed):
                assert mine == theirs
            remaining = iter(mine)
            assert all(entry in remaining for entry in theirs)
            assert all(entry in theirs or entry == DELETED for entry in mine) or self.locked

    def _forget(self):
        # Thousands of histories would fill the memory.
        for bucket in (self.source, self.mirror):
            for key in KEYS:
                dict.pop(self._backend(bucket).buckets[bucket].keys, self.prefix + key, None)
        self.stage.dynamodb.items.clear()
