"""Workers as automata: the next request of a worker depends on its event and on the answers so far only.

A worker's state is a node: an event and the answers it got. Each node is found once, by a run of the real `Replicator`,
and kept.
"""

from tests.partition_replicate.explorer.runs import End, Run

# Runs that are stopped at a node. Most nodes get one answer, soon after they were found.
MOST_RUNS = 64


class Workers:  # pylint: disable=too-many-instance-attributes  # a list or a mapping for each fact about a node
    """The nodes of all workers under one policy.

    Args:
        policy: a `Policy`.
        events: the `Numbers` of the events.
        requests: those of the requests.
        answers: those of the answers.

    Attributes:
        request: node -> the number of its `Request`, or -1 where the work has ended.
        end: node -> its `End`, or None.
        event: node -> the number of its event.
    """

    def __init__(self, policy, events, requests, answers):
        self._policy, self._events, self._requests, self._answers = policy, events, requests, answers
        # Node 0 stands for no worker.
        self.request, self.end, self.event = [-1], [None], [-1]
        self._from, self._children, self._roots = [(0, -1)], {}, {}
        self._stopped, self._idle = {}, []

    def start(self, event):
        """Return the node of a worker that was just given an event, by the event's number."""
        root = self._roots.get(event)
        if root is None:
            run = self._run()
            root = self._roots[event] = self._new(0, -1, event, run, run.begin(self._events.get(event), []))
        return root

    def step(self, node, answer):
        """Return the node that follows when the request of a node gets an answer, by the answer's number."""
        child = self._children.get((node, answer))
        if child is None:
            child = self._children[node, answer] = self._found(node, answer)
        return child

    def close(self):
        """End all threads."""
        for run in self._stopped.values():
            run.abandon()
        for run in [*self._stopped.values(), *self._idle]:
            run.close()

    def _found(self, node, answer):
        event = self.event[node]
        run = self._stopped.pop(node, None)
        if run:
            return self._new(node, answer, event, run, run.resume(self._answers.get(answer)))
        run = self._run()
        return self._new(node, answer, event, run, run.begin(self._events.get(event), self._until(node, answer)))

    def _run(self):
        if self._idle:
            return self._idle.pop()
        if len(self._stopped) < MOST_RUNS:
            return Run(self._policy)
        # The one that was stopped first.
        run = self._stopped.pop(next(iter(self._stopped)))
        run.abandon()
        return run

    def _new(self, node, answer, event, run, found):
        if isinstance(found, BaseException):
            raise found
        number, is_end = len(self._from), isinstance(found, End)
        self._from.append((node, answer))
        self.event.append(event)
        self.end.append(found if is_end else None)
        self.request.append(-1 if is_end else self._requests.number(found, found.identity))
        if is_end:
            self._idle.append(run)
        else:
            self._stopped[number] = run
        return number

    def _until(self, node, answer):
        """Return all answers that lead to a node and the next one; the step to the root has none."""
        numbers = [answer]
        while node:
            node, number = self._from[node]
            numbers.append(number)
        return [self._answers.get(number) for number in numbers[-2::-1]]
