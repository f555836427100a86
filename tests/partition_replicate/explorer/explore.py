"""The exhaustive search: every state that workers, source, servers and queue can reach together within some bounds.

A global state is a tuple of numbers: source, destination, table, two workers, queue, held write, and what may still
happen. Breadth first, so the first broken invariant has a shortest trace.

Three reductions leave out only orders that lead to the same states:
- A worker starts with its first request: what it does before concerns nothing else.
- A worker is killed right after a request that changed something: its later reads change nothing, and its event may
  be delivered again at any later time.
- When the source has had its last change, reads of the source come first: nothing can change their answers.
"""

import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from unittest.mock import patch

from tasks.utils.mirror_settings import MIRROR
from tests.partition_replicate.explorer.ends import check_end
from tests.partition_replicate.explorer.invariants import Broken
from tests.partition_replicate.explorer.mirror import RECEIVED
from tests.partition_replicate.explorer.runs import DESTINATION, SOURCE

# What may still happen, packed into one number of four bits each.
KILL, LATE, DUPLICATE, FAULT, SWITCH = 1, 16, 256, 4096, 65536


class Violation(Exception):
    """An invariant does not hold in a state.

    Attributes:
        steps: (label, state) from the beginning.
    """

    def __init__(self, reason, steps):
        super().__init__(reason)
        self.steps = steps


@dataclass
class Report:
    """How much was seen.

    Attributes:
        ends: states in which nothing was left to be done.
    """

    states: int = 0
    transitions: int = 0
    histories: int = 0
    ends: int = 0
    seconds: float = 0.0

    def __str__(self):
        return (
            f"{self.states:,} states, {self.transitions:,} transitions, {self.histories:,} histories, "
            f"{self.ends:,} ends in {self.seconds:.1f} s"
        )


def documented(policy, bounds, killed, late):
    """Return how many entries too many the limits in the mirror's README allow after so many kills and late writes.

    Where the removal of versions is mirrored, none: the recheck removes what is not in the source's history. Where it
    is not, a copy that nothing recorded stays where something is written above it before a worker finds it. Where
    SSE-KMS encrypts, no copy is recognised; a worker writes once more what has to be above it, or hides a copy that
    another worker is about to undo, and its marker stays above an older one.
    """
    if policy.is_encrypted:
        return 2 * (late + killed) + (bounds.workers > 1)
    if policy.version_deletes == MIRROR:
        return 0
    return late + (killed if bounds.workers > 1 else 0)


class Explorer:
    """One exploration.

    Args:
        mirror: a `Mirror`.
        bounds: the `Bounds`.
        allowed: returns the `extras` of `check_end`; see `documented`.
    """

    def __init__(self, mirror, bounds, allowed=documented):
        self.mirror, self.bounds, self._allowed = mirror, bounds, allowed
        self.report, self._state = Report(), None

    # The search.

    def run(self):
        """Explore all states.

        Returns:
            A `Report`.

        Raises:
            Violation: an invariant does not hold; its trace is a shortest one.
        """
        began = time.perf_counter()
        with ExitStack() as stack:
            # Rows hold the time at which they expire; nothing is waited for.
            stack.enter_context(patch("time.time", lambda: 0.0))
            stack.enter_context(patch("tasks.utils.retry.sleep", lambda seconds: None))
            self._explore(self._beginning())
        self.report.seconds = time.perf_counter() - began
        return self.report

    def _explore(self, first):
        """Search in depth, where the next state is mostly that of the same worker, and in breadth for a trace."""
        try:
            self._search({first: None}, deque.pop)
        except Broken:
            seen = {first: None}
            try:
                self._search(seen, deque.popleft)
            except Broken as error:
                raise Violation(str(error), self._trace(seen, self._state, error.step)) from error
            raise

    def _search(self, seen, take):
        waiting, transitions = deque(seen), 0
        try:
            while waiting:
                self._state = state = take(waiting)
                for _, after in self.successors(state):
                    transitions += 1
                    if after not in seen:
                        seen[after] = state
                        waiting.append(after)
        finally:
            self.report.states, self.report.transitions = len(seen), transitions
            self.report.histories = len({state[0] for state in seen if self._is_last(state[0])})

    def _beginning(self):
        """Return the state in which nothing has happened yet."""
        *places, queue, held = self.mirror.beginning()
        bounds = self.bounds
        left = bounds.kills * KILL + bounds.late * LATE + bounds.duplicates * DUPLICATE + bounds.faults * FAULT
        return (*places, 0, 0, queue, held, left + (bounds.switches or 0) * SWITCH)

    def _trace(self, seen, state, last):
        path, end = [], [(last[0], (*last[1], *state[3:]))] if last else []
        while state is not None:
            path.append(state)
            state = seen[state]
        path.reverse()
        steps = [(("begin",), path[0])]
        for before, after in zip(path, path[1:]):
            steps.append(next((label, state) for label, state in self.successors(before) if state == after))
        return steps + end

    # What may happen in a state.

    def successors(self, state):
        """Return what may happen next: (label, state) pairs.

        Raises:
            Broken: an invariant does not hold in the state, or in a write that may happen next.
        """
        source, _, _, first, second, queue, held, _ = state
        is_last = self._is_last(source)
        if is_last:
            for worker in (first, second):
                if worker and self.mirror.place_of(worker) == SOURCE:
                    return self._requested(state, worker)
        found = [] if is_last else self._changes(state)
        if first:
            found += self._requested(state, first)
        switched = self._switched(state)
        if switched and second and second != first:
            found += self._requested(switched, second)
        if not first or (switched and not second and self.bounds.workers > 1):
            found += self._started(switched)
        if held:
            found += self._landed(state)
        if not first and not held and not self.mirror.queues.values[queue]:
            self._check_end(state)
        return found

    def _is_last(self, source):
        return self._made(source) == len(self.bounds.changes)

    def _made(self, source):
        return len(self.mirror.places[SOURCE].values[source].log)

    def _switched(self, state):
        """Return the state after another worker's turn has come; None where there were too many such turns."""
        if self.bounds.switches is None or not state[3]:
            return state
        return (*state[:7], state[7] - SWITCH) if state[7] >= SWITCH else None

    def _changes(self, state):
        names = self.bounds.changes[self._made(state[0])]
        following = ((("change", name), self._change(state, name)) for name in names)
        return [(label, after) for label, after in following if after]

    def _change(self, state, name):
        made = self.mirror.change(state[0], name)
        if not made:
            return None
        source, event = made
        self.mirror.check(state[:3], (source, *state[1:3]), SOURCE)
        queue = self.mirror.add(state[5], event << 1)
        return self._canonical((source, *state[1:3]), *state[3:5], (queue, *state[6:]))

    def _started(self, state):
        """Return the states after the first request of each pending event."""
        first, queue, left = state[3], state[5], state[7]
        found = []
        for item in dict.fromkeys(self.mirror.queues.values[queue]):
            if item >> 1 in self.mirror.origin and (first or not self._is_due(state)):
                continue
            worker = self.mirror.workers.start(item >> 1) << 1 | (item & RECEIVED)
            given = (*state[:3], worker, first, self.mirror.take(queue, item), *state[6:])
            found += [(("start", item, *label), after) for label, after in self._requested(given, worker)]
            if left % SWITCH >= FAULT and left % FAULT >= DUPLICATE:
                given = (*given[:5], *state[5:7], left - DUPLICATE - FAULT)
                found += [
                    (("start a duplicate", item, *label), after) for label, after in self._requested(given, worker)
                ]
        return found

    def _is_due(self, state):
        """Return whether rechecks are due: no server holds a request, and no other event is pending."""
        return not state[6] and all(item >> 1 in self.mirror.origin for item in self.mirror.queues.values[state[5]])

    def _requested(self, state, worker):
        """Return what may become of the next request of a worker."""
        other = state[4] if worker == state[3] else state[3]
        node, left = worker >> 1, state[7]
        request = self.mirror.workers.request[node]
        place = self.mirror.requests.values[request].place
        after, answer = self.mirror.perform(place, state[place], request)
        sides = (*state[:place], after, *state[place + 1 : 3])
        found = [(("request", worker), self._next(sides, state, worker, answer, other))]
        if after != state[place]:
            self._check_step(("request", worker), state, sides, place)
            if left % SWITCH >= FAULT and left % LATE >= KILL:
                found.append((("killed", worker), self._killed(sides, state, worker, other, left - KILL - FAULT)))
        if place == DESTINATION and left % SWITCH >= FAULT and left % DUPLICATE >= LATE:
            found += self._held_back(state, worker, other, request)
        return found

    def _check_step(self, label, state, sides, place, *, is_late=False):
        try:
            self.mirror.check(state[:3], sides, place, is_late=is_late)
        except Broken as error:
            error.step = (label, sides)
            raise

    def _held_back(self, state, worker, other, request):
        """Return the states in which a server holds the request of a worker, which times out or is killed."""
        if state[6] or not self.mirror.is_write(request):
            return []
        event = self.mirror.workers.event[worker >> 1]
        held = self.mirror.held.number((request, self.mirror.origin.get(event, event)))
        left = state[7] - LATE - FAULT
        given = (*state[:6], held, left)
        found = [(("held", worker), self._next(state[:3], given, worker, self.mirror.lost, other))]
        if left % LATE >= KILL:
            found.append((("held and killed", worker), self._killed(state[:3], given, worker, other, left - KILL)))
        return found

    def _killed(self, sides, state, worker, other, left):
        """Return the state in which a worker is killed: its message comes back."""
        queue = self.mirror.add(state[5], self.mirror.workers.event[worker >> 1] << 1 | RECEIVED)
        return self._canonical(sides, other, 0, (queue, state[6], left))

    def _landed(self, state):
        """Return the states after a server carried out what it holds, or forgot it."""
        request, _ = self.mirror.held.values[state[6]]
        after, _ = self.mirror.perform(DESTINATION, state[1], request)
        sides = (state[0], after, state[2])
        if after != state[1]:
            self._check_step(("land",), state, sides, DESTINATION, is_late=True)
        rest = (*state[3:5], (state[5], 0, state[7]))
        return [(("land",), self._canonical(sides, *rest)), (("drop",), self._canonical(state[:3], *rest))]

    def _next(self, sides, state, worker, answer, other):
        """Return the state in which a worker has got an answer; its work may have ended with that."""
        child = self.mirror.workers.step(worker >> 1, answer)
        if self.mirror.workers.request[child] >= 0:
            return self._canonical(sides, child << 1 | worker & RECEIVED, other, state[5:])
        queue = state[5]
        for item in self.mirror.after_end(child, worker & RECEIVED):
            queue = self.mirror.add(queue, item)
        return self._canonical(sides, other, 0, (queue, *state[6:]))

    def _canonical(self, sides, first, second, rest):
        """Return the one state that stands for all that go on in the same way.

        Args:
            sides: source, destination and table.
            first: a worker, the one whose turn it is where the turns are counted.
            second: the other one.
            rest: queue, held write, and what may still happen.
        """
        if not first or (self.bounds.switches is None and first < second):
            first, second = second, first
        if not first and not rest[1]:
            sides = (sides[0], *self.mirror.renamed(sides[1], sides[2]))
        return (*sides, first, second, *rest)

    def _check_end(self, state):
        self.report.ends += 1
        killed = self.bounds.kills - state[7] % LATE // KILL
        late = self.bounds.late - state[7] % DUPLICATE // LATE
        source, destination = (self.mirror.places[place].get(state[place]) for place in (SOURCE, DESTINATION))
        check_end(self.mirror.policy, source, destination, self._allowed(self.mirror.policy, self.bounds, killed, late))
