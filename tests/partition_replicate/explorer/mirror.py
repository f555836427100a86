"""The mirror as a machine of numbers: each state of a bucket, a table, a queue or a worker has one.

What a step does depends on few of them, so it is found once and remembered for all explorations of one policy.
"""

from itertools import count

from tests.partition_replicate.explorer import buckets, changes, tables
from tests.partition_replicate.explorer.invariants import Broken, check_pairs, check_records, check_write
from tests.partition_replicate.explorer.numbers import Numbers
from tests.partition_replicate.explorer.runs import DESTINATION, LOST, SOURCE, TABLE
from tests.partition_replicate.explorer.workers import Workers

# A pending event is twice its number, and 1 more where its message was received before. So is a worker of its node.
RECEIVED = 1
WRITES = ("put_object", "delete_object", "put_object_tagging")
REQUESTS = 1 << 24


class Mirror:  # pylint: disable=too-many-instance-attributes  # numbers of each sort, and what follows from them
    """All that is known of one policy.

    Args:
        policy: a `Policy`.
    """

    def __init__(self, policy):
        self.policy = policy
        self.kinds = (
            buckets.Kind("s", policy.is_versioned),
            buckets.Kind("d", policy.is_versioned, policy.is_encrypted),
        )
        self._servers = [buckets.Server(kind) for kind in self.kinds]
        self.events, self.requests, self.answers = Numbers(), Numbers(), Numbers()
        self.places = (Numbers(), Numbers(), Numbers())
        self.queues, self.held = Numbers(), Numbers()
        self.workers = Workers(policy, self.events, self.requests, self.answers)
        self.lost = self.answers.number(LOST)
        self._rechecks, self._rechecks_of, self.origin = changes.Rechecks(), {}, {}
        self._performed, self._changed, self._after_end, self._queued, self._names = {}, {}, {}, {}, {}
        self._sound = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.workers.close()

    def beginning(self):
        """Return the numbers of two empty buckets, an empty table, an empty queue, and no held write."""
        empty = (buckets.Bucket(), buckets.Bucket(), tables.EMPTY)
        numbers = [place.number(value) for place, value in zip(self.places, empty)]
        return *numbers, self.queues.number(()), self.held.number(None)

    def change(self, source, name):
        """Return the source after a change, and the number of its event; None where it is not possible."""
        key = source, name
        if key not in self._changed:
            made = changes.changed(self.places[SOURCE].get(source), self.kinds[SOURCE], name)
            self._changed[key] = made and (self.places[SOURCE].number(made[0]), self.events.number(made[1]))
        return self._changed[key]

    def perform(self, place, before, request):
        """Return the number of a place after a request, and the number of its answer."""
        key = before * REQUESTS + request
        found = self._performed.get(key)
        if found is None:
            found = self._performed[key] = self._perform(place, before, request)
        return found

    def _perform(self, place, before, request):
        found, value = self.requests.get(request), self.places[place].get(before)
        if place == TABLE:
            after, answer = tables.answer(value, found.operation, found.parameters)
        else:
            try:
                after, answer = self._servers[place].answer(value, found.operation, found.parameters)
            except buckets.Refused as refused:
                after, answer = value, refused.error
        return self.places[place].number(after), self.answers.number(answer, repr(answer))

    def place_of(self, worker):
        """Return where the next request of a worker goes."""
        return self.requests.values[self.workers.request[worker >> 1]].place

    def is_write(self, request):
        """Return whether a request may change the destination."""
        return self.requests.values[request].operation in WRITES

    # The queue.

    def add(self, queue, item):
        """Return a queue with one more item."""
        key = queue, item
        found = self._queued.get(key)
        if found is None:
            items = tuple(sorted((*self.queues.values[queue], item)))
            found = self._queued[key] = self.queues.number(items)
        return found

    def take(self, queue, item):
        """Return a queue without an item."""
        key = queue, ~item
        found = self._queued.get(key)
        if found is None:
            items = list(self.queues.values[queue])
            items.remove(item)
            found = self._queued[key] = self.queues.number(tuple(items))
        return found

    def after_end(self, node, was_received):
        """Return what enters the queue when the work of a worker has ended.

        Raises:
            Broken: the work failed, though all servers answer.
        """
        key = node << 1 | was_received
        if key not in self._after_end:
            self._after_end[key] = self._found_after_end(node, was_received)
        return self._after_end[key]

    def _found_after_end(self, node, was_received):
        end, event = self.workers.end[node], self.workers.event[node]
        if end.error and not getattr(end.error, "transient", True):
            raise Broken(f"I4: the event becomes a dead letter: {end.error}")
        if end.error:
            raise Broken(f"the work fails: {type(end.error).__name__}: {end.error}")
        return self._asked(event) if end.is_unanswered or was_received else ()

    def _asked(self, event):
        """Return the recheck that an event asks for."""
        if event not in self._rechecks_of:
            sent = [self.events.number(each) for each in self._rechecks.of(self.events.get(event))]
            self._rechecks_of[event] = tuple(each << 1 for each in sent)
            self.origin.update((each, self.origin.get(event, event)) for each in sent)
        return self._rechecks_of[event]

    # What is the same state, and whether it is sound.

    def renamed(self, destination, table):
        """Return the destination and the table with ids without gaps; only where no worker remembers any."""
        key = destination, table
        if key not in self._names:
            bucket, rows = self.places[DESTINATION].get(destination), self.places[TABLE].get(table)
            names = self._new_names(bucket, rows)
            entries = tuple(
                entry._replace(
                    id=names.get(entry.id, ""),
                    etag=f'"{names.get(tables.bare(entry.etag), tables.bare(entry.etag))}"' if entry.etag else "",
                )
                for entry in bucket.entries
            )
            after = bucket._replace(entries=entries, made=len(names) // 2)
            self._names[key] = (
                self.places[DESTINATION].number(after),
                self.places[TABLE].number(tables.renamed(rows, names)),
            )
        return self._names[key]

    def _new_names(self, bucket, rows):
        """Return old -> new version ids, and ETags of encrypted versions, which have the same number."""
        numbers = count(1)
        # Without versions only the ETag of an encrypted object has a number.
        names = [
            entry.id or tables.bare(entry.etag) for entry in bucket.entries if entry.id or self.policy.is_encrypted
        ]
        old = dict.fromkeys([name[1:] for name in names] + tables.numbers_in(rows))
        fresh = {number: next(numbers) for number in old}
        return {f"{letter}{number}": f"{letter}{new}" for number, new in fresh.items() for letter in "dk"}

    def check(self, before, sides, place, *, is_late=False):
        """Check what holds in each state, and at each write to the destination.

        Args:
            before: the numbers of the three places before a step.
            sides: and after it.
            place: which of them changed.
            is_late: whether a server held the request.

        Raises:
            Broken: it does not hold.
        """
        key = (*before, *sides, is_late)
        if key in self._sound:
            return
        after = [values.get(number) for values, number in zip(self.places, sides)]
        if place == DESTINATION:
            check_write(self.policy, after[0], self.places[DESTINATION].get(before[1]), after[1], is_late=is_late)
        if place == TABLE:
            check_records(self.policy, self.places[TABLE].get(before[2]), after[2], *after[:2])
        check_pairs(self.policy, *after)
        self._sound.add(key)
