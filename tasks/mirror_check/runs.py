"""A run of the check: how far it has come, and what it has found. Each of its messages holds all of that.

A message names the ranges of keys that are left, and the totals of those that are done. So a message that is delivered
again checks the same keys again, and counts nothing twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tasks.mirror_check.key_ranges import KeyRange
from tasks.utils.errors import EventError

# The message of the schedule names the run by its time; SQS takes these characters in the id of a message.
NAME = re.compile(r"[A-Za-z0-9:.+-]{1,64}")

EXAMPLE = '{"run": "2026-06-01T12:00:00Z"}'


@dataclass(frozen=True)
class Totals:
    """What a run has found so far.

    Attributes:
        keys: keys that were compared.
        different: keys that differ and need a repair or a person.
        repaired: keys that were sent to the mirror's queue.
    """

    keys: int = 0
    different: int = 0
    repaired: int = 0

    def plus(self, *, keys: int = 0, different: int = 0, repaired: int = 0) -> Totals:
        """Return the totals after more keys."""
        return Totals(self.keys + keys, self.different + different, self.repaired + repaired)


def all_keys() -> tuple[KeyRange, ...]:
    """Return the range of all keys; a new one, because a worker that shares a range cuts it."""
    return (KeyRange(),)


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        name: its name.
        prefixes: the beginnings of the keys that are left; those of the first one are being checked.
        ranges: what is left of the first one.
        totals: what was found so far.
        step: the number of messages before this one.
    """

    name: str
    prefixes: tuple[str, ...]
    ranges: tuple[KeyRange, ...] = field(default_factory=all_keys)
    totals: Totals = Totals()
    step: int = 0

    @property
    def is_over(self) -> bool:
        """Whether all keys were checked."""
        return not self.prefixes

    @property
    def id(self) -> str:
        """The id of its message: a repeated part of the run sends the same one."""
        return f"{self.name}-{self.step}"

    @property
    def body(self) -> str:
        """The text of its message."""
        ranges = [[each.after, each.last] for each in self.ranges]
        about = {"run": self.name, "step": self.step, "prefixes": self.prefixes, "ranges": ranges}
        # JSON in ASCII: SQS refuses most control characters, and a key may hold them.
        return json.dumps({**about, "totals": asdict(self.totals)})

    @classmethod
    def of(cls, body: Any, *, prefixes: Sequence[str]) -> Run:
        """Return the run that a message describes.

        Args:
            body: the decoded message; that of the schedule has only a name.
            prefixes: the beginnings of the keys of a new run.

        Raises:
            EventError: it describes none.
        """
        name = body.get("run") if isinstance(body, dict) else None
        if not (isinstance(name, str) and NAME.fullmatch(name)):
            raise EventError(f"a message of mirror_check names its run, for example {EXAMPLE}")
        if "ranges" not in body:
            return cls(name, separate(prefixes))
        try:
            left = _texts(body["prefixes"]), _ranges(body["ranges"])
            return cls(name, *left, _totals(body["totals"]), int(body["step"]))
        except (KeyError, TypeError, ValueError) as error:
            raise EventError(f"the message of the run {name} is damaged: start a new one with {EXAMPLE}") from error

    def after(self, rest: Sequence[KeyRange], totals: Totals) -> Run:
        """Return the run after a part of it.

        Args:
            rest: what is left of the first prefix.
            totals: what was found so far.
        """
        prefixes, ranges = (self.prefixes, tuple(rest)) if rest else (self.prefixes[1:], all_keys())
        return Run(self.name, prefixes, ranges, totals, self.step + 1)


def separate(prefixes: Sequence[str]) -> tuple[str, ...]:
    """Return prefixes without those that begin with another one; without any, the empty one, which all keys have."""
    found: list[str] = []
    for prefix in sorted(prefixes) or [""]:
        if not (found and prefix.startswith(found[-1])):
            found.append(prefix)
    return tuple(found)


def _texts(values: Any) -> tuple[str, ...]:
    if not (isinstance(values, list) and values and all(isinstance(value, str) for value in values)):
        raise ValueError("no list of texts")
    return tuple(values)


def _ranges(values: Any) -> tuple[KeyRange, ...]:
    ranges = tuple(KeyRange(after, last) for after, last in values)
    if not ranges or not all(isinstance(each.after, str) and isinstance(each.last, str | None) for each in ranges):
        raise ValueError("no ranges")
    return ranges


def _totals(values: Mapping[str, Any]) -> Totals:
    return Totals(**{name: int(value) for name, value in values.items()})
