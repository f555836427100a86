"""Commands run in turn, and what each took."""

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
    """What one run of a command took.

    Attributes:
        seconds: From its start to its end, the interpreter's start included, if it does not tell them itself.
        cpu_seconds: Of the processor, in user mode and in the system.
        peak_mb: The most memory it held at a time, in MB.
        requests: Requests it made, if it tells; else 0.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    requests: float = 0


def run(contestant: Contestant) -> Run:
    """Run a command to its end.

    Raises:
        RuntimeError: It failed; the text holds the end of what it said.
    """
    done = subprocess.run(
        # Without site-packages, so that the launcher is small.
        [sys.executable, "-I", "-S", str(LAUNCHER), *contestant.command],
        env={**os.environ, **contestant.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stdout[-2000:] + done.stderr[-2000:]
        raise RuntimeError(f"{contestant.name} ended with {done.returncode}:\n{said}")
    *said, taken = done.stdout.splitlines()
    reported = json.loads(said[-1]) if contestant.reports_itself else {}
    return Run(**{**json.loads(taken), **reported})


def interleaved(row: Row, contestants: Sequence[Contestant]) -> dict[str, list[Run]]:
    """Run all contestants in turn, A B C A B C ..., so that what else the machine does falls on all alike."""
    taken: dict[str, list[Run]] = {contestant.name: [] for contestant in contestants}
    for _ in range(row.runs):
        for contestant in contestants:
            contestant.prepare()
            # What the one before has left to be written to disk should not slow this one down.
            os.sync()
            taken[contestant.name].append(run(contestant))
    return taken


def median(runs: Sequence[Run]) -> Run:
    """The median of each measure by itself."""
    names = ("seconds", "cpu_seconds", "peak_mb", "requests")
    return Run(*(statistics.median(getattr(one, name) for one in runs) for name in names))
