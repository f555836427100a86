"""All keys of both sides: their listings merged, range by range, several ranges side by side.

A worker merges the two listings of a range. When other workers have nothing to do, it cuts the rest of its range, and
goes on with the first part. So a flat bucket is divided as well as one with folders, and nothing has to be known of its
keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from tasks.mirror_check.evidence import Comparer
from tasks.mirror_check.findings import Finding, Pair
from tasks.mirror_check.histories import histories
from tasks.mirror_check.key_ranges import KeyRange, RangeQueue, cuts_after
from tasks.mirror_check.listings import Listing, Side
from tasks.mirror_check.pages import Listed
from tasks.mirror_check.side_by_side import side_by_side

# A page of keys is compared at a time.
CHUNK = 1000

# Seconds after which a worker shares the rest of its range: a cut costs some requests, and should spare more of them.
SHARED_AFTER = 1.0
# The only worker shares at once if a page takes longer than this: several pages from afar come as soon as one.
SLOW_PAGE = 0.06


class Chunk(NamedTuple):
    """Some keys that were compared.

    Attributes:
        keys: how many keys.
        size: bytes of the source's objects among them.
        findings: what was found of those that the listings did not settle.
        settled: the keys that the listings settled as equal, if they were asked for.
    """

    keys: int
    size: int
    findings: list[Finding]
    settled: list[str]


@dataclass(frozen=True)
class Scope:
    """Which keys are compared, and how.

    Attributes:
        prefix: the beginning of the keys.
        workers: ranges side by side.
        keeps_settled: report also each key that the listings settled.
    """

    prefix: str = ""
    workers: int = 8
    keeps_settled: bool = False


def compare_all(evidence: Comparer, scope: Scope = Scope()) -> Iterator[Chunk]:
    """Yield the keys of both sides as they are compared, as `compare_ranges` does."""
    return compare_ranges(evidence, scope, RangeQueue(KeyRange()))


def compare_ranges(evidence: Comparer, scope: Scope, ranges: RangeQueue) -> Generator[Chunk]:
    """Yield the keys of ranges as they are compared; the ranges come in any order.

    Args:
        evidence: compares what the listings do not settle; its sides are compared.
        scope: which keys.
        ranges: the ranges; if its time is up, it holds the rest in the end.

    Raises:
        ObjectClerkException: a side cannot be listed.
        ClientError, BotoCoreError, TableBusy: the table cannot be read.
    """
    with ThreadPoolExecutor(2 * scope.workers) as ahead:
        worker = _Worker(evidence, scope, ranges, ahead)
        yield from side_by_side(worker.work, scope.workers, stop=ranges.close)


@dataclass(frozen=True)
class _Worker:
    """What every worker uses."""

    evidence: Comparer
    scope: Scope
    ranges: RangeQueue
    ahead: Executor

    def work(self, report: Callable[[Chunk], None]) -> None:
        """Compare ranges until none is left."""
        while key_range := self.ranges.take():
            self._compare(key_range, report)
            self.ranges.done()

    def _compare(self, key_range: KeyRange, report: Callable[[Chunk], None]) -> None:
        sides = self.evidence.source, self.evidence.destination
        listings = [Listing(side, self.scope.prefix, key_range, self.ahead) for side in sides]
        try:
            self._merge(key_range, listings, report)
        finally:
            for listing in listings:
                listing.stop()

    def _merge(self, key_range: KeyRange, listings: list[Listing], report: Callable[[Chunk], None]) -> None:
        pairs: list[Pair] = []
        started, pages = time.monotonic(), 0
        for pair in merged(*(histories(listing) if listing.side.lists_versions else listing for listing in listings)):
            if key_range.last is not None and pair.key > key_range.last:
                break
            pairs.append(pair)
            if len(pairs) == CHUNK:
                report(self._compared(pairs))
                if self.ranges.is_time_up():
                    self.ranges.put(KeyRange(pair.key, key_range.last))
                    return
                pages += 1
                patience = pages * SLOW_PAGE if key_range.is_whole else SHARED_AFTER
                if time.monotonic() - started >= min(patience, SHARED_AFTER):
                    self._share(key_range, pair.key, listings)
                    started, pages = time.monotonic(), 0
                pairs = []
        if pairs:
            report(self._compared(pairs))

    def _compared(self, pairs: list[Pair]) -> Chunk:
        settles = self.evidence.settles
        open_pairs = [pair for pair in pairs if not settles(pair)]
        findings = self.evidence.compare(open_pairs) if open_pairs else []
        settled = [pair.key for pair in pairs if settles(pair)] if self.scope.keeps_settled else []
        size = sum(pair.source.size for pair in pairs if pair.source)
        return Chunk(len(pairs), size, findings, settled)

    def _share(self, key_range: KeyRange, position: str, listings: list[Listing]) -> None:
        """Cut the rest of a range into parts for the workers that have nothing to do."""
        longer = next((listing.side for listing in listings if listing.has_more), None)
        hungry = self.ranges.hunger
        if longer is None or not hungry:
            return
        rest = _Rest(longer, self.scope.prefix, key_range.last)
        cuts = cuts_after(position, rest, self.scope.prefix, hungry)
        for cut in reversed(cuts):
            self.ranges.put(KeyRange(cut, key_range.last))
            key_range.last = cut


@dataclass(frozen=True)
class _Rest:
    """The rest of a range on one side."""

    side: Side
    prefix: str
    last: str | None

    def folders_after(self, folder: str, key: str) -> list[str]:
        """Return folders in a folder that come after a key, in order."""
        return [name for name in self.side.folders_after(folder, key) if self.last is None or name < self.last]

    def first_after(self, text: str) -> str | None:
        """Return the first key after a text, or None if there is none."""
        found = self.side.first_after(self.prefix, text)
        return None if found is None or (self.last is not None and found > self.last) else found


def compare_keys(evidence: Comparer, keys: Sequence[str]) -> Iterator[Chunk]:
    """Yield single keys as they are compared."""
    for start in range(0, len(keys), CHUNK):
        some = keys[start : start + CHUNK]
        sources, destinations = (
            evidence.pool.map(side.entry, some) for side in (evidence.source, evidence.destination)
        )
        pairs = [Pair(*pair) for pair in zip(sources, destinations, strict=True) if pair != (None, None)]
        findings = evidence.compare(pairs)
        yield Chunk(len(pairs), sum(pair.source.size for pair in pairs if pair.source), findings, [])


def merged(source: Iterable[Listed], destination: Iterable[Listed]) -> Iterator[Pair]:
    """Yield the keys of two listings in their common order, each key once."""
    left_side, right_side = iter(source), iter(destination)
    left, right = next(left_side, None), next(right_side, None)
    while left or right:
        if left is None or (right is not None and right.key < left.key):
            yield Pair(None, right)
            right = next(right_side, None)
        elif right is None or left.key < right.key:
            yield Pair(left, None)
            left = next(left_side, None)
        else:
            yield Pair(left, right)
            left, right = next(left_side, None), next(right_side, None)
