"""Why the two sides of a key differ, from what is known of the key and of its mirror."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from tasks.mirror_check.comparison import is_recorded
from tasks.mirror_check.findings import Aspect, Finding, Sign
from tasks.object_clerk import checksums

# The storage classes whose objects cannot be read until they are restored.
ARCHIVE_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})


class Cause(Enum):
    """Why two sides differ.

    Attributes:
        WAITING: a message about the key may still come.
        DEAD_LETTER: its message is a dead letter.
        EXCLUDED: the mirror's rule or policy leaves it out, so it is no difference.
        ARCHIVED: the source cannot be read.
        HALF_UPLOADED: a multipart upload of it is open at the destination.
        NEVER_SEEN: the mirror has no record of this state of the source, and no message is left.
        OTHER_WRITER: the destination is not what the mirror made.
        DAMAGED: the bytes differ, and the ETags say that they are equal.
        NOT_CARRIED: the mirror does not carry this part of an object, so it is no difference.
        UNKNOWN: the sides could not be compared.
    """

    WAITING = "waiting"
    DEAD_LETTER = "dead letter"
    EXCLUDED = "excluded"
    ARCHIVED = "archived"
    HALF_UPLOADED = "half uploaded"
    NEVER_SEEN = "never seen"
    OTHER_WRITER = "other writer"
    DAMAGED = "damaged"
    NOT_CARRIED = "not carried"
    UNKNOWN = "unknown"

    @property
    def is_expected(self) -> bool:
        """Whether the mirror is meant to differ so."""
        return self in (Cause.EXCLUDED, Cause.NOT_CARRIED)


class Why(NamedTuple):
    """A cause, and a clause that says how it is known."""

    cause: Cause
    detail: str


@dataclass(frozen=True)
class Circumstances:  # pylint: disable=too-many-instance-attributes  # one for each fact that a rule asks for
    """What is known of a mirror as a whole.

    Attributes:
        prefixes: the beginnings of the keys that are mirrored; none means all keys.
        keeps_deleted: a removal at the source leaves the destination as it is: DELETES=keep.
        keeps_versions: a version that is removed for good stays at the destination: VERSION_DELETES=keep.
        carries_annotations: annotations are mirrored.
        waiting: the number of messages in the mirror's work queues.
        dead: key -> the reason of its dead letter.
        uploads: the keys with an open multipart upload at the destination.
        settled_before: an older change has no event that is still on its way.
    """

    prefixes: tuple[str, ...] = ()
    keeps_deleted: bool = False
    keeps_versions: bool = True
    carries_annotations: bool = True
    waiting: int = 0
    dead: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    uploads: frozenset[str] = frozenset()
    settled_before: datetime | None = None


def cause_of(finding: Finding, about: Circumstances) -> Why:
    """Return why the sides of a key differ: the first rule that applies."""
    return _left_out(finding, about) or _damaged(finding) or _on_its_way(finding, about) or _left_alone(finding)


# pylint: disable-next=too-many-return-statements  # a list of rules
def _left_out(finding: Finding, about: Circumstances) -> Why | None:
    """Return the cause if the mirror cannot carry it, or does not on purpose."""
    source = finding.pair.source
    if about.prefixes and not finding.key.startswith(about.prefixes):
        return Why(Cause.EXCLUDED, "the rule of the mirror selects other prefixes")
    if finding.verdict.sign is Sign.UNKNOWN:
        return Why(Cause.UNKNOWN, "")
    if finding.verdict.aspect is Aspect.OLD_EXTRAS and about.keeps_versions:
        return Why(Cause.EXCLUDED, "the mirror keeps what was removed at the source")
    if finding.verdict.aspect is Aspect.ANNOTATIONS and not about.carries_annotations:
        return Why(Cause.NOT_CARRIED, "ANNOTATIONS is ignore")
    if source is None or source.is_marker:
        if finding.state and about.keeps_deleted:
            return Why(Cause.EXCLUDED, "DELETES is keep")
    elif source.storage_class in ARCHIVE_CLASSES and not _is_mirrored(finding):
        return Why(Cause.ARCHIVED, f"its storage class is {source.storage_class}: it can be read once it is restored")
    return None


def _damaged(finding: Finding) -> Why | None:
    """Return the cause if the mirror takes other bytes for equal: then no message changes anything."""
    source, destination = finding.pair
    if source is None or destination is None or finding.verdict.aspect is not Aspect.BYTES:
        return None
    if source.etag == destination.etag:
        return Why(Cause.DAMAGED, "both have the same ETag")
    is_known = is_recorded(source, destination, finding.state)
    return Why(Cause.DAMAGED, "both ETags are those that the mirror recorded") if is_known else None


def _on_its_way(finding: Finding, about: Circumstances) -> Why | None:
    """Return the cause if a message about the key exists, or may come."""
    if finding.key in about.dead:
        return Why(Cause.DEAD_LETTER, about.dead[finding.key])
    if finding.key in about.uploads or (finding.state and finding.state.open.upload):
        return Why(Cause.HALF_UPLOADED, "a multipart upload is open at the destination")
    if about.waiting:
        return Why(Cause.WAITING, f"messages in the queues of the mirror: {about.waiting}")
    source = finding.pair.source
    if source and is_recent(finding, about):
        return Why(Cause.WAITING, f"it changed at {source.modified}, so its event may be on its way")
    return None


def is_recent(finding: Finding, about: Circumstances) -> bool:
    """Return whether the source changed so lately that its event may still be on its way."""
    source = finding.pair.source
    return source is not None and about.settled_before is not None and source.changed > about.settled_before


def _left_alone(finding: Finding) -> Why:
    """Return the cause if no message about the key is left."""
    (source, destination), state = finding.pair, finding.state
    if finding.verdict.aspect is Aspect.LOST_VERSIONS:
        return Why(Cause.OTHER_WRITER, "the mirror made it, and it was removed at the destination")
    if source is None:
        return _of_extra(finding)
    if state is None or not _is_mirrored(finding):
        return Why(Cause.NEVER_SEEN, "nothing is recorded of this state of the source")
    if destination is None:
        return Why(Cause.OTHER_WRITER, "the mirror made it, and it was removed at the destination")
    if is_recorded(source, destination, state):
        return Why(Cause.NEVER_SEEN, "a change of what goes with its bytes was not seen, or is of another writer")
    return Why(Cause.OTHER_WRITER, "the mirror made another object there")


def _of_extra(finding: Finding) -> Why:
    """Return the cause of an object that only the destination has."""
    destination, state = finding.pair.destination, finding.state
    if state is None or not destination or checksums.bare(state.replica.etag) != destination.etag:
        return Why(Cause.OTHER_WRITER, "the mirror has no record that it made it")
    return Why(Cause.NEVER_SEEN, "the mirror made it, and no event of its removal at the source was seen")


def _is_mirrored(finding: Finding) -> bool:
    """Return whether the mirror recorded this state of the source."""
    source, state = finding.pair.source, finding.state
    if source is None or state is None:
        return False
    return (checksums.bare(state.origin.etag) or "") == source.etag
