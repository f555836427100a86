"""The records of a CSV file, read from blocks of bytes in one pass and in little memory.

A record ends at CR, LF or CRLF outside quotes (RFC 4180), and at no other character that Unicode calls a line end. The
text of the cells is `encodings.RAW`.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, TypeAlias

from tasks.upload_validate.encodings import RAW
from tasks.upload_validate.lines import RECORD_LIMIT, SAMPLE, Lines, LineTooLong, RecordTooLong

TOO_LONG = f"a record of more than {RECORD_LIMIT:,} bytes: is a quote not closed?"
CELL_TOO_LONG = f"a cell of more than {csv.field_size_limit():,} characters: is a quote not closed?"
NEVER_CLOSED = "the quote that opens on this line is never closed"
CUT_OFF = "the file ends within a quote that opens on this line, or after an escape character"

_LINE_END = re.compile("\r\n|\r|\n")

# The record's number from 1, the physical line where it begins from 1, and its cells.
Record: TypeAlias = tuple[int, int, list[str]]


@dataclass(frozen=True)
class Dialect:
    """How a table is written; the names are those of the Frictionless CSV dialect, in Python's spelling.

    Attributes:
        delimiter: the delimiter; None if it has to be detected.
    """

    delimiter: str | None = ","
    quote_char: str | None = '"'
    double_quote: bool = True
    escape_char: str | None = None
    skip_initial_space: bool = False

    @property
    def for_csv(self) -> dict[str, Any]:
        """The keyword arguments of `csv.reader`."""
        return {
            "delimiter": self.delimiter,
            "quotechar": self.quote_char,
            "doublequote": self.double_quote,
            "escapechar": self.escape_char,
            "skipinitialspace": self.skip_initial_space,
            "quoting": csv.QUOTE_MINIMAL if self.quote_char else csv.QUOTE_NONE,
        }


class Broken(list[str]):
    """A record that cannot be read to its end.

    Its items are the cells that were read; there are none if it is too long.

    Attributes:
        reason: why it cannot be read.
        line: the physical line where the fault begins.
    """

    def __init__(self, reason: str, line: int, cells: Iterable[str] = ()) -> None:
        super().__init__(cells)
        self.reason = reason
        self.line = line


class Blank(list[str]):
    """A run of blank lines: it has no cells, and a number of lines."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.lines = lines


@dataclass
class _BlankRun:
    """The last run of blank lines.

    Attributes:
        number: the number of its first line among the records.
        line: its first physical line.
        end: the number that follows it.
    """

    number: int = 0
    line: int = 0
    end: int = 0


class Records:
    """Iterates over the records of a file.

    Blank lines are records too. A run of them is yielded as one `Blank`, before the next record that is yielded; a run
    at the end of the file is not yielded. A record that cannot be read is a `Broken`; the next line follows it.

    Args:
        blocks: the bytes of the table.
        dialect: a `Dialect` with a delimiter.
        first_line: the physical line of the file where the table begins.

    Attributes:
        number: the number of records so far.
        regular: records with this many cells are counted and not yielded, which saves half the time for most files;
            None yields all.
        approve: takes the cells of a record; records for which it returns True are counted and not yielded.
    """

    def __init__(self, blocks: Iterable[bytes], dialect: Dialect, first_line: int = 1) -> None:
        self.number = 0
        self.regular: int | None = None
        self.approve: Callable[[list[str]], bool] = lambda cells: False
        self._blank = _BlankRun()
        self._dialect = dialect.for_csv
        self._lines = Lines(iter(blocks), self.delimiter)
        self._first_line = first_line

    def __iter__(self) -> Iterator[Record]:
        line: int | None = self._first_line - 1
        while line is not None:
            line = yield from self._read_on(line)
        if not self.trailing:
            yield from self._last_blanks()

    @property
    def delimiter(self) -> str:
        """The delimiter."""
        return str(self._dialect["delimiter"])

    @property
    def trailing(self) -> int:
        """The number of blank lines at the end of what was read."""
        return self._blank.end - self._blank.number if self._blank.end == self.number + 1 else 0

    def _read_on(self, line: int) -> Any:
        """Yield records until a new csv reader is needed, because a record is too long.

        Returns:
            The physical line before the next reader's first one; None at the end of the file.
        """
        reader = csv.reader(chain.from_iterable(iter(self._next_lines, None)), **self._dialect)
        # How many lines the reader had read when the last record was complete.
        read = 0
        while True:
            try:
                for cells in reader:
                    self.number += 1
                    if len(cells) == self.regular or (cells and self.approve(cells)):
                        read = reader.line_num
                        continue
                    if not cells:
                        if self.number != self._blank.end:
                            yield from self._last_blanks()
                            self._blank = _BlankRun(self.number, line + read + 1)
                        self._blank.end = self.number + 1
                    else:
                        yield from self._last_blanks()
                        start = line + read + 1
                        yield self.number, start, self._cut_off(start, cells) if self._lines.ended else cells
                        # A record of a million cells takes 30 MB: it is released before the next one is read.
                        cells = []
                    read = reader.line_num
                return None
            except csv.Error:
                # Unless it is strict, the reader refuses nothing else in whole lines of text.
                yield from self._broken(line + read, CELL_TOO_LONG)
                read = reader.line_num
            except LineTooLong:
                yield from self._broken(line + reader.line_num, TOO_LONG)
                return line + reader.line_num + 1
            except RecordTooLong:
                yield from self._broken(line + read, TOO_LONG)
                return line + reader.line_num

    def _broken(self, line: int, reason: str) -> Iterator[Record]:
        self.number += 1
        yield from self._last_blanks()
        yield self.number, line + 1, Broken(reason, line + 1)

    def _cut_off(self, line: int, cells: list[str]) -> Broken:
        """Return the record that the end of the file cuts off; its fault begins where its last cell does."""
        line += sum(len(_LINE_END.findall(cell)) for cell in cells[:-1])
        return Broken(CUT_OFF if self._dialect["escapechar"] else NEVER_CLOSED, line, cells)

    def _last_blanks(self) -> Iterator[Record]:
        """Yield the last run of blank lines unless it was yielded before."""
        blank = self._blank
        if blank.end > blank.number:
            yield blank.number, blank.line, Blank(blank.end - blank.number)
        self._blank = _BlankRun()

    def _next_lines(self) -> list[str] | None:
        lines = self._lines.read(self.number)
        if lines is None:
            # The reader returns the record that it has begun, if any. It is yielded, even if it looks valid.
            self.regular, self.approve = None, _approve_none
        return lines


def _approve_none(_: list[str]) -> bool:
    return False


def sniff_delimiter(sample: bytes, choices: Sequence[str], fallback: str) -> str:
    """Return the delimiter under which most records have as many cells as the first one.

    Args:
        sample: the first bytes of the file; at most `SAMPLE` of them count.
        choices: the delimiters to choose from.
        fallback: the delimiter that the file's name suggests; it is preferred among equals.
    """
    scores = {choice: _score(sample, choice) for choice in choices}
    best = max(scores.values())
    leaders = [choice for choice in choices if scores[choice] == best]
    return fallback if fallback in leaders else leaders[0]


def _score(sample: bytes, delimiter: str) -> tuple[int, int]:
    lines = [line.decode(RAW) for line in sample[:SAMPLE].splitlines(True)]
    if len(lines) > 1 and len(sample) >= SAMPLE:
        lines.pop()
    try:
        widths = [len(cells) for cells in islice(csv.reader(lines, delimiter=delimiter), len(lines)) if cells]
    except csv.Error:
        return 0, 0
    if not widths or widths[0] == 1:
        return 0, 0
    return widths.count(widths[0]), widths[0]
