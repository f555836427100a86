"""A row of the table: one piece of work, done by this project and by its peers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Contestant:
    """One way to do the work, as a command that is run in a process of its own, over and over.

    Attributes:
        name: Who does it.
        command: The program and its arguments.
        environment: What is added to the environment.
        reports_itself: Its last line is JSON with the `seconds` that count, in place of those from start to end, and
            the `requests` it made, if those count.
        prepare: Is called before each run, which is what it is to find; it does not count.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    reports_itself: bool = False
    prepare: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Row:
    """One piece of work. A module in `bench/rows` offers one as `ROW`, under its own name.

    Attributes:
        title: What is done, for the table.
        contestants: Sets the stage, and gives the contestants while it stands, this project's first. It is given a
            folder for what takes long to make.
        runs: How often each is run; the medians count.
        goals: The most that this project's median may be of a peer's: name of the peer and `seconds`, `peak_mb`
            or `requests` -> ratio. They are shown, and do not fail the run.
        peak_mb: The most memory this project may take, in MB; None where nobody has said so.
    """

    title: str
    contestants: Callable[[Path], AbstractContextManager[list[Contestant]]]
    runs: int = 5
    goals: Mapping[tuple[str, str], float] | None = None
    peak_mb: float | None = None


Stage = Iterator[list[Contestant]]
Json = dict[str, Any]
