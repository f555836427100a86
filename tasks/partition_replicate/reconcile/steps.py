"""What a worker can do next with a key.

A step is one observation, one write or one record, and says all that its performance needs beside the snapshot. The
attribute `replaces` of a write is its precondition: the ETag that the destination must have, or "" for nothing there.

Steps are named tuples: so many frozen dataclasses would make a cold start 25 ms longer.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tasks.object_clerk.versions import Version
from tasks.partition_replicate.outcome import Action
from tasks.utils.key_state import KeyState, ReplicaVersion, VersionRow
from tasks.utils.s3_object import S3Object


class _Bare(NamedTuple):
    """A step without attributes, which would be an empty tuple and so false."""

    def __bool__(self) -> bool:
        return True


# Reads of the table.


class ReadState(_Bare):
    """Read the key row."""

    __slots__ = ()


class ReadRecords(_Bare):
    """Read all rows of the key."""

    __slots__ = ()


class ReadVersionRow(NamedTuple):
    """Read the row of one source version."""

    version: str


# Observations of the source.


class ObserveSource(NamedTuple):
    """Observe the newest state of the source; with its bytes if `most` is given and they are no more."""

    most: int | None = None


class ObserveVersion(NamedTuple):
    """Observe one version of the source, with its bytes if it is small.

    An archived version is left out if it `may_be_archived`; else it is an error.
    """

    version: Version
    may_be_archived: bool


class ObserveTags(NamedTuple):
    """Observe the tags of one source version, or of the replica that was made from it."""

    version: str
    replica: ReplicaVersion | None = None


class CheckGone(NamedTuple):
    """Observe whether the source has a version, or a delete marker, no more."""

    version: str
    is_marker: bool


class ListSource(NamedTuple):
    """List the source's versions back to one that the table knows, or all of them if `whole`."""

    whole: bool = False


# Observations of the destination.


class ObserveDestination(NamedTuple):
    """Observe the newest state of the destination; `with_tags` even if it counts no tags."""

    with_tags: bool = False


class ObserveNewest(_Bare):
    """Observe which version of the destination is the newest."""

    __slots__ = ()


class ObserveDestinationTags(_Bare):
    """Observe the tags of the destination, which did not count any: some servers never do."""

    __slots__ = ()


class ObserveReplica(NamedTuple):
    """Observe one version of the destination; `with_tags` even if it counts no tags."""

    version: str
    with_tags: bool = False


class ListDestination(NamedTuple):
    """List the destination's versions back to a tracked one, or all of them if `whole`."""

    whole: bool = False


# Writes to the destination.


class Copy(NamedTuple):
    """Write the observed state of the source."""

    replaces: str


class CopyVersion(NamedTuple):
    """Write the observed version of the source.

    It is sent `once` if its precondition would hold again after the write: then a lost answer is a lost race.
    """

    version: Version
    replaces: str
    once: bool
    may_be_archived: bool


class Delete(NamedTuple):
    """Delete the destination's object, or hide it by a delete marker if its bucket keeps versions."""

    replaces: str


class PutMarker(NamedTuple):
    """Put a delete marker for one of the source; without a precondition (None) over another marker, or over nothing."""

    replaces: str | None
    once: bool


class PutTags(NamedTuple):
    """Replace the tags of the destination, or of one version of it."""

    tags: Mapping[str, str]
    version: str | None


class Retag(NamedTuple):
    """Replace the tags of a replica, and record them."""

    row: VersionRow
    action: Action | None


class CarryAnnotations(NamedTuple):
    """Make the annotations of a replica those of its source.

    Attributes:
        source: the pinned source.
        replica: the replica.
        is_fresh: it was written just now, so it has none yet.
        compares: it may have annotations though the source has none.
        action: the word for it, if any had to be put or deleted.
        may_be_gone: one of the two may have been removed for good, which is no lost race.
    """

    source: S3Object
    replica: ReplicaVersion
    is_fresh: bool
    compares: bool
    action: Action | None = Action.ANNOTATED
    may_be_gone: bool = False


class RemoveVersion(NamedTuple):
    """Remove a replica version for good, unless Object Lock keeps it; `source` is the version it was made from."""

    source: str
    replica: str
    action: Action | None


class Undo(NamedTuple):
    """Remove untracked versions for good: each is recorded as a pending delete before, and no more after that."""

    versions: tuple[str, ...]
    source_is_gone: bool = False


class AbandonUpload(_Bare):
    """Abort the multipart upload that the key state names, and forget it."""

    __slots__ = ()


class SweepUploads(_Bare):
    """Abort the key's uploads that the key state does not name: the answers to their beginning were lost."""

    __slots__ = ()


# Writes to the table.


class RecordState(NamedTuple):
    """Write the key row. If it is not `required`, another worker's row stays: it says as much."""

    state: KeyState
    required: bool = False


class RecordRemoval(NamedTuple):
    """Record that the removal of the source was reported, before the destination is observed or deleted."""

    state: KeyState


class RecordVersion(NamedTuple):
    """Record what was made from a source version, together with the key row.

    Attributes:
        row: the version row.
        state: the key state.
        action: the word for it if this work wrote the replica, else None.
        reason: why the version was left out, or "".
        not_carried: what the replica does not have of its source; None leaves that as it was.
    """

    row: VersionRow
    state: KeyState
    action: Action | None = None
    reason: str = ""
    not_carried: tuple[str, ...] | None = None


class ForgetState(_Bare):
    """Delete the key row."""

    __slots__ = ()


class ForgetVersion(NamedTuple):
    """Delete a version row, or replace it by the ETag of a copy that may still arrive.

    Attributes:
        version: the source version.
        gone_etag: the ETag, or "".
        replica: the replica version that the row names, "" if there is no row.
    """

    version: str
    gone_etag: str = ""
    replica: str = ""


# Steps without a request.


class StartRound(NamedTuple):
    """Forget what was observed, and observe again; with VERSIONS=all `careful` lists both sides from now on."""

    careful: bool = False


class Settle(NamedTuple):
    """Go on to what the event says about one version: the newest versions of both sides belong together."""

    action: Action | None = None
    reason: str = ""


class Done(NamedTuple):
    """End the work.

    Attributes:
        action: the word for it.
        reason: why there was nothing to do, or "".
        version: the version of the destination, or "".
        not_carried: what the destination does not have of its source.
    """

    action: Action
    reason: str = ""
    version: str = ""
    not_carried: tuple[str, ...] = ()


class GiveUp(NamedTuple):
    """End the work with an error after which it is tried again later; a contradiction of a server is `stuck`."""

    reason: str
    operation: str = "replicate"
    stuck: bool = False


Step = (
    ReadState
    | ReadRecords
    | ReadVersionRow
    | ObserveSource
    | ObserveVersion
    | ObserveTags
    | CheckGone
    | ListSource
    | ObserveDestination
    | ObserveNewest
    | ObserveDestinationTags
    | ObserveReplica
    | ListDestination
    | Copy
    | CopyVersion
    | Delete
    | PutMarker
    | PutTags
    | Retag
    | CarryAnnotations
    | RemoveVersion
    | Undo
    | AbandonUpload
    | SweepUploads
    | RecordState
    | RecordRemoval
    | RecordVersion
    | ForgetState
    | ForgetVersion
    | StartRound
    | Settle
    | Done
    | GiveUp
)
