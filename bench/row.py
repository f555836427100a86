"""A row of the table: one task, done by this project and by its peers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Contestant:
    """A program that does the work, run in its own process several times.

    Attributes:
        name: Its name in the table.
        command: The program and its arguments.
        environment: Additional environment variables.
        reports_itself: Whether its last line is JSON with the `seconds` to count instead of the whole run time, and
            optionally the number of `requests`.
        prepare: Called before each run; its time does not count.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    reports_itself: bool = False
    prepare: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Row:
    """One task. Each module in `bench/rows` has one as `ROW`; the module's name is the name of the row.

    Attributes:
        title: The title in the table.
        contestants: A context manager that starts the servers and returns the contestants, this project's first. Its
            argument is a folder for files that are kept between runs.
        runs: The number of runs of each contestant; the medians count.
        goals: The maximum ratio of this project's median to a peer's: (peer, `seconds`, `peak_mb` or `requests`) ->
            ratio. Goals are shown, and a missed goal does not fail the run.
        peak_mb: The maximum memory of this project, in MB; None without a goal.
    """

    title: str
    contestants: Callable[[Path], AbstractContextManager[list[Contestant]]]
    runs: int = 5
    goals: Mapping[tuple[str, str], float] | None = None
    peak_mb: float | None = None


Contestants = Iterator[list[Contestant]]
Json = dict[str, Any]
