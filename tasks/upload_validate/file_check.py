"""One uploaded file, judged while its bytes pass: nothing is kept but what was found."""

from codecs import BOM_UTF8
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from tasks.upload_validate.delimiter import SAMPLE, sniff
from tasks.upload_validate.encodings import BinaryError, Encoding, WrongEncodingError, decoded
from tasks.upload_validate.problems import Problem, Problems, excerpt_of
from tasks.upload_validate.records import Broken, Records

UNKNOWN = "unknown"

EMPTY = "File is empty"
UNDECODABLE = "Failed to decode body using any expected encoding"
UNPARSEABLE = "Failed to parse body"
NO_TABLE = "No table of this upload has a file of this name"


@dataclass(frozen=True)
class FileFinding:  # pylint: disable=too-many-instance-attributes  # plain facts, each for itself
    """What became known of one file.

    Attributes:
        key: the object's key.
        rows: its records, the header counted and blank lines at the end not.
        encoding: its encoding, or "" where it is no text in an expected one.
        byte_order_mark: whether it begins with the mark of UTF-8.
        kind: which of the profile's kinds it is by its header, else `unknown`.
        recognised_as: what it is instead of a table, or "".
        problems: the first `Problem`s.
        problem_count: how many there are in all.
    """

    key: str
    rows: int = 0
    encoding: str = ""
    byte_order_mark: bool = False
    kind: str = UNKNOWN
    recognised_as: str = ""
    problems: tuple = ()
    problem_count: int = 0

    @property
    def valid(self):
        """Whether nothing is wrong with it."""
        return self.problem_count == 0

    def with_problem(self, problem):
        """Returns the finding with one more problem, which concerns the file as a part of its set."""
        return replace(self, problems=(*self.problems, problem), problem_count=self.problem_count + 1)


def check_file(key, size, blocks, *, profile, limit):
    """Judges one file by a profile.

    Args:
        key: the object's key.
        size: its bytes, as S3 says.
        blocks: an iterable of bytes; it is not touched where the file is too large to be looked at.
        profile: a `Profile`.
        limit: how many problems are kept in full.

    Returns:
        A `FileFinding`. Any bytes at all give one; what reading `blocks` raises is not caught.
    """
    wrong = tuple(Problem(text) for text in profile.size.problems(size))
    table = profile.table_for(key)
    if table is None:
        wrong += (Problem(NO_TABLE),)
    if table is None or profile.size.is_over(size):
        return FileFinding(key, problems=wrong, problem_count=len(wrong))
    return _FileCheck(key, profile, table, wrong, limit).run(blocks)


@dataclass
class _FileCheck:  # pylint: disable=too-many-instance-attributes  # what it was given, and what it has found so far
    key: str
    profile: Any
    table: Any
    wrong: tuple
    limit: int
    rows: int = 0
    kind: str = UNKNOWN
    recognised_as: str = ""

    def __post_init__(self):
        self.encoding = Encoding(self.table.encodings)
        self.problems = self._no_problems_yet()
        self.schema = self.table.schema.begin() if self.table.schema else None
        self.delimiter = self.table.dialect.delimiter

    def run(self, blocks):
        """Passes the file through and returns the finding."""
        name = ""
        try:
            first, blocks = _peek(blocks)
            self._read(first, map(self.encoding.pass_on, blocks))
            name = self.encoding.finish()
        except WrongEncodingError as error:
            self._give_up(UNDECODABLE, error)
        except BinaryError as error:
            self._give_up(UNPARSEABLE, error)
        kept, count = self.problems.of(name or self.table.encodings[0])
        return FileFinding(
            key=self.key,
            rows=self.rows,
            encoding=name,
            byte_order_mark=self.encoding.mark,
            kind=self.kind,
            recognised_as=self.recognised_as,
            problems=tuple(kept),
            problem_count=count,
        )

    def _no_problems_yet(self):
        problems = Problems(self.table.encodings, self.limit)
        for problem in self.wrong:
            problems.add(problem)
        return problems

    def _give_up(self, text, error):
        """Forgets what was found so far: what is no table has no rows that could be wrong."""
        self.problems = self._no_problems_yet()
        self.problems.add(Problem(text))
        self.rows, self.kind, self.recognised_as = 0, UNKNOWN, str(error)

    def _read(self, sample, blocks):
        if self.delimiter is None:
            suggested = self.profile.delimiter_by_name(self.key)
            self.delimiter = sniff(sample.removeprefix(BOM_UTF8), self.profile.delimiters, suggested)
        records = Records(blocks, replace(self.table.dialect, delimiter=self.delimiter))
        rest = iter(records)
        if self.table.comment_char:
            # Where there are comments, blank lines set them off and are no rows either.
            rest = (record for record in rest if not (_is_blank(record) or self._is_comment(record)))
        first = next((record for record in rest if not _is_blank(record)), None)
        if first is None:
            self.problems.add(Problem(EMPTY))
            return
        number, _, cells = first
        width = self._begin(first)
        if not self.table.comment_char:
            self._tell_blank_lines((1, 1, number - 1), width)
        if isinstance(cells, Broken) or not self.table.header:
            rest = chain([first], rest)
        # Without a schema a row is right when it is as long as the header, and need not be looked at.
        records.regular = width if self.schema is None else None
        trailing = self._go_through(rest, records, width)
        self.rows = records.number - trailing

    def _begin(self, first):
        """Judges the first record as the header, and returns how many cells a row should have."""
        number, line, cells = first
        if self.table.header:
            self.kind = self.profile.kind_of([self._text_so_far(cell) for cell in cells])
        if isinstance(cells, Broken):
            return self.schema.width if self.schema else 0
        if len(cells) < self.profile.least_columns:
            text = f"File has only {len(cells)} columns. We might have failed to detect the delimiter"
            self.problems.add(Problem(text, number, line, self._excerpt(cells)))
        if self.schema is None:
            return len(cells)
        if self.table.header:
            self._judge(first, self.schema.header_problems)
        return self.schema.width

    def _go_through(self, rest, records, width):
        """Judges the rows, and returns how many blank lines stand at the end, where they do no harm."""
        # The last run of blank lines: the number of its first one, the line that is, and how many there are.
        blank = (0, 0, 0)
        for record in rest:
            number, line, _ = record
            if number != sum(blank[::2]):
                # Records that were not handed out came between.
                self._tell_blank_lines(blank, width)
                blank = (number, line, 0)
            if _is_blank(record):
                blank = (*blank[:2], blank[2] + 1)
                continue
            self._tell_blank_lines(blank, width)
            blank = (number + 1, line, 0)
            self._judge_record(record, width)
        if records.number + 1 == sum(blank[::2]):
            return blank[2]
        self._tell_blank_lines(blank, width)
        return 0

    def _judge_record(self, record, width):
        number, line, cells = record
        if isinstance(cells, Broken):
            self.problems.add(Problem(UNPARSEABLE, number, line, cells.reason))
        elif len(cells) < width:
            self._tell_incomplete(number, line, cells, width)
        elif self.schema:
            self._judge_row(record)

    def _tell_blank_lines(self, blank, width):
        """Tells blank lines that are followed by rows: the number of the first one, its line, how many there are."""
        first_number, first_line, count = blank
        told = min(count, self.limit)
        for offset in range(told):
            self._tell_incomplete(first_number + offset, first_line + offset, [], width)
        self.problems.count_more(count - told)

    def _tell_incomplete(self, number, line, cells, width):
        text = f"Incomplete file: Expected {width} columns on row {number} found {len(cells)}"
        self.problems.add(Problem(text, number, line, self._excerpt(cells)))

    def _is_comment(self, record):
        _, _, cells = record
        return bool(cells) and cells[0].startswith(self.table.comment_char)

    def _judge_row(self, record):
        number, line, cells = record
        self._judge(record, self.schema.row_problems)
        for text in self.schema.repetitions(number, cells):
            self.problems.add(Problem(text, number, line, self._excerpt(cells)))

    def _judge(self, record, judge):
        """Holds a record against the schema, under each encoding that is possible where that makes a difference."""
        number, line, cells = record
        if all(map(str.isascii, cells)):
            for text in judge(number, cells):
                self.problems.add(Problem(text, number, line, self._excerpt(cells)))
            return
        for name in self.encoding.alive:
            for text in judge(number, [decoded(cell, name) for cell in cells]):
                self.problems.add(Problem(text, number, line, self._excerpt(cells)), encodings=[name])

    def _text_so_far(self, cell):
        return decoded(cell, self.encoding.alive[0])

    def _excerpt(self, cells):
        return excerpt_of(cells, self.delimiter)


def _is_blank(record):
    _, _, cells = record
    return not cells and not isinstance(cells, Broken)


def _peek(blocks):
    """Returns a first block that is large enough to tell what the file is, and all blocks, beginning with that one."""
    blocks = iter(blocks)
    taken, length = [], 0
    for block in blocks:
        taken.append(block)
        length += len(block)
        if length >= SAMPLE:
            break
    first = b"".join(taken)
    return first, chain([first], blocks)
