"""The records of a CSV file, read from blocks of bytes in one pass and in little memory.

A record ends at CR, LF or CRLF outside quotes (RFC 4180), and at no other character that Unicode calls a line end. The
text of the cells is `encodings.RAW`.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, TypeAlias

from tasks.upload_validate.encodings import RAW

# A spreadsheet's cell holds 32,767 characters at most; a longer record comes from a quote that is never closed.
RECORD_LIMIT = 1 << 20

# Sixty-four kilobytes hold hundreds of records; a file with a longer record is no table.
SAMPLE = 1 << 16

TOO_LONG = f"a record of more than {RECORD_LIMIT:,} bytes: is a quote not closed?"
NEVER_CLOSED = "a quote that opens in this record is never closed"

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
    """A record that cannot be read: it has no cells, and a reason."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class Blank(list[str]):
    """A run of blank lines: it has no cells, and a number of lines."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.lines = lines


class _LineTooLong(Exception):
    pass


class _RecordTooLong(Exception):
    pass


class _End(Exception):
    pass


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
        blocks: the bytes of the file.
        dialect: a `Dialect` with a delimiter.

    Attributes:
        number: the number of records so far.
        delimiter: the delimiter.
        regular: records with this many cells are counted and not yielded, which saves half the time for most files;
            None yields all.
        approve: takes the cells of a record; records for which it returns True are counted and not yielded.
    """

    def __init__(self, blocks: Iterable[bytes], dialect: Dialect) -> None:
        self.number = 0
        self.delimiter = dialect.delimiter or ","
        self.regular: int | None = None
        self.approve: Callable[[list[str]], bool] = lambda cells: False
        self._blank = _BlankRun()
        self._lines = _Lines(iter(blocks))
        self._dialect = dialect.for_csv

    def __iter__(self) -> Iterator[Record]:
        line: int | None = 0
        while line is not None:
            line = yield from self._read_on(line)
        if not self.trailing:
            yield from self._last_blanks()

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
                        yield self.number, line + read + 1, cells
                        # A record of a million cells takes 30 MB: it is released before the next one is read.
                        cells = []
                    read = reader.line_num
            except csv.Error as error:
                yield from self._broken(line + read, str(error))
                read = reader.line_num
            except _LineTooLong:
                yield from self._broken(line + reader.line_num, TOO_LONG)
                return line + reader.line_num + 1
            except _RecordTooLong:
                yield from self._broken(line + read, TOO_LONG)
                return line + reader.line_num
            except _End:
                if reader.line_num > read:
                    yield from self._broken(line + read, NEVER_CLOSED)
                return None

    def _broken(self, line: int, reason: str) -> Iterator[Record]:
        self.number += 1
        yield from self._last_blanks()
        yield self.number, line + 1, Broken(reason)

    def _last_blanks(self) -> Iterator[Record]:
        """Yield the last run of blank lines unless it was yielded before."""
        blank = self._blank
        if blank.end > blank.number:
            yield blank.number, blank.line, Blank(blank.end - blank.number)
        self._blank = _BlankRun()

    def _next_lines(self) -> list[str]:
        return self._lines.read(self.number)


@dataclass
class _Lines:
    """Cuts blocks into whole lines.

    Attributes:
        blocks: the bytes of the file.
        rest: the part of a line at the end of the last block.
        number: the number of records when the last block was read.
        grown: the bytes that the record after them has so far.
    """

    blocks: Iterator[bytes]
    rest: bytes = b""
    number: int = 0
    grown: int = 0

    def read(self, number: int) -> list[str]:
        """Return the whole lines of the next block; the rest is put before the block after it.

        Args:
            number: the number of records so far.
        """
        block = next(self.blocks, None)
        if block is None:
            if not self.rest:
                raise _End
            rest, self.rest = self.rest, b""
            return [line.decode(RAW) for line in rest.splitlines(True)]
        # Unlike the lines of a str, the lines of bytes end at CR, LF and CRLF only. The last line may go on in the next
        # block, and so may a line end if this block ends within CRLF.
        lines = (self.rest + block).splitlines(True)
        self.rest = lines.pop() if lines else b""
        if not lines and len(self.rest) > RECORD_LIMIT:
            self._skip_line()
            raise _LineTooLong
        self._bound_record(number, len(block))
        return [line.decode(RAW) for line in lines]

    def _bound_record(self, number: int, size: int) -> None:
        self.grown = self.grown + size if number == self.number else size
        self.number = number
        if self.grown > 2 * RECORD_LIMIT:
            self.grown = 0
            raise _RecordTooLong

    def _skip_line(self) -> None:
        lines = [self.rest[-1:]]
        while len(lines) < 2 and (block := next(self.blocks, None)) is not None:
            lines = (lines[0][-1:] + block).splitlines(True)
        self.rest = b"".join(lines[1:])


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
