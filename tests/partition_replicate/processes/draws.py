"""The random choices of a history: its setting, its changes, its deliveries and their faults."""

import random
from typing import NamedTuple

from tasks.partition_replicate.settings import ALL, CURRENT, KEEP, MIRROR
from tests.partition_replicate.processes.messages import TIMEOUT, Delivery
from tests.support.network import Fault

KEYS = ("a", "é ü")


class Setting(NamedTuple):
    """What the buckets keep, "versions" or "plain", and the settings of the task."""

    source: str
    mirror: str
    versions: str
    version_deletes: str
    deletes: str


# The numbers here and below are weights: how likely each choice is.
SETTINGS = {
    Setting("versions", "versions", ALL, KEEP, MIRROR): 5,
    Setting("versions", "versions", ALL, MIRROR, MIRROR): 5,
    Setting("versions", "versions", ALL, KEEP, KEEP): 1,
    Setting("versions", "versions", CURRENT, KEEP, MIRROR): 2,
    Setting("versions", "plain", CURRENT, KEEP, MIRROR): 2,
    Setting("plain", "versions", CURRENT, KEEP, MIRROR): 2,
    Setting("plain", "plain", CURRENT, KEEP, MIRROR): 4,
    Setting("plain", "plain", CURRENT, KEEP, KEEP): 1,
}
STEPS = {"change": 6, "deliver": 6, "land": 1, "lose a write": 1}
# The change before a held write, and the change after it, so that the write's condition may hold again.
BEFORE_A_LOSS = {"put": 3, "put_parts": 1, "describe": 1, "delete": 1, "tag": 1}
AFTER_A_LOSS = {"delete": 3, "put": 2, "describe": 2, "put_equal": 1, "tag": 1}
CHANGES = {
    "put": 6,
    "put_equal": 2,
    "describe": 2,
    "put_parts": 2,
    "tag": 2,
    "untag": 1,
    "delete": 4,
    "restore_older_version": 1,
    "remove_newest_version_for_good": 1,
    "remove_older_version_for_good": 1,
}
FAULTS = {
    "held": 6,
    "lost": 3,
    "failed": 3,
    "cut": 2,
    "torn": 1,
    "reset": 1,
    "refused": 1,
    "killed after": 5,
    "killed soon": 4,
    "killed before": 2,
    "killed and held": 3,
}
# The share of calm histories: no worker is killed and no answer to a write is lost, but workers meet more often. After
# a calm history the mirror is right without any recheck.
CALM = 0.2
CALM_FAULTS = {"reset": 1, "refused": 1}
STATUSES = (500, 502, 503, 504)
# Time-outs that end in the middle of the work: the task keeps five seconds for its answer.
SHORT = (5.005, 5.06)


class Draws:
    """The choices of one history.

    Args:
        name: the seed; equal names give equal choices.

    Attributes:
        setting: the `Setting` of the history.
        is_calm: whether the history is calm; the history sets it to False before its last deliveries.
    """

    def __init__(self, name):
        self._dice = random.Random(name)
        self.setting = self._chosen(SETTINGS)
        self.is_calm = self._dice.random() < CALM

    def _chosen(self, weights):
        return self._dice.choices(list(weights), list(weights.values()))[0]

    def number_of_steps(self):
        return self._dice.randint(6, 10)

    def step(self):
        """Return a name from `STEPS` and a key."""
        return self._chosen(STEPS), self._dice.choice(KEYS[: self._dice.choice((1, 1, 2))])

    def change(self, weights):
        """Return a name from `CHANGES`, by weights such as `BEFORE_A_LOSS`."""
        return self._chosen(weights)

    def content(self):
        """Return a number from 0 to 1 that determines the bytes of a change."""
        return self._dice.random()

    def number_of_deliveries(self):
        """Return how many deliveries take place at the same time."""
        return self._dice.choice((2, 2, 3) if self.is_calm else (1, 1, 1, 2, 2, 3))

    def shuffle(self, messages):
        self._dice.shuffle(messages)

    def delivery(self, deliverable, change, waits):
        """Return a batch and its faults.

        Args:
            deliverable: the messages to choose from, the oldest first; the newest is the likeliest.
            change: called with a key, a name from `CHANGES` and a content, to change the source meanwhile.
            waits: whether a request waits, so that parallel deliveries meet.
        """
        dice = self._dice
        number = min(len(deliverable), dice.choice((1, 1, 1, 2, 3)))
        messages = list(dict.fromkeys(dice.choice((deliverable[-1], dice.choice(deliverable))) for _ in range(number)))
        seconds = dice.uniform(*SHORT) if dice.random() < 0.07 else TIMEOUT
        keeps = [message for message in messages if dice.random() < 0.15]
        plan = self._plan(change)
        if waits:
            # About as long as another delivery takes.
            which = dice.choice((("any", dice.randint(3, 9)), ("write", 1)))
            plan.setdefault(which, Fault(wait=dice.uniform(0.0, 0.05)))
        return Delivery(messages, plan, seconds, keeps)

    def _plan(self, change):
        plan = dict(self._fault() for _ in range(self._dice.choice((0, 1, 1, 1, 2, 3))))
        if self._dice.random() < 0.4:
            key, name, content = self._dice.choice(KEYS), self.change(CHANGES), self.content()
            meanwhile = Fault(first=lambda: change(key, name, content))
            plan["any", self._dice.randint(2, 8)] = meanwhile
        return plan

    def _fault(self):
        kind = self._chosen(CALM_FAULTS if self.is_calm else FAULTS)
        which = ("write", self._dice.choice((1, 1, 1, 2, 3)))
        if self._dice.random() < 0.4:
            which = ("any", self._dice.randint(1, 12))
            # A held or torn read changes nothing at the server.
            kind = "reset" if kind in ("held", "torn") else kind
        lands_after = self._dice.choice((None, None, 0, 1, 2))
        wait = self._dice.choice((0, 0, 0.005))
        return which, Fault(kind, self._dice.choice(STATUSES), self._dice.random(), lands_after, wait=wait)
