"""What the settings ask of a plan, and the decisions that both kinds of plan share."""

from __future__ import annotations

from typing import NamedTuple

from tasks.object_clerk.annotations import CARRY, IGNORE, NAME
from tasks.object_clerk.versions import Version
from tasks.partition_replicate.reconcile.object_snapshot import ObjectSnapshot
from tasks.partition_replicate.reconcile.snapshot import Snapshot
from tasks.utils.events import Kind, ObjectEvent
from tasks.utils.key_state import KeyState, has_expired, removal_was_reported
from tasks.utils.mirror_settings import KEEP, MIRROR


class Policy(NamedTuple):
    """What the settings ask for.

    Attributes:
        every_version: each version is mirrored, and not only the newest state.
        deletes: what a removal at the source does: `mirror` or `keep`.
        version_deletes: what the removal of a version for good does: `mirror` or `keep`.
        annotations: `carry` or `ignore`.
    """

    every_version: bool = False
    deletes: str = MIRROR
    version_deletes: str = KEEP
    annotations: str = CARRY

    def reason_to_keep(self, snapshot: Snapshot, state: KeyState) -> str:
        """Return why the destination stays though the source is gone, or "" if the removal has to be mirrored."""
        if has_expired(snapshot.event, state):
            return "the source has expired, the destination stays"
        if not removal_was_reported(snapshot.event, state):
            return "the source is gone; the event of its removal says whether it was meant"
        return "the source was removed, the destination is kept" if self.deletes == KEEP else ""

    def leaves_out(self, snapshot: Snapshot, version: Version) -> bool:
        """Return whether a version is a delete marker that is not mirrored."""
        return version.is_marker and (self.deletes == KEEP or expires(snapshot.event, version))

    def not_carried(self, snapshot: Snapshot, source: ObjectSnapshot) -> tuple[str, ...]:
        """Return the names of what the destination does not have of a source."""
        carried = snapshot.round.annotations
        lacks = self.annotations == IGNORE or (carried is not None and carried.lacking)
        return (*source.not_carried, *((NAME,) if lacks else ()))


def expires(event: ObjectEvent, version: Version) -> bool:
    """Return whether an event reports that the life cycle made this version or delete marker."""
    return event.kind is Kind.LIFECYCLE_EXPIRED and version.id == event.object.version_id


def removed(state: KeyState) -> KeyState:
    """Return a key state that records a reported removal and names no replica any more."""
    empty = KeyState()
    return state._replace(origin=empty.origin, replica=empty.replica, removed=True)
