"""Runs of the contestants in turn, and their time and memory."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.row import Contestant, Row

LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True)
class Run:
    """The measures of one run.

    Attributes:
        seconds: The time from start to end, with the start of the interpreter, unless the contestant reports another.
        cpu_seconds: CPU time in user and system mode.
        peak_mb: The peak memory in MB.
        requests: The number of requests; 0 if the contestant does not report it.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    requests: float = 0


def run(contestant: Contestant) -> Run:
    """Run a command to its end.

    Raises:
        RuntimeError: It failed; the message holds the end of its output.
    """
    finished = subprocess.run(
        # Without site-packages, so that the launcher is small.
        [sys.executable, "-I", "-S", str(LAUNCHER), *contestant.command],
        env={**os.environ, **contestant.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        output = finished.stdout[-2000:] + finished.stderr[-2000:]
        raise RuntimeError(f"{contestant.name} ended with {finished.returncode}:\n{output}")
    *lines, measures = finished.stdout.splitlines()
    reported = json.loads(lines[-1]) if contestant.reports_itself else {}
    return Run(**{**json.loads(measures), **reported})


def run_interleaved(row: Row, contestants: Sequence[Contestant]) -> dict[str, list[Run]]:
    """Run all contestants in turn, A B C A B C ..., so that other load on the machine affects all of them alike."""
    runs: dict[str, list[Run]] = {contestant.name: [] for contestant in contestants}
    for _ in range(row.runs):
        for contestant in contestants:
            contestant.prepare()
            # Pending disk writes of the previous contestant must not slow this one down.
            os.sync()
            runs[contestant.name].append(run(contestant))
    return runs


def median(runs: Sequence[Run]) -> Run:
    """Return the median of each measure."""
    names = ("seconds", "cpu_seconds", "peak_mb", "requests")
    return Run(*(statistics.median(getattr(each, name) for each in runs) for name in names))
