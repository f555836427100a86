"""What is proven: promises, each with the objects that it is proven with."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tasks.utils.s3_object import printable

OK, FAILED, SKIPPED = "ok", "failed", "skipped"
# Objects that are looked at in parallel.
WORKERS = 8
# A reason names so many objects.
NAMED = 3


@dataclass
class Subject:
    """An object, or a set of files, that passes through the stack.

    Attributes:
        name: its key.
        steps: what is done to it, one after the other; the next step is done when the one before has arrived.
        difference: says how the destination differs from what is promised, or nothing.
        latencies: seconds from the end of each step until it had arrived.
        last: the last difference.
    """

    name: str
    steps: list[Callable[[], object]]
    difference: Callable[[], str]
    latencies: list[float] = field(default_factory=list)
    last: str = "it was not looked at"
    _since: float = 0

    @property
    def is_done(self) -> bool:
        """Whether all steps have arrived."""
        return not self.last

    def act(self) -> None:
        """Do the next step."""
        self.steps.pop(0)()
        self._since = time.monotonic()

    def look(self) -> None:
        """Look whether the step has arrived; if so, do the next one."""
        self.last = self.difference()
        if not self.last:
            self.latencies.append(time.monotonic() - self._since)
            if self.steps:
                self.last = "its next step has not arrived"
                self.act()


@dataclass
class Promise:
    """A promise of a task.

    Attributes:
        task: the task.
        text: the promise as a sentence.
        subjects: what it is proven with.
        skipped: why it is not proven, or nothing.
        note: how it is proven, if that needs to be said.
    """

    task: str
    text: str
    subjects: Sequence[Subject] = ()
    skipped: str = ""
    note: str = ""

    @property
    def outcome(self) -> str:
        """`ok`, `failed` or `skipped`."""
        if self.skipped:
            return SKIPPED
        return OK if all(subject.is_done for subject in self.subjects) else FAILED

    @property
    def reason(self) -> str:
        """Why it is not proven, or nothing."""
        late = [subject for subject in self.subjects if not subject.is_done]
        if self.skipped or not late:
            return self.skipped
        named = "; ".join(f"{printable(subject.name)}: {subject.last}" for subject in late[:NAMED])
        more = f"; and {len(late) - NAMED} more" if len(late) > NAMED else ""
        return f"{len(late)} of {len(self.subjects)} did not arrive: {named}{more}"

    @property
    def latencies(self) -> list[float]:
        """All latencies."""
        return [seconds for subject in self.subjects for seconds in subject.latencies]

    @property
    def times(self) -> tuple[float, float] | None:
        """The median and the longest latency, or None."""
        return (statistics.median(self.latencies), max(self.latencies)) if self.latencies else None


def prove(promises: Sequence[Promise], *, seconds: float, pause: float, on_done: Callable[[int], None]) -> None:
    """Do what the promises need, and wait until everything has arrived or the time is up.

    Args:
        promises: the promises.
        seconds: how long to wait.
        pause: seconds between two looks.
        on_done: called with how many subjects are done.

    Raises:
        ClientError: AWS refuses something, so nothing can be proven.
    """
    subjects = [subject for promise in promises if not promise.skipped for subject in promise.subjects]
    deadline = time.monotonic() + seconds
    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(Subject.act, subjects))
        for pending in _pending(subjects, deadline):
            list(workers.map(Subject.look, pending))
            on_done(len(subjects) - sum(not subject.is_done for subject in subjects))
            time.sleep(pause if any(not subject.is_done for subject in pending) else 0)


def _pending(subjects: Sequence[Subject], deadline: float) -> Iterator[list[Subject]]:
    while (pending := [subject for subject in subjects if not subject.is_done]) and time.monotonic() < deadline:
        yield pending
