"""With VERSIONS=all: what listings and rows say about the versions of a key, and what rounds did with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from tasks.object_clerk.versions import Version
from tasks.partition_replicate.reconcile.object_snapshot import ObjectSnapshot
from tasks.utils.key_state import Records, ReplicaVersion


class Listing(NamedTuple):
    """The newest versions of one side, back to the first one that the table knows.

    Attributes:
        newest: the newest version, or None.
        unknown: all that are newer than the first known one, the oldest first.
        is_linked: a known version was reached.
        left: those of `unknown` that still have to be handled.
    """

    newest: Version | None
    unknown: tuple[Version, ...]
    is_linked: bool
    left: tuple[Version, ...]

    @classmethod
    def back_to(cls, known: Collection[str], versions: Iterable[Version]) -> Listing:
        """Return the listing of versions, which come newest first, back to the first known one."""
        newest, unknown, is_linked = None, [], False
        for version in versions:
            newest = newest or version
            if version.id in known:
                is_linked = True
                break
            unknown.append(version)
        oldest_first = tuple(reversed(unknown))
        return cls(newest, oldest_first, is_linked, oldest_first)

    def after(self, version: str) -> Listing:
        """Return the listing once a version, and each older one, is handled."""
        ids = [one.id for one in self.left]
        left = self.left[ids.index(version) + 1 :] if version in ids else self.left
        return Listing(self.newest, self.unknown, self.is_linked, left)


class VersionSnapshot(NamedTuple):
    """What is known of one version of the source, and of what was made from it.

    Attributes:
        version: the source's version.
        is_read: its row was read.
        replica: what was made from it, or None.
        is_gone: whether the source has it no more; None if that was not observed.
        is_removed: the replica version was removed for good; False if Object Lock keeps it; None if not tried.
        is_forgotten: its row was deleted, or replaced by the ETag of a copy that may still arrive.
        tags: the source's tags as they were last observed, or None.
        replica_tags: the replica's tags as they were last observed or put, or None.
        retags: how often the replica's tags were put.
        lost: the version or its replica vanished while its tags were mirrored.
    """

    version: str = ""
    is_read: bool = False
    replica: ReplicaVersion | None = None
    is_gone: bool | None = None
    is_removed: bool | None = None
    is_forgotten: bool = False
    tags: Mapping[str, str] | None = None
    replica_tags: Mapping[str, str] | None = None
    retags: int = 0
    lost: bool = False


class SurveyProgress(NamedTuple):
    """What a round did with the listed versions.

    Attributes:
        sorted: an untracked version was adopted or undone, so both sides have to be observed again.
        appended: a new version was handled, so no untracked version is looked at any more.
        wrote_last: the version that was handled last was written, and neither skipped nor gone.
        archived: a version of the source that sleeps in an archive class, or "".
    """

    sorted: bool = False
    appended: bool = False
    wrote_last: bool = False
    archived: str = ""


class Survey(NamedTuple):
    """With VERSIONS=all: what the rows and the listings of this round say about the versions of a key.

    Attributes:
        records: all rows of the key; None if only the key row was read.
        source: the source's listing, or None.
        destination: the destination's listing, or None.
        top: what is, or is recorded as, the newest version of the destination; what is appended replaces it.
        replicas: observed versions of the destination, by version id.
        single: what is known of one version of the source.
        progress: what this round did with the listed versions.
    """

    records: Records | None = None
    source: Listing | None = None
    destination: Listing | None = None
    top: ReplicaVersion = ReplicaVersion()
    replicas: Mapping[str, ObjectSnapshot] = MappingProxyType({})
    single: VersionSnapshot = VersionSnapshot()
    progress: SurveyProgress = SurveyProgress()


class Past(NamedTuple):
    """What earlier rounds leave to the present one. Most of it is for VERSIONS=all.

    Attributes:
        careful: both sides are listed in each round.
        settled: the destination's newest version was made from the source's newest.
        sure: the last thing that was done was to write the newest version.
        listed: what the round before listed as new at the source.
        view: what was listed last on both sides.
        views: how often in a row that was listed.
        staying: untracked versions that Object Lock keeps.
        unrecorded: a version that this worker wrote and has not recorded, or None.
        stale: the source as an earlier round observed it, or None; its bytes are used again if it is still the same.
    """

    careful: bool = False
    settled: bool = False
    sure: bool = False
    listed: tuple[Version, ...] = ()
    view: tuple[Version | None, ...] = ()
    views: int = 0
    staying: frozenset[str] = frozenset()
    unrecorded: ReplicaVersion | None = None
    stale: ObjectSnapshot | None = None
