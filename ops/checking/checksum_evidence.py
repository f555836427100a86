"""Compares objects by the checksums that S3 computed, and by other evidence where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from ops.checking.checksum_jobs import ChecksumJobs
from ops.checking.reported_checksums import ReportedChecksums, temporary_checksums
from ops.plurals import number_of
from ops.screen import Screen
from tasks.mirror_check.evidence import Evidence
from tasks.mirror_check.findings import EQUAL, Finding, Pair, Verdict
from tasks.mirror_check.listings import Side


@dataclass(frozen=True)
class ChecksumEvidence:
    """Compares pairs by their checksums.

    Attributes:
        evidence: compares the pairs without checksums: objects that only one side has, that have other sizes, or that
            changed after a job listed them.
        reported: the checksums.
        without: for each call of `compare`, the number of pairs without checksums that both sides have.
    """

    evidence: Evidence
    reported: ReportedChecksums
    without: list[int] = field(default_factory=list)

    @property
    def source(self) -> Side:
        """The source."""
        return self.evidence.source

    @property
    def destination(self) -> Side:
        """The destination."""
        return self.evidence.destination

    @property
    def pool(self) -> ThreadPoolExecutor:
        """Sends requests about several pairs side by side."""
        return self.evidence.pool

    def settles(self, _pair: Pair) -> bool:
        """Return False: equal listings do not show that the bytes are equal."""
        return False

    def compare(self, pairs: Sequence[Pair]) -> list[Finding]:
        """Compare pairs.

        Raises:
            ClientError, BotoCoreError, TableBusy: the table cannot be read.
        """
        verdicts = {pair.key: self.reported.verdict(pair) for pair in pairs}
        others = [pair for pair in pairs if verdicts[pair.key] is None]
        self.without.append(sum(None not in pair for pair in others))
        return [*self._found(pairs, verdicts), *self.evidence.compare(others)]

    def _found(self, pairs: Sequence[Pair], verdicts: dict[str, Verdict | None]) -> Iterator[Finding]:
        unequal = [key for key, verdict in verdicts.items() if verdict not in (None, EQUAL)]
        states = self.evidence.records.states(unequal) if self.evidence.records and unequal else {}
        for pair in pairs:
            if verdict := verdicts[pair.key]:
                yield Finding(pair, verdict, states.get(pair.key))


@contextmanager
def compared_by_checksums(screen: Screen, evidence: Evidence, jobs: ChecksumJobs) -> Iterator[ChecksumEvidence]:
    """Yield what compares by the checksums of two jobs, once these have ended.

    Args:
        screen: where it says how many objects have no checksum.
        evidence: compares those.
        jobs: the jobs.
    """
    with temporary_checksums() as reported:
        jobs.read_into(reported)
        reported.sort()
        comparer = ChecksumEvidence(evidence, reported)
        yield comparer
        if without := sum(comparer.without):
            screen.remark(
                f"{number_of(without, 'key')} without checksums in the reports, mostly because of changes since, "
                "compared as without --checksums"
            )
