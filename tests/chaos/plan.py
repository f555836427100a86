"""The plan of a run: its changes and its disturbances, from a seed. Equal seeds give equal plans."""

import random
from dataclasses import dataclass

from tests.chaos.changes import (
    ARCHIVE,
    MIRROR,
    POISON,
    POISONS,
    UPLOADS,
    Change,
    changes_of_mirrored,
    changes_of_restored,
    changes_of_set,
)

# The shares of the keys. A set of files counts as one key.
SHARES = {
    MIRROR: (0.7, changes_of_mirrored),
    ARCHIVE: (0.2, changes_of_restored),
    UPLOADS: (0.1, changes_of_set),
}
POISONED = (MIRROR, ARCHIVE, UPLOADS, "recheck")

# Changes between two disturbances.
STEP = 40

# The task whose functions a disturbance waits for, and new keys that give them work.
FUNCTIONS = {"replicate": MIRROR, "enqueue": MIRROR, "archive": ARCHIVE, "validate": UPLOADS}
WORK = 3

# Each of them occurs in every run; a longer run repeats them in a random order.
DISTURBANCES = (
    "kill replicate",
    "slow down",
    "throttle",
    "rotate",
    "kill archive",
    "errors",
    "starve archive",
    "kill enqueue",
    "freeze archive",
    "lost answers",
    "restart",
    "kill validate",
    "starve replicate",
    "freeze replicate",
    "starve validate",
    "freeze validate",
    "rotate late",
)


@dataclass(frozen=True)
class Step:
    """Changes that are made at the same time, those of one key in order, and the disturbance meanwhile."""

    changes: tuple[Change, ...]
    disturbance: str = ""


@dataclass(frozen=True)
class Plan:
    """The plan of a run.

    Attributes:
        seed: the seed.
        steps: the steps, in order.
    """

    seed: str
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, seed, events, keys):
        """Return the plan of a seed, with about so many events on so many keys."""
        chance = random.Random(seed)
        changes = _merged(_histories(events, keys, chance), chance)
        step = min(STEP, max(1, len(changes) // len(DISTURBANCES)))
        parts = [tuple(changes[start : start + step]) for start in range(0, len(changes), step)]
        work = _Work(keys, chance)
        disturbances = _disturbances(len(parts), chance)
        return cls(
            seed, tuple(Step(part + work.before(name), name) for part, name in zip(parts, disturbances, strict=True))
        )

    @property
    def changes(self):
        """All changes, in order."""
        return [change for step in self.steps for change in step.changes]

    def of_task(self, task):
        """Return key -> changes, in order, of one task."""
        found = {}
        for change in self.changes:
            if change.of == task:
                found.setdefault(change.key, []).append(change)
        return found


class _Work:  # pylint: disable=too-few-public-methods  # it counts the keys
    """Changes of new keys, so that the functions of a disturbance are at work."""

    def __init__(self, first, chance):
        self._next = first
        self._chance = chance

    def before(self, disturbance):
        """Return the changes that a disturbance needs; each is the only one of its key."""
        task = FUNCTIONS.get(disturbance.rpartition(" ")[2])
        found = []
        for _ in range(WORK if task else 0):
            found += SHARES[task][1](self._next, 1, self._chance)
            self._next += 1
        return tuple(found)


def _histories(events, keys, chance):
    """Yield lists of changes, each in an order that stays."""
    for share, changes_of in SHARES.values():
        count = max(2, round(keys * share))
        for number in range(count):
            yield changes_of(number, chance.randint(1, 2 * events // keys - 1), chance)
    for queue in POISONED:
        for number in range(max(1, events // 1000)):
            yield [Change(POISON, queue, kind, number) for kind in POISONS]


def _merged(histories, chance):
    """Return the changes of all histories in a random order, each history in its own."""
    drawn = [(chance.random(), history) for history in histories]
    placed = [
        (moment, change)
        for start, history in drawn
        for moment, change in zip(sorted(chance.uniform(start, 1) for _ in history), history, strict=True)
    ]
    return [change for _, change in sorted(placed, key=lambda one: one[0])]


def _disturbances(count, chance):
    """Return a disturbance for each step; each kind occurs before one of them occurs again."""
    found = []
    while len(found) < count:
        round_of_all = list(DISTURBANCES)
        chance.shuffle(round_of_all)
        found += round_of_all
    return found[:count]
