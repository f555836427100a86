"""The log lines and the metrics of a run."""

from __future__ import annotations

from typing import Any

from tasks.mirror_check.causes import Why
from tasks.mirror_check.findings import Finding
from tasks.mirror_check.runs import Run
from tasks.utils import outcome_log

PART, OVER = "a part of a run was checked", "a run is over"


class OutcomeLog(outcome_log.OutcomeLog):
    """Logs keys that differ and the parts of a run, and counts the results of a run at its end."""

    def difference(self, finding: Finding, why: Why, repair: str) -> None:
        """Log a key that differs.

        Args:
            finding: the key.
            why: why its sides differ.
            repair: what was sent for it, or why nothing was.
        """
        sign, reason, *_ = finding.verdict
        about = {"key": finding.key, "result": sign.word, "cause": why.cause.value, "detail": why.detail}
        self._logger.warning("different", extra={**about, "reason": reason, "repair": repair})

    def part(self, run: Run) -> None:
        """Log how far a run has come. The values of a run are counted once, so that an alarm sees each run."""
        fields: dict[str, Any] = {"run": run.name, "step": run.step, **vars(run.totals)}
        self._logger.info(OVER if run.is_over else PART, extra=fields)
        self._count("Done", 1)
        if run.is_over:
            self._count("Different", run.totals.different)
            self._count("Repaired", run.totals.repaired)
