"""The output: tables and lines for people, or one JSON object a line for programs.

Results go to standard output. Progress and remarks go to standard error, so that the results can be piped.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any

from rich.console import Console, JustifyMethod
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from tasks.utils.s3_object import printable


class Screen:
    """The output of one command.

    Texts may come from keys, messages and answers: nothing in them is interpreted as markup or by the terminal.

    Args:
        as_json: print results as NDJSON, and neither tables nor remarks.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        # A pipe has no width, and a table must not be cut there.
        self._out = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 10_000)
        self._err = Console(file=sys.stderr, highlight=False)

    @property
    def is_live(self) -> bool:
        """Whether a person sees the output as it changes."""
        return self._out.is_terminal and not self.as_json

    @property
    def shows_progress(self) -> bool:
        """Whether a person sees `progress`."""
        return self._err.is_terminal and not self.as_json

    def record(self, record: Mapping[str, Any]) -> None:
        """Print one result as a line of JSON, if the user asked for JSON."""
        if self.as_json:
            # ASCII: a terminal interprets nothing in it.
            print(json.dumps(record, default=str), flush=True)

    def say(self, text: str, style: str = "") -> None:
        """Print a line of the result for people."""
        if not self.as_json:
            self._out.print(Text(printable(text), style=style), soft_wrap=True)

    def remark(self, text: str) -> None:
        """Print a line about the work, to standard error."""
        if not self.as_json:
            self._err.print(Text(printable(text)), soft_wrap=True)

    def table(self, headings: Mapping[str, JustifyMethod], rows: Iterable[Sequence[Any]], title: str = "") -> None:
        """Print a table for people.

        Args:
            headings: the heading of each column -> `left` or `right`.
            rows: the cells of each row.
            title: a line above the table.
        """
        if self.as_json:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading, justify in headings.items():
            table.add_column(heading, justify=justify, overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(str(cell))) for cell in row))
        if title:
            self.say(title, "bold")
        self._out.print(table)

    @contextmanager
    def frames(self) -> Iterator[Callable[[Callable[[], object]], None]]:
        """Show frames, on a terminal each in the place of the one before.

        Yields:
            A function that shows a frame. It takes the function that prints the frame with this screen.
        """
        if not self.is_live:

            def show_below(draw: Callable[[], object]) -> None:
                draw()

            yield show_below
            return
        with Live(console=self._out, auto_refresh=False) as live:

            def show(draw: Callable[[], object]) -> None:
                live.update(Text.from_ansi(self._drawn(draw)), refresh=True)

            yield show

    @contextmanager
    def progress(self, of: str, total: int | None = None) -> Iterator[Progress]:
        """Show progress on standard error until the block ends: nothing in a pipe, and nothing with JSON.

        Args:
            of: what is counted, such as "objects".
            total: how many there are, or None if that is not known.

        Yields:
            rich's progress, with one task (0): `advance(0, n)` and `update(0, total=n)` change it.
        """
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _RateColumn())
        times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        with Progress(*columns, *times, console=self._err, transient=True, disable=not self.shows_progress) as shown:
            shown.add_task(of, total=total)
            yield shown

    def _drawn(self, draw: Callable[[], object]) -> str:
        """Return what a function prints with this screen."""
        terminal, file = self._out, StringIO()
        self._out = Console(file=file, force_terminal=True, highlight=False, width=terminal.width)
        try:
            draw()
        finally:
            self._out = terminal
        return file.getvalue()


class _RateColumn(ProgressColumn):
    """How many are done in a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")
