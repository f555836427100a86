"""What holds in each state and at each write. I1 to I3 are those of docs/invariants.md."""

from tasks.partition_replicate.settings import ALL, CURRENT, MIRROR
from tests.partition_replicate.explorer.changes import REMOVALS
from tests.partition_replicate.explorer.tables import pairs


class Broken(Exception):
    """An invariant does not hold.

    Attributes:
        step: the label of the step that breaks it and the three places after that; None where a state itself does.
    """

    step = None


def check_pairs(policy, source, destination, rows):
    """I1: check that each recorded replica is whole, unless its source version was removed for good.

    Raises:
        Broken: a replica is missing, or has other bytes or metadata.
    """
    for version, pair in pairs(rows).items():
        original, replica = source.find(version), destination.find(pair.replica)
        # A delete marker holds no bytes.
        if not pair.etag or (original is None and policy.version_deletes == MIRROR):
            continue
        if replica is None:
            raise Broken(f"I1: {pair.replica}, recorded as made from {version}, is gone")
        if original and (original.body, original.meta) != (replica.body, replica.meta):
            raise Broken(f"I1: {pair.replica} is recorded as made from {version} and differs from it")


def check_records(policy, before, after, source, destination):
    """I3: check that the table forgets no replica that must go with its source version.

    Args:
        policy: the `Policy`.
        before: the rows before a write.
        after: and after it.
        source: the source's `Bucket`.
        destination: the destination's.

    Raises:
        Broken: the table does not know a replica any more that is still there, so nothing removes it when its source
            version is removed.
    """
    known = pairs(after)
    expired = {change.version for change in source.log if change.name == "expire"}
    for version, pair in pairs(before).items():
        if version in expired:
            # It is forgotten with the event of its expiry; it holds no bytes.
            continue
        if policy.version_deletes == MIRROR and version not in known and destination.find(pair.replica):
            raise Broken(f"I3: the table forgets that {pair.replica} was made from {version}")


def check_write(policy, source, before, after, *, is_late):
    """I1 and I2: check that a write takes away no bytes that must stay.

    Args:
        policy: the `Policy`.
        source: the source's `Bucket`.
        before: the destination's `Bucket` before the write.
        after: and after it.
        is_late: whether a server held the write.

    Raises:
        Broken: bytes are lost, an object was deleted that the source has always had, or an older one came back.
    """
    names = {change.name for change in source.log}
    lost = {entry.body for entry in before.entries} - {entry.body for entry in after.entries} - {""}
    if policy.versions == ALL:
        _check_bytes(source, lost)
    if before.current and not after.current and not _may_delete(policy, names):
        raise Broken("I2: the destination's object is deleted though no removal asked for that")
    is_new = after.made > before.made and not is_late
    if is_new and before.current and after.current and not names & set(REMOVALS):
        if int(after.current.body) < int(before.current.body):
            raise Broken(f"I3: the destination goes back from {before.current.body} to {after.current.body}")


def _check_bytes(source, lost):
    removed = {change.content[0] for change in source.log if change.name in REMOVALS}
    kept = {entry.body for entry in source.entries}
    if lost - kept - removed:
        raise Broken(f"I1: the bytes {sorted(lost - kept - removed)} are at neither side any more")


def _may_delete(policy, names):
    if policy.versions == ALL and names & set(REMOVALS):
        return True
    removals = {"delete", *REMOVALS} if policy.versions == CURRENT else {"delete", "expire"}
    return policy.deletes == MIRROR and bool(names & removals)
