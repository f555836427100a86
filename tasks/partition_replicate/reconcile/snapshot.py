"""What is known of a key: what was observed on both sides, what the table records, and what this work has done.

A snapshot never changes. Its methods return the snapshot after an observation or a write. They say what stays valid
after that, and decide nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tasks.partition_replicate.outcome import Action
from tasks.partition_replicate.reconcile.object_snapshot import ObjectSnapshot
from tasks.partition_replicate.reconcile.survey import Listing, Past, Survey, VersionSnapshot
from tasks.utils.events import ObjectEvent
from tasks.utils.key_state import KeyState, Records, ReplicaVersion


class CarriedAnnotations(NamedTuple):
    """What became of the annotations of a replica.

    Attributes:
        writes: annotations put or deleted.
        lacking: the source has annotations, and the destination's server does not know any.
    """

    writes: int = 0
    lacking: bool = False


class Round(NamedTuple):
    """What was observed and done since the present round began.

    Attributes:
        number: of this round, from 1.
        replica: what a copy of this round made at the destination, or None.
        changed: this round wrote to the destination, or forgot the key row.
        later: the source as it was observed after the write, or None.
        annotations: the annotations that were carried in this round, or None.
        unrecorded: the destination's ETag that the key state named until this round recorded a removal; None if it
            recorded none.
        past: what earlier rounds leave to this one.
    """

    number: int = 1
    replica: ReplicaVersion | None = None
    changed: bool = False
    later: ObjectSnapshot | None = None
    annotations: CarriedAnnotations | None = None
    unrecorded: str | None = None
    past: Past = Past()


class Progress(NamedTuple):
    """What this work has done so far.

    Attributes:
        action: the word for it.
        size: bytes that were carried.
        carried: versions that were recorded as written by this work.
        reason: why something was left out, or "".
        not_carried: what of the last recorded version the destination does not have.
        is_swept: the uploads of the key whose beginning was not answered were aborted.
    """

    action: Action = Action.EQUAL
    size: int = 0
    carried: int = 0
    reason: str = ""
    not_carried: tuple[str, ...] = ()
    is_swept: bool = False


class Snapshot(NamedTuple):
    """All that a plan goes by.

    Attributes:
        event: the `ObjectEvent` that is worked on.
        state: the key state; None if it was not read, or has to be read again.
        source: the source as this round observed it, or one version of it; None if not observed yet.
        destination: the destination as this round observed it; None if not observed.
        round: what the present round has done, and what earlier ones leave to it.
        progress: what the work has done.
        survey: with VERSIONS=all, what this round knows of the versions.
    """

    event: ObjectEvent
    state: KeyState | None = None
    source: ObjectSnapshot | None = None
    destination: ObjectSnapshot | None = None
    round: Round = Round()
    progress: Progress = Progress()
    survey: Survey = Survey()

    @property
    def past(self) -> Past:
        """What earlier rounds leave to this one."""
        return self.round.past

    # After an observation.

    def with_state(self, state: KeyState) -> Snapshot:
        """Return the snapshot with the key state as it was read or written."""
        survey = self.survey if self.state else self.survey._replace(top=state.replica)
        return self._replace(state=state, survey=survey)

    def with_records(self, state: KeyState, records: Records) -> Snapshot:
        """Return the snapshot with all rows of the key."""
        unrecorded = self.past.unrecorded
        # Another worker recorded the version meanwhile, as made from the same source version or from the next one.
        left = None if unrecorded in records.replicas.values() else unrecorded
        return self._replace(state=state, survey=self.survey._replace(records=records)).with_past(unrecorded=left)

    def with_source(self, found: ObjectSnapshot) -> Snapshot:
        """Return the snapshot with the source as it was observed now."""
        if self.source:
            return self.with_round(later=found)
        # From the second round on, a removal may have been recorded since the key state was read.
        state = None if self.round.number > 1 and not found.found else self.state
        stale = self.past.stale
        return self._replace(source=stale if stale and stale.is_still(found) else found, state=state)

    def with_source_listing(self, listing: Listing) -> Snapshot:
        """Return the snapshot with the newest versions of the source. With care, equal views in a row are counted."""
        past, destination = self.past, self.survey.destination
        listed = self._replace(survey=self.survey._replace(source=listing))
        if not destination:
            return listed
        view = (destination.newest, listing.newest, *destination.unknown, *listing.unknown)
        return listed.with_past(view=view, views=past.views + 1 if view == past.view else 1)

    def with_destination_listing(self, listing: Listing) -> Snapshot:
        """Return the snapshot with the newest versions of the destination."""
        top = ReplicaVersion(listing.newest.id, listing.newest.etag) if listing.newest else ReplicaVersion()
        return self._replace(survey=self.survey._replace(destination=listing, top=top))

    def with_replica(self, version: str, found: ObjectSnapshot) -> Snapshot:
        """Return the snapshot with one version of the destination as it was observed now."""
        return self._replace(survey=self.survey._replace(replicas={**self.survey.replicas, version: found}))

    def with_single(self, single: VersionSnapshot) -> Snapshot:
        """Return the snapshot with what is known of one version of the source."""
        return self._replace(survey=self.survey._replace(single=single))

    # After a write or a record.

    def with_round(self, **changes: object) -> Snapshot:
        """Return the snapshot with changes of its round."""
        return self._replace(round=self.round._replace(**changes))  # type: ignore[arg-type]  # names of its attributes

    def with_past(self, **changes: object) -> Snapshot:
        """Return the snapshot with changes of what a round leaves to the next one."""
        return self.with_round(past=self.past._replace(**changes))  # type: ignore[arg-type]  # names of its attributes

    def did(self, action: Action | None, **changes: object) -> Snapshot:
        """Return the snapshot after an action; tags and annotations of what was replicated are a part of that."""
        before = self.progress.action
        is_part = before is Action.REPLICATED and action in (Action.TAGGED, Action.ANNOTATED)
        kept = before if is_part or not action else action
        progress = self.progress._replace(action=kept, **changes)  # type: ignore[arg-type]  # names of its attributes
        return self._replace(progress=progress)

    def after_version(self, version: str, *, was_written: bool) -> Snapshot:
        """Return the snapshot once a new version of the source was recorded, left out or found gone."""
        listing = self.survey.source
        progress = self.survey.progress._replace(appended=True, wrote_last=was_written)
        left = listing.after(version) if listing else None
        return self._replace(survey=self.survey._replace(source=left, progress=progress))

    def after_adoption(self, version: str, replica: str) -> Snapshot:
        """Return the snapshot once an untracked version was recorded as made from a new version of the source."""
        snapshot = self.after_untracked((replica,))
        listing = self.survey.source
        left = listing.after(version) if listing else None
        return snapshot._replace(survey=snapshot.survey._replace(source=left))

    def after_untracked(self, versions: tuple[str, ...]) -> Snapshot:
        """Return the snapshot once untracked versions were adopted or undone."""
        listing = self.survey.destination
        for version in versions:
            listing = listing.after(version) if listing else None
        progress = self.survey.progress._replace(sorted=True)
        return self._replace(survey=self.survey._replace(destination=listing, progress=progress))

    # Rounds.

    def next_round(self, *, careful: bool = False) -> Snapshot:
        """Return the snapshot of a new round, for which nothing is observed yet."""
        past, survey = self.past, self.survey
        past = past._replace(
            careful=past.careful or careful,
            settled=False,
            sure=past.sure or survey.progress.wrote_last,
            listed=survey.source.unknown if survey.source else (),
            stale=self.source or past.stale,
        )
        return self._replace(
            source=None,
            destination=None,
            round=Round(self.round.number + 1, past=past),
            survey=Survey(top=self.state.replica if self.state else ReplicaVersion()),
        )

    def after_lost_race(self, *, keeps_unrecorded: bool) -> Snapshot:
        """Return the snapshot of a new round after another worker was faster.

        Args:
            keeps_unrecorded: a version that this worker wrote is to be removed, unless another worker records it.
        """
        unrecorded = self.past.unrecorded if keeps_unrecorded else None
        return self.next_round(careful=True).with_past(unrecorded=unrecorded)._replace(state=None)

    def settled(self) -> Snapshot:
        """Return the snapshot once the newest versions of both sides belong together."""
        fresh = Round(self.round.number, past=self.past._replace(settled=True))
        return self._replace(survey=Survey(), round=fresh, source=None, destination=None)

    # What a plan asks for.

    def single(self, version: str) -> VersionSnapshot:
        """Return what is known of one version of the source."""
        known = self.survey.single
        return known if known.version == version else VersionSnapshot(version)

    @property
    def known_versions(self) -> Mapping[str, object]:
        """The source versions at which a listing of the source ends."""
        if self.survey.records:
            return self.survey.records.replicas
        return {self.state.origin.version: None} if self.state else {}

    @property
    def known_replicas(self) -> dict[str, str]:
        """Version id of each tracked version of the destination -> the source version that it was made from."""
        records = self.survey.records
        return {one.version: version for version, one in records.replicas.items() if one} if records else {}
