"""The last sentence on an object: that both sides are equal, or what it waits for."""

from __future__ import annotations

from dataclasses import dataclass

from ops.dead_letters import DeadLetter
from ops.object_sides import Side, Version
from ops.plurals import number_of
from tasks.utils.key_state import KeyState, ReplicaVersion


@dataclass(frozen=True)
class Conclusion:
    """The last sentence.

    Attributes:
        text: the sentence.
        is_done: whether nothing is left to do.
    """

    text: str
    is_done: bool = False


@dataclass(frozen=True)
class Pending:
    """What may still be done about an object.

    Attributes:
        letters: its dead letters.
        messages: the number of messages in the work queues; SQS does not say what they are about.
    """

    letters: tuple[DeadLetter, ...] = ()
    messages: int = 0

    def conclude(self, what: str) -> Conclusion:
        """Return why an object is not done.

        Args:
            what: what is not done yet, as a sentence.
        """
        if self.letters:
            last = max(self.letters, key=lambda letter: letter.sent)
            return Conclusion(f"{what}: a dead letter waits for a redrive, because of {last.error}: {last.reason}")
        if self.messages:
            return Conclusion(f"{what}: the queues hold {number_of(self.messages, 'message')}, maybe about it")
        return Conclusion(f"{what}, and no message waits: the log lines above say what happened last, if anything did")

    def is_done(self, text: str) -> Conclusion:
        """Return that an object is done, unless a dead letter is left."""
        return self.conclude(f"{text}, but not all of its events are done") if self.letters else Conclusion(text, True)


def of_mirror(source: Side, mirror: Side, state: KeyState, pending: Pending) -> Conclusion:
    """Return the conclusion on the current version of a mirrored object."""
    here, there = source.current, mirror.current
    if here is None and there is None:
        return pending.is_done("neither side has a current version, so both are equal")
    if here and there and _is_equal(here, there, state):
        return pending.is_done("both sides are equal")
    if here and here.is_frozen:
        return pending.conclude(f"the source is in {here.storage_class} and cannot be mirrored before it is restored")
    if state.open.upload:
        return pending.conclude("the mirror is not equal yet, and an upload of its parts is under way")
    missing = "the mirror lacks the object" if there is None else "the mirror has an object that the source lacks"
    return pending.conclude("the mirror has other bytes" if here and there else missing)


def of_mirrored_version(version: Version, mirror: Side, replica: ReplicaVersion | None, pending: Pending) -> Conclusion:
    """Return the conclusion on one version of a mirrored object."""
    if replica and mirror.version(replica.version or "null"):
        return pending.is_done(f"the version is mirrored as version {replica.version or 'null'}")
    copy = next((each for each in mirror.versions if each.etag and each.etag == version.etag), None)
    if copy:
        return pending.is_done(f"the mirror has an equal version, {copy.id}")
    return pending.conclude("the version is not mirrored")


def of_archive(source: Side, archive: Side, pending: Pending) -> Conclusion:
    """Return the conclusion on a restored object."""
    here, there = source.current, archive.current
    if there and (here is None or _has_same_bytes(here, there)):
        return pending.is_done(f"the object is archived in {archive.address.bucket}")
    if here is None:
        return pending.conclude("neither the source nor the archive has the object")
    if 'ongoing-request="true"' in here.restore:
        return pending.conclude("the object is not archived, and its restore is under way")
    if here.is_frozen and not pending.letters:
        return Conclusion(
            f"the object is in {here.storage_class}, and no restore was asked for: nothing is to do", True
        )
    return pending.conclude(f"the object is not archived in {archive.address.bucket}")


def of_upload(upload: Side, final: Side, verdict: str, pending: Pending) -> Conclusion:
    """Return the conclusion on an uploaded file.

    Args:
        upload: the upload bucket.
        final: the bucket of published files.
        verdict: the outcome of the set that the upload bucket holds now, or "".
        pending: what may still be done.
    """
    here, there = upload.current, final.current
    if verdict not in ("", "published"):
        return pending.conclude(f"the verdict on its file set is: {verdict}")
    if there and (here is None or _has_same_bytes(here, there)):
        return pending.is_done("the file is published")
    return pending.conclude("the file is not published, and its file set has no verdict")


def _is_equal(here: Version, there: Version, state: KeyState) -> bool:
    recorded = (state.origin.etag.strip('"'), state.replica.etag.strip('"'))
    return here.size == there.size and (here.etag == there.etag or recorded == (here.etag, there.etag))


def _has_same_bytes(here: Version, there: Version) -> bool:
    """Return whether two versions look equal: two copies in parts may have different ETags."""
    both_are_digests = "-" not in f"{here.etag}{there.etag}"
    return here.size == there.size and (here.etag == there.etag or not both_are_digests)
