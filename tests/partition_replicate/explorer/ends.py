"""What both sides must be when no event is pending, no worker is at work and no server holds a write."""

from itertools import accumulate, product

from tasks.partition_replicate.settings import CURRENT, KEEP, MIRROR
from tests.partition_replicate.explorer.changes import REMOVALS
from tests.partition_replicate.explorer.invariants import Broken

DELETED = "deleted"


def check_end(policy, source, destination, extras):
    """I3: check that the destination equals the source.

    Args:
        policy: the `Policy`.
        source: the source's `Bucket`.
        destination: the destination's.
        extras: how many entries that the source once had, or delete markers, the destination may have besides.

    Raises:
        Broken: it does not.
    """
    if policy.versions == CURRENT:
        _check_current(policy, source, destination)
    else:
        _check_history(policy, source, destination, extras)


def _check_current(policy, source, destination):
    names = [change.name for change in source.log]
    if source.current:
        if not destination.current or destination.current.content != source.current.content:
            raise Broken("I3: the destination's object is not the source's")
    elif destination.current and policy.deletes == MIRROR and _is_removal(names):
        raise Broken("I3: the source was deleted, and the destination has an object")
    elif destination.current and destination.current.content not in _states(source):
        raise Broken("I3: the destination's object was never the source's")


def _is_removal(names):
    """Return whether the last change that took the object away is a reported removal and no expiry."""
    last = next((name for name in reversed(names) if name in ("delete", "expire", *REMOVALS)), "")
    return last != "expire"


def _states(source):
    return {change.content for change in source.log}


def _check_history(policy, source, destination, extras):
    found, possible = [_content(entry) for entry in destination.entries], _possible(policy, source)
    if extras and policy.is_encrypted and _is_expired(source):
        # Nothing is written above a copy that is not recognised, because the marker of the source is not mirrored.
        possible += [wanted + found[-1:] for wanted in possible]
    if not any(_contains(found, wanted, source, _allowed(policy, source, extras)) for wanted in possible):
        raise Broken(f"I3: the destination's history is {_text(found)}, the source's is {_text(possible[0])}")


def _allowed(policy, source, extras):
    """Return how many more entries the destination may have, where it keeps what was removed for good."""
    if extras and policy.is_encrypted:
        # A marker of the life cycle stays beneath a copy that is not recognised.
        extras += len(_expired(source) - {entry.id for entry in source.entries})
    is_kept = policy.deletes == KEEP and _was_without_versions(source)
    is_kept |= policy.version_deletes == KEEP and any(change.name in REMOVALS for change in source.log)
    return 2 * len(source.log) + extras if is_kept else extras


def _was_without_versions(source):
    """Return whether the source had no version at some time after its first one, and so counted as deleted."""
    effects = {"tag": 0, **dict.fromkeys(REMOVALS, -1)}
    return 0 in accumulate(effects.get(change.name, 1) for change in source.log)


def _is_expired(source):
    """Return whether the newest version of the source is a delete marker of the life cycle."""
    return bool(source.entries) and source.entries[-1].id in _expired(source)


def _expired(source):
    return {change.version for change in source.log if change.name == "expire"}


def _contains(found, wanted, source, extras):
    """Return whether a history has the entries of another one in their order, the same newest one, and few others."""
    if len(found) - len(wanted) > extras or (wanted and found[-1:] != wanted[-1:]):
        return False
    remaining, known = iter(found), {entry[:2] for entry in _states(source)} | {DELETED}
    is_known = all((entry if entry == DELETED else entry[:2]) in known for entry in found)
    return is_known and all(entry in remaining for entry in wanted)


def _possible(policy, source):
    """Return the histories that the destination may have, the source's own first.

    A delete marker of the life cycle is mirrored where it is seen before its event, and goes with that; but it stays
    where something was written above it before.
    """
    expired = _expired(source)
    choices = [_choices(policy, entry, entry.id in expired, entry is source.entries[-1]) for entry in source.entries]
    return [[each for kept in chosen for each in kept] for chosen in product(*choices)]


def _choices(policy, entry, is_expired, is_newest):
    """Return whether an entry is in the destination's history: [entry], [] or one of both."""
    if not entry.body and (policy.deletes == KEEP or (is_expired and is_newest)):
        return [[]]
    return [[], [DELETED]] if is_expired else [[_content(entry)]]


def _content(entry):
    return entry.content if entry.body else DELETED


def _text(history):
    return "[" + ", ".join(entry if entry == DELETED else _named(*entry) for entry in history) + "]"


def _named(body, meta, tags):
    return " ".join([body, *([f"metadata {meta}"] if meta else []), *(f"tag {value}" for _, value in tags)])
