"""What the table remembers of a key, as values. `mirror_items` turns them into DynamoDB items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tasks.utils.events import Kind, ObjectEvent


class Upload(NamedTuple):
    """A multipart upload that is under way.

    Attributes:
        id: the destination's id of it; "" while only the intent is recorded.
        source: the stamp of the source that it carries: see `ObjectSnapshot.stamp`.
        part_size: bytes of a part.
        crc32: the CRC32 of the whole, known once every part is there, else "".
    """

    id: str
    source: str
    part_size: int
    crc32: str = ""

    def is_of(self, stamp: str) -> bool:
        """Return whether it carries this state of the source and can go on, because its id was recorded."""
        return bool(self.id) and self.source == stamp


class Origin(NamedTuple):
    """The state of the source from which the destination was made.

    Attributes:
        version: its version, "" if the bucket keeps none.
        etag: its ETag, "" for a delete marker.
        skipped: the version was left out on purpose: a delete marker, as a rule.
    """

    version: str = ""
    etag: str = ""
    skipped: bool = False


class ReplicaVersion(NamedTuple):
    """A version of the destination.

    Attributes:
        version: its id, "" if the bucket keeps no versions.
        etag: its ETag, "" for a delete marker.
    """

    version: str = ""
    etag: str = ""

    @classmethod
    def by(cls, answer: Mapping[str, Any]) -> ReplicaVersion:
        """Return the version that an answer of S3 names."""
        return cls(answer.get("VersionId") or "", answer.get("ETag") or "")


class OpenWork(NamedTuple):
    """Work on a key that a worker has begun and not ended.

    Attributes:
        pending_delete: an orphan copy at the destination that is being removed, or "".
        untagged: a source version that was mirrored without its tags, or "".
        upload: the multipart upload under way, or None.
    """

    pending_delete: str = ""
    untagged: str = ""
    upload: Upload | None = None


class Revision(NamedTuple):
    """The revision of a key row, on which each write of the row is conditional.

    Attributes:
        number: grows by 1 with each write; 0 if there is no row, or one that this module did not write.
        stored: the attribute as the table has it, of whatever type, or None.
    """

    number: int = 0
    stored: Mapping[str, Any] | None = None


class KeyState(NamedTuple):
    """What a worker knows of a key: the key row as it was last read or written.

    Attributes:
        origin: the newest state of the source that was mirrored.
        replica: what was made from it.
        removed: an event reported the removal of the source, and that is mirrored.
        annotated: the destination got an annotation at some time, so its annotations are always compared.
        sequencer: the highest sequencer of the events that were handled, or "".
        open: work that was begun and not ended.
        revision: the row's revision.
    """

    origin: Origin = Origin()
    replica: ReplicaVersion = ReplicaVersion()
    removed: bool = False
    annotated: bool = False
    sequencer: str = ""
    open: OpenWork = OpenWork()
    revision: Revision = Revision()

    def with_open(self, **changes: Any) -> KeyState:
        """Return the state with changes of its open work."""
        return self._replace(open=self.open._replace(**changes))


class VersionRow(NamedTuple):
    """A version row.

    Attributes:
        version: the source's version.
        replica: what was made from it; None if it was left out on purpose.
        tags: the tags of the replica version, name -> value.
    """

    version: str
    replica: ReplicaVersion | None
    tags: Mapping[str, str]


class Records(NamedTuple):
    """All rows of a key but the key row.

    Attributes:
        replicas: source version -> what was made from it, None if it was left out on purpose.
        gone: the ETags, without quotes, of replica versions whose source was removed for good.
    """

    replicas: Mapping[str, ReplicaVersion | None]
    gone: frozenset[str]


def removal_was_reported(event: ObjectEvent, state: KeyState) -> bool:
    """Return whether this event or an earlier one reported that the source was removed, and not by its life cycle."""
    if state.removed:
        return True
    # An event older than what was handled reports another removal than the one that emptied the key.
    return event.kind is Kind.REMOVED and not _is_late(event, state)


def has_expired(event: ObjectEvent, state: KeyState) -> bool:
    """Return whether an event reports that the life cycle emptied the key, and no removal after that is recorded."""
    return event.kind is Kind.LIFECYCLE_EXPIRED and not (state.removed and _is_late(event, state))


def latest_sequencer(event: ObjectEvent, state: KeyState) -> str:
    """Return the higher one of two sequencers: the event's and the recorded one."""
    return max(state.sequencer, event.sequencer or "", key=_order)


def _is_late(event: ObjectEvent, state: KeyState) -> bool:
    """Return whether a later event of the key was handled before this one."""
    return bool(event.sequencer) and _order(event.sequencer) < _order(state.sequencer)


def _order(sequencer: str | None) -> str:
    """Return a sequencer in a form that compares: hexadecimal, padded with zeros on the right."""
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    return (sequencer or "").upper().ljust(64, "0")
