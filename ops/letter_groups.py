"""Dead letters in groups: one for each queue, type of error and reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops.dead_letters import DeadLetter
from ops.spans import age_of


@dataclass
class Group:
    """Dead letters with one reason.

    Attributes:
        first: the first of them that was read.
        count: their number.
        oldest: the time when the oldest was sent.
    """

    first: DeadLetter
    count: int
    oldest: datetime

    @property
    def age(self) -> int:
        """Seconds since the oldest was sent."""
        return age_of(self.oldest)

    @property
    def record(self) -> dict[str, Any]:
        """The group as JSON."""
        queue = self.first.queue
        found = {"task": queue.task, "queue": queue.name, "kind": queue.kind, "type": self.first.error}
        example = {"reason": self.first.shape, "example": self.first.key}
        return {**found, **example, "count": self.count, "oldest_seconds": self.age}


def grouped(letters: Iterable[DeadLetter]) -> list[Group]:
    """Return the dead letters in groups, the largest of each queue first."""
    groups: dict[tuple[str, str, str], Group] = {}
    for letter in letters:
        group = groups.setdefault((letter.queue.url, letter.error, letter.shape), Group(letter, 0, letter.sent))
        group.count += 1
        group.oldest = min(group.oldest, letter.sent)
    return sorted(groups.values(), key=lambda group: (group.first.queue.task, group.first.queue.url, -group.count))
