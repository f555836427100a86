"""What a person sees: coloured and live on a terminal, plain lines in a pipe."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console, JustifyMethod
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from local.terraform import Progress
from tasks.utils.s3_object import printable

# In a pipe a line now and then is enough to see that it goes on.
PLAIN_SECONDS = 10.0


class Screen:
    """Standard output, for people.

    Args:
        console: where to write; rich finds out by itself whether that is a terminal.
    """

    def __init__(self, console: Console | None = None):
        # In a pipe nothing is wrapped: who reads it there may want to search it.
        self._console = console or Console(highlight=False)
        self._live = self._console.is_terminal

    def title(self, text: str) -> None:
        """Shows what follows."""
        self._console.print(f"[bold cyan]{escape(text)}[/]", soft_wrap=True)

    def say(self, text: str) -> None:
        """Shows a line."""
        self._console.print(escape(text), soft_wrap=True)

    def failure(self, text: str) -> None:
        """Shows what went wrong."""
        self._console.print(f"[bold red]{escape(text)}[/]", soft_wrap=True)

    def verdict(self, sentence: str, *, sound: bool) -> None:
        """Shows how it all ended, in one line."""
        colour = "green" if sound else "red"
        self._console.print(f"[bold {colour}]{escape(sentence)}[/]", soft_wrap=True)

    @contextmanager
    def applying(self) -> Iterator[Callable[[Progress], None]]:
        """Shows how far Terraform is; yields what is to be told of it."""
        started = time.monotonic()
        told = [Progress(0, 0, "")]

        def line() -> str:
            progress = told[0]
            of_all = f"{progress.done} of {progress.planned}" if progress.planned else "no"
            seconds = time.monotonic() - started
            return f"Terraform: {of_all} resources made, {seconds:.0f} s  {progress.current}"

        if self._live:
            with Live(console=self._console, get_renderable=lambda: escape(line()), transient=True):
                yield lambda progress: told.__setitem__(0, progress)
        else:
            spoken = [started]

            def speak(progress: Progress) -> None:
                told[0] = progress
                if time.monotonic() - spoken[0] >= PLAIN_SECONDS:
                    spoken[0] = time.monotonic()
                    self.say(line())

            yield speak
        self.say(f"Terraform: {told[0].done} resources made in {time.monotonic() - started:.0f} s")

    @contextmanager
    def table(self, headings: Mapping[str, JustifyMethod]) -> Iterator[Callable[..., None]]:
        """Shows a table that fills; yields what takes the cells of the next row, and its `colour`.

        Args:
            headings: the heading of each column -> `left` or `right`.
        """
        table = Table(title_justify="left", box=None, pad_edge=False)
        for heading, justify in headings.items():
            table.add_column(heading, justify=justify, overflow="fold")

        def add(cells: Sequence[str], *, colour: str) -> None:
            table.add_row(*(escape(cell) for cell in cells), style=colour)
            if not self._live:
                self.say("  ".join(cells))

        if not self._live:
            yield add
            return
        with Live(table, console=self._console, refresh_per_second=10, vertical_overflow="visible"):
            yield add

    def dead_letters(self, letters: list[tuple[str, str]]) -> None:
        """Shows the keys in the dead-letter queue, each with its reason."""
        self.title(f"Dead-letter queue: {len(letters)}")
        for key, reason in letters:
            self.say(f"  {printable(key)}")
            self.say(f"    {printable(reason)}")
