"""The output of the demo: coloured and live on a terminal, plain lines in a pipe."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console, JustifyMethod
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from local.demo.recording import Recording
from local.terraform import Progress
from tasks.utils.s3_object import printable

# Interval of Terraform's progress lines in a pipe.
PLAIN_SECONDS = 10.0

Headings = Mapping[str, JustifyMethod]


class AddRow(Protocol):  # pylint: disable=too-few-public-methods  # the type of a callback
    """A callback that adds a row to a table."""

    def __call__(self, cells: Sequence[str], *, colour: str) -> None:
        """Add a row with these cells."""


@dataclass
class _Terraform:
    """The progress of Terraform since a time of the monotonic clock."""

    started: float
    progress: Progress

    @property
    def seconds(self) -> float:
        """The seconds since the start."""
        return time.monotonic() - self.started

    def __str__(self) -> str:
        progress = self.progress
        created = f"{progress.done} of {progress.planned}" if progress.planned else "no"
        return f"Terraform: {created} resources made, {self.seconds:.0f} s  {progress.current}"


class Screen:
    """Standard output for people.

    Args:
        console: The console; rich detects whether it is a terminal.
        recording: Also gets all lines and tables, except live progress.
    """

    def __init__(self, console: Console | None = None, recording: Recording | None = None):
        self._console = console or Console(highlight=False)
        self._live = self._console.is_terminal
        self._recording = recording

    def title(self, text: str) -> None:
        """Print the title of a section."""
        self._print(text, "bold cyan")

    def say(self, text: str) -> None:
        """Print a line."""
        self._print(text, "default")

    def failure(self, text: str) -> None:
        """Print an error."""
        self._print(text, "bold red")

    def verdict(self, sentence: str, *, passed: bool) -> None:
        """Print a result, in one line."""
        self._print(sentence, "bold green" if passed else "bold red")

    @contextmanager
    def applying(self) -> Iterator[Callable[[Progress], None]]:
        """Show Terraform's progress until the block ends; yield the callback for it."""
        terraform = _Terraform(time.monotonic(), Progress(0, 0, ""))
        showing = self._live_progress(terraform) if self._live else self._plain_progress(terraform)
        with showing as on_progress:
            yield on_progress
        self.say(f"Terraform: {terraform.progress.done} resources made in {terraform.seconds:.0f} s")

    @contextmanager
    def table(self, headings: Headings) -> Iterator[AddRow]:
        """Show a table that grows; yield the callback for its rows.

        Args:
            headings: The heading of each column -> `left` or `right`.
        """
        table = Table(title_justify="left", box=None, pad_edge=False)
        for heading, justify in headings.items():
            table.add_column(heading, justify=justify, overflow="fold")
        rows: list[tuple[Sequence[str], str]] = []

        def add(cells: Sequence[str], *, colour: str) -> None:
            rows.append((cells, colour))
            table.add_row(*(escape(cell) for cell in cells), style=colour)
            if not self._live:
                self._print_plain("  ".join(cells), "default")

        if self._live:
            with Live(table, console=self._console, refresh_per_second=10, vertical_overflow="visible"):
                yield add
        else:
            yield add
        if self._recording:
            self._recording.table(headings, rows)

    def dead_letters(self, letters: Sequence[tuple[str, str]]) -> None:
        """Print the keys in the dead-letter queue, each with its reason."""
        self.title(f"Dead-letter queue: {len(letters)}")
        for key, reason in letters:
            self.say(f"  {printable(key)}")
            self.say(f"    {printable(reason)}")

    def _print(self, text: str, style: str) -> None:
        self._print_plain(text, style)
        if self._recording:
            self._recording.line(text, style)

    def _print_plain(self, text: str, style: str) -> None:
        # Without wrapping, so that the lines of a pipe can be searched.
        self._console.print(f"[{style}]{escape(text)}[/]", soft_wrap=True)

    @contextmanager
    def _live_progress(self, terraform: _Terraform) -> Iterator[Callable[[Progress], None]]:
        def update(progress: Progress) -> None:
            terraform.progress = progress

        with Live(console=self._console, get_renderable=lambda: escape(str(terraform)), transient=True):
            yield update

    @contextmanager
    def _plain_progress(self, terraform: _Terraform) -> Iterator[Callable[[Progress], None]]:
        last_line = terraform.started

        def update(progress: Progress) -> None:
            nonlocal last_line
            terraform.progress = progress
            if time.monotonic() - last_line >= PLAIN_SECONDS:
                last_line = time.monotonic()
                self._print_plain(str(terraform), "default")

        yield update
