"""One key, and what was found out about it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from tasks.mirror_check.pages import Listed
from tasks.utils.key_state import KeyState


class Sign(Enum):
    """How the two sides of a key compare, in the signs of `rclone check --combined`.

    https://rclone.org/commands/rclone_check/
    """

    EQUAL = "="
    EXTRA = "-"
    MISSING = "+"
    DIFFERENT = "*"
    UNKNOWN = "!"

    @property
    def word(self) -> str:
        """The sign as a word."""
        return self.name.lower()


class Aspect(Enum):
    """What of a key differs.

    Attributes:
        STATE: its current object, or its history in another way than the next ones.
        BYTES: the bytes, which were read or whose checksums were computed.
        ANNOTATIONS: annotations only.
        OLD_EXTRAS: older versions only, which the source does not have.
        LOST_VERSIONS: versions that the mirror made and that the destination does not have any more.
    """

    STATE = "state"
    BYTES = "bytes"
    ANNOTATIONS = "annotations"
    OLD_EXTRAS = "old extras"
    LOST_VERSIONS = "lost versions"


class Verdict(NamedTuple):
    """How two objects compare.

    Attributes:
        sign: the sign.
        reason: what differs, or why they could not be compared; "" if they are equal.
        is_error: whether a request failed.
        aspect: what differs.
    """

    sign: Sign
    reason: str = ""
    is_error: bool = False
    aspect: Aspect = Aspect.STATE


EQUAL = Verdict(Sign.EQUAL)


class Pair(NamedTuple):
    """A key as both sides list it.

    Attributes:
        source: the source's entry, or None.
        destination: the destination's entry, or None.
    """

    source: Listed | None
    destination: Listed | None

    @property
    def key(self) -> str:
        """The key."""
        return (self.source or self.destination or Listed("")).key


class Finding(NamedTuple):
    """A key that is not equal, or whose equality took more than the listings.

    Attributes:
        pair: the key as both sides list it.
        verdict: how they compare.
        state: the mirror's record of the key; None if there is none, or no table.
    """

    pair: Pair
    verdict: Verdict
    state: KeyState | None = None

    @property
    def key(self) -> str:
        """The key."""
        return self.pair.key
