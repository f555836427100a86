"""One run: its id, its prefix, and the options of the command."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# What a run of this age left is removed by the next one.
STALE = timedelta(hours=1)
FORM = "%Y%m%dT%H%M%SZ"
ID = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}")


def new_id(now: datetime) -> str:
    """Return the id of a run, which contains its time."""
    return f"{now.astimezone(UTC).strftime(FORM)}-{secrets.token_hex(3)}"


def is_stale(run: str, now: datetime) -> bool:
    """Return whether an id belongs to a run that has ended by now."""
    found = ID.fullmatch(run)
    return bool(found and now - datetime.strptime(found[1], FORM).replace(tzinfo=UTC) > STALE)


@dataclass(frozen=True)
class Canary:
    """One run.

    Attributes:
        id: its id.
        base: the prefix of all runs, such as `brigade-prove/`.
        objects: how many small objects it mirrors beside the odd ones.
        large: bytes of the large object.
        restore: whether an object is really restored from Glacier.
        notify: whether issues, e-mails and webhook calls about the uploads are welcome.
    """

    id: str
    base: str = "brigade-prove/"
    objects: int = 25
    large: int = 40_000_000
    restore: bool = False
    notify: bool = False

    @property
    def prefix(self) -> str:
        """The prefix of its keys."""
        return f"{self.base}{self.id}/"
