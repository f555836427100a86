"""How the histories of a key compare: all its versions and delete markers, through the mirror's version rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

from tasks.mirror_check.findings import EQUAL, Aspect, Finding, Pair, Sign, Verdict
from tasks.mirror_check.listings import Side
from tasks.mirror_check.pages import Listed
from tasks.mirror_check.records import Records
from tasks.utils.key_state import ReplicaVersion


def histories(entries: Iterable[Listed]) -> Iterator[Listed]:
    """Yield each key of a listing of versions once: its newest version with the older ones."""
    for _, group in groupby(entries, key=lambda entry: entry.key):
        newest, *older = group
        yield newest._replace(older=tuple(older))


@dataclass(frozen=True)
class HistoryEvidence:
    """Compares the histories of keys.

    Attributes:
        source: the source.
        destination: the destination.
        records: the mirror's table.
        pool: reads the rows of several keys side by side.
    """

    source: Side
    destination: Side
    records: Records
    pool: ThreadPoolExecutor

    def settles(self, pair: Pair) -> bool:
        """Return whether both histories read the same: equal ETags mean equal bytes."""
        source, destination = pair
        return source is not None and destination is not None and _shape(source) == _shape(destination)

    def compare(self, pairs: Sequence[Pair]) -> list[Finding]:
        """Compare histories that the listings do not settle.

        Raises:
            ClientError, BotoCoreError: the table cannot be read.
        """
        return list(self.pool.map(self._finding, pairs))

    def _finding(self, pair: Pair) -> Finding:
        state, replicas = self.records.history(pair.key)
        source, destination = (side.history if side else () for side in pair)
        return Finding(pair, verdict_on(source, destination, replicas), state)


def verdict_on(
    source: Sequence[Listed], destination: Sequence[Listed], replicas: Mapping[str, ReplicaVersion | None]
) -> Verdict:
    """Compare two histories, each the oldest first.

    Args:
        source: the source's.
        destination: the destination's.
        replicas: version of the source -> what was made from it; None if it was left out on purpose.
    """
    places = {version.version: number for number, version in enumerate(destination)}
    made = [(version, replicas[version.version]) for version in source if version.version in replicas]
    kept = [(version, replica.version) for version, replica in made if replica]
    if lost := [version for version, replica in kept if replica not in places]:
        sign = Sign.DIFFERENT if destination else Sign.MISSING
        return Verdict(sign, f"the destination lacks {_names(lost)}", aspect=Aspect.LOST_VERSIONS)
    if unseen := [version for version in source if version.version not in replicas]:
        sign = Sign.DIFFERENT if destination else Sign.MISSING
        return Verdict(sign, f"the destination lacks {_names(unseen)}")
    order = [places[replica] for _, replica in kept]
    if order != sorted(order):
        return Verdict(Sign.DIFFERENT, "the versions are in another order at the destination")
    return _verdict_on_extras(source, destination, {replica for _, replica in kept})


def _verdict_on_extras(source: Sequence[Listed], destination: Sequence[Listed], made: set[str]) -> Verdict:
    extras = [version for version in destination if version.version not in made]
    if not extras:
        return EQUAL
    newest = destination[-1]
    is_gone = (not source or source[-1].is_marker) and newest.is_marker
    if newest in extras and not is_gone:
        sign = Sign.DIFFERENT if source else Sign.EXTRA
        return Verdict(sign, f"the newest at the destination is {_names([newest])}, which the mirror did not make")
    reason = f"the source does not have {_names(extras)} of the destination"
    return Verdict(Sign.DIFFERENT if source else Sign.EXTRA, reason, aspect=Aspect.OLD_EXTRAS)


def _shape(newest: Listed) -> list[tuple[int, str, bool]]:
    return [(version.size, version.etag, version.is_marker) for version in newest.history]


def _names(versions: Sequence[Listed]) -> str:
    first = versions[0]
    name = f"the {'delete marker' if first.is_marker else 'version'} {first.version}"
    return name if len(versions) == 1 else f"{name} and {len(versions) - 1} more"
