"""The records of a CSV file, from blocks of bytes, in one pass and in little memory.

A record ends where CSV says so: at CR, LF or CRLF outside quotes (RFC 4180), and at none of the other characters that
Unicode calls line ends. The text of the cells is `encodings.RAW`.
"""

import csv
from dataclasses import dataclass
from itertools import chain

from tasks.upload_validate.encodings import RAW

# A spreadsheet's cell holds 32,767 characters at most, so what is longer than this is a quote that was never closed.
RECORD_LIMIT = 1 << 20

TOO_LONG = f"a record of more than {RECORD_LIMIT:,} bytes: is a quote not closed?"
NEVER_CLOSED = "a quote that opens in this record is never closed"


@dataclass(frozen=True)
class Dialect:
    """How a table is written; the names are those of the Frictionless CSV dialect, in Python's spelling."""

    delimiter: str = ","
    quote_char: str | None = '"'
    double_quote: bool = True
    escape_char: str | None = None
    skip_initial_space: bool = False

    @property
    def for_csv(self):
        """The keyword arguments of `csv.reader`."""
        return {
            "delimiter": self.delimiter,
            "quotechar": self.quote_char,
            "doublequote": self.double_quote,
            "escapechar": self.escape_char,
            "skipinitialspace": self.skip_initial_space,
            "quoting": csv.QUOTE_MINIMAL if self.quote_char else csv.QUOTE_NONE,
        }


class Broken(list):
    """A record that cannot be read: it has no cells, and a reason."""

    def __init__(self, reason):
        super().__init__()
        self.reason = reason


class Blank(list):
    """A run of blank lines: it has no cells, and a count."""

    def __init__(self, count):
        super().__init__()
        self.count = count


class _LineTooLong(Exception):
    pass


class _RecordTooLong(Exception):
    pass


class _End(Exception):
    pass


# pylint: disable-next=too-few-public-methods,too-many-instance-attributes  # it is iterated over, and remembers where
class Records:
    """Iterates over the records of a file: (number from 1, physical line from 1 where it begins, list of cells).

    Blank lines are records too, but a run of them is handed out as one `Blank`, before the next record that is handed
    out; one at the end of the file is not handed out. What cannot be read is a `Broken`, after which it goes on with
    the next line.

    Args:
        blocks: an iterable of bytes.
        dialect: a `Dialect`.

    Attributes:
        number: how many records there have been so far.
        regular: records of so many cells are counted and not handed out, which is half the cost of most files; None
            hands out all.
        approve: takes the cells of a record; those for which it returns True are counted and not handed out.
    """

    def __init__(self, blocks, dialect):
        self.number = 0
        self.regular = None
        self.approve = lambda cells: False
        # The last run of blank lines: the number of its first one, and the physical line; the number that follows it.
        self._blank = (0, 0)
        self._blank_end = 0
        self._blocks = iter(blocks)
        self._dialect = dialect.for_csv
        self._ended = False
        self._rest = b""
        # Of the record that is being read, when the last block came: its number, and how many bytes it has by now.
        self._growing = (0, 0)

    def __iter__(self):
        line = 0
        while not self._ended:
            line = yield from self._read_on(line)
        if not self.trailing:
            yield from self._last_blanks()

    @property
    def trailing(self):
        """How many blank lines stand at the end of what was read."""
        return self._blank_end - self._blank[0] if self._blank_end == self.number + 1 else 0

    def _read_on(self, line):
        """Yields records until csv's reader has to be given up, because a record is too long or none is left."""
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
                        if self.number != self._blank_end:
                            yield from self._last_blanks()
                            self._blank = (self.number, line + read + 1)
                        self._blank_end = self.number + 1
                    else:
                        yield from self._last_blanks()
                        yield self.number, line + read + 1, cells
                        # One of a million cells takes 30 MB: it is gone before the next one is read.
                        cells = None
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
                self._ended = True
                if reader.line_num > read:
                    yield from self._broken(line + read, NEVER_CLOSED)
                return line

    def _broken(self, line, reason):
        self.number += 1
        yield from self._last_blanks()
        yield self.number, line + 1, Broken(reason)

    def _last_blanks(self):
        """Yields the last run of blank lines, if it was not yet."""
        count = self._blank_end - self._blank[0]
        if count:
            yield *self._blank, Blank(count)
        self._blank, self._blank_end = (0, 0), 0

    def _next_lines(self):
        """Returns the whole lines of the next block; what is left over is put before the block after it."""
        block = next(self._blocks, None)
        if block is None:
            if not self._rest:
                raise _End
            rest, self._rest = self._rest, b""
            return [line.decode(RAW) for line in rest.splitlines(True)]
        # Unlike a text's, a bytes' lines end at CR, LF and CRLF only. The last one may go on in the next block, and so
        # may a line end, if this block ends within CRLF.
        lines = (self._rest + block).splitlines(True)
        self._rest = lines.pop() if lines else b""
        if not lines and len(self._rest) > RECORD_LIMIT:
            self._skip_line()
            raise _LineTooLong
        self._watch(len(block))
        return [line.decode(RAW) for line in lines]

    def _watch(self, size):
        number, grown = self._growing
        grown = grown + size if number == self.number else size
        self._growing = (self.number, grown)
        if grown > 2 * RECORD_LIMIT:
            self._growing = (self.number, 0)
            raise _RecordTooLong

    def _skip_line(self):
        lines = [self._rest[-1:]]
        while len(lines) < 2 and (block := next(self._blocks, None)) is not None:
            lines = (lines[0][-1:] + block).splitlines(True)
        self._rest = b"".join(lines[1:])
