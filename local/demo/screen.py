"""The output of the demo: coloured and live on a terminal, plain lines in a pipe."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from local.demo.recording import Recording
from local.deployment import Progress
from tasks.utils.s3_object import printable

# Interval of Terraform's progress lines in a pipe.
PLAIN_SECONDS = 10.0

# Width of a column in a pipe, where the longest cell is not known in advance; longer cells move the rest of their row.
PLAIN_WIDTHS = {
    "task": 19,
    "result": 15,
    "event": 19,
    "key": 46,
    "verdict": 9,
    "set": 42,
    "destination": 11,
    "mirror": 15,
}

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

    @property
    def made(self) -> str:
        """The number of resources, in words."""
        progress = self.progress
        return f"{progress.done} of {progress.planned} resources made" if progress.planned else "no resources made"

    def __str__(self) -> str:
        return f"Terraform: {self.made}, {self.seconds:.0f} s  {self.progress.current}"


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
        self._terraform = _Terraform(time.monotonic(), Progress(0, 0, ""))
        self._is_waiting = False
        # Seconds after the start from which a pipe gets the next line of progress.
        self._next_line = PLAIN_SECONDS

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

    def progress(self, progress: Progress) -> None:
        """Take the progress of Terraform, from any thread."""
        self._terraform.progress = progress
        if self._is_waiting and not self._live and self._terraform.seconds >= self._next_line:
            self._next_line = self._terraform.seconds + PLAIN_SECONDS
            self._print_plain(str(self._terraform), "default")

    @contextmanager
    def waiting(self, until: str) -> Iterator[None]:
        """Show Terraform's progress until the block ends, and then one line.

        Args:
            until: What is reached when the block ends.
        """
        self._is_waiting = True
        with ExitStack() as showing:
            if self._live:
                line = Live(console=self._console, get_renderable=lambda: escape(str(self._terraform)), transient=True)
                showing.enter_context(line)
            yield
        self._is_waiting = False
        terraform = self._terraform
        self.say(f"Terraform: {terraform.made} after {terraform.seconds:.0f} s: {until}")

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
            if print_row:
                print_row(cells, colour=colour)

        with ExitStack() as showing:
            print_row = None if self._live else self.rows(headings)
            if self._live:
                showing.enter_context(
                    Live(table, console=self._console, refresh_per_second=10, vertical_overflow="visible")
                )
            yield add
        if self._recording:
            self._recording.table(headings, rows)

    def rows(self, headings: Headings) -> AddRow:
        """Print the headings of a table without an end; return the callback for its rows, for any thread."""

        def print_row(cells: Sequence[str], *, colour: str) -> None:
            widths = (PLAIN_WIDTHS.get(heading, len(heading)) for heading in headings)
            padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
            self._print_plain("  ".join(padded).rstrip(), colour)

        print_row(list(headings), colour="bold")
        return print_row

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
