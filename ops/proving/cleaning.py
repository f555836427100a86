"""The removal of what a run made."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ops.proving.canary import is_stale
from ops.proving.side import Side

# The stack repeats the removals at the source, and may write delete markers to the destination meanwhile. So the
# buckets are emptied until they stay empty for so many looks, and no message waits.
QUIET_LOOKS = 3
# A queue that other work fills is never empty.
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Places:
    """Where a run leaves objects.

    Attributes:
        sides: the buckets; sources come first.
        waiting: says how many messages wait in the queues of the stack.
    """

    sides: Sequence[Side]
    waiting: Callable[[], int]

    def leftovers(self, base: str, now: datetime) -> list[str]:
        """Return the prefixes of earlier runs that were killed."""
        runs = {run for side in self.sides for run in side.runs(base)}
        return [f"{base}{run}/" for run in sorted(runs) if is_stale(run, now)]

    def clean(self, prefix: str, *, pause: float) -> int:
        """Remove everything under a prefix; return how much could not be removed.

        Args:
            prefix: the prefix of a run.
            pause: seconds between two looks.
        """
        deadline, quiet = time.monotonic() + PATIENCE_SECONDS, 0
        while quiet < QUIET_LOOKS and time.monotonic() < deadline:
            removed = sum(side.remove_all(prefix) for side in self.sides)
            quiet = 0 if removed or self.waiting() else quiet + 1
            time.sleep(pause if quiet < QUIET_LOOKS else 0)
        return sum(side.remove_all(prefix) for side in self.sides) and self._left(prefix)

    def _left(self, prefix: str) -> int:
        return sum(1 for side in self.sides for _ in side.versions(prefix))
