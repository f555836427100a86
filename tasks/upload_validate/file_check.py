"""One uploaded file, judged while its bytes pass: nothing is kept but what was found."""

from codecs import BOM_UTF8
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, starmap
from typing import Any

from tasks.upload_validate.delimiter import SAMPLE, sniff
from tasks.upload_validate.encodings import BinaryError, Encoding, WrongEncodingError, decoded
from tasks.upload_validate.problems import MORE, GivenUpError, Problem, Problems, excerpt_of
from tasks.upload_validate.records import Blank, Broken, Records

UNKNOWN = "unknown"

EMPTY = "File is empty"
UNDECODABLE = "Failed to decode body using any expected encoding"
UNPARSEABLE = "Failed to parse body"
# As many as a spreadsheet has: what a table is shows in these.
COLUMNS = 16_384

TOO_NARROW = "File has only {} columns. We might have failed to detect the delimiter"
INCOMPLETE = "Incomplete file: Expected {} columns on row {} found {}"
NO_TABLE = "No table of this upload has a file of this name"


@dataclass(frozen=True)
class FileFinding:  # pylint: disable=too-many-instance-attributes  # plain facts, each for itself
    """What became known of one file.

    Attributes:
        key: the object's key.
        rows: its records, the header counted and blank lines at the end not; where it was given up, those until then.
        encoding: its encoding, or "" where it is no text in an expected one.
        byte_order_mark: whether it begins with the mark of UTF-8.
        kind: which of the profile's kinds it is by its header, else `unknown`.
        recognised_as: what it is instead of a table, or "".
        problems: the first `Problem`s.
        problem_count: how many there are in all; one more than `problems.COUNTED` where they are not all counted.
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
        self.schema = self.table.schema.begin(self._judged_encodings) if self.table.schema else None
        self.delimiter = self.table.dialect.delimiter
        self.records = None

    def run(self, blocks):
        """Passes the file through and returns the finding."""
        name = ""
        try:
            first, blocks = _peek(blocks)
            self._read(first, map(self.encoding.pass_on, blocks))
            name = self.encoding.finish()
        except GivenUpError as error:
            name = self.encoding.alive[0]
            self.rows = self.records.number
            self.problems.end(error)
        except WrongEncodingError as error:
            self._refuse(UNDECODABLE, error)
        except BinaryError as error:
            self._refuse(UNPARSEABLE, error)
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
            problems.add(lambda problem=problem: problem)
        return problems

    def _refuse(self, text, error):
        """Forgets what was found so far: what is no table has no rows that could be wrong."""
        self.problems = self._no_problems_yet()
        self.problems.add(partial(Problem, text))
        self.rows, self.kind, self.recognised_as = 0, UNKNOWN, str(error)

    def _read(self, sample, blocks):
        if self.delimiter is None:
            suggested = self.profile.delimiter_by_name(self.key)
            self.delimiter = sniff(sample.removeprefix(BOM_UTF8), self.profile.delimiters, suggested)
        records = self.records = Records(blocks, replace(self.table.dialect, delimiter=self.delimiter))
        rest = iter(records)
        if self.table.comment_char:
            # Where there are comments, blank lines set them off and are no rows either.
            rest = (record for record in rest if not (isinstance(record[2], Blank) or self._is_comment(record[2])))
        blank = None
        for first in rest:
            if not isinstance(first[2], Blank):
                break
            blank = first
        else:
            self._add(EMPTY)
            return
        width = self._begin(first)
        if blank:
            self._add_blank_lines(*blank, width)
        if isinstance(first[2], Broken) or not self.table.header:
            rest = chain([first], rest)
        if self.schema is None:
            # Without a schema a row is right when it is as long as the header, and need not be looked at.
            records.regular = width
        else:
            records.approve = self._approve_or_skip if self.table.comment_char else self.schema.approve
        # A record is let go before the next one is read, and so is the header.
        del first
        for _ in starmap(partial(self._judge_record, width), rest):
            pass
        self.rows = records.number - records.trailing

    def _begin(self, first):
        """Judges the first record as the header, and returns how many cells a row should have."""
        cells = first[2]
        if self.table.header:
            self.kind = self.profile.kind_of([self._text_so_far(cell) for cell in cells[:COLUMNS]])
        if isinstance(cells, Broken):
            return self.schema.width if self.schema else 0
        if len(cells) < self.profile.least_columns:
            self._add(TOO_NARROW.format(len(cells)), first)
        if self.schema is None:
            return len(cells)
        if self.table.header:
            self._judge(first, partial(self.schema.header_problems, cells))
        return self.schema.width

    def _judge_record(self, width, number, line, cells):
        record = (number, line, cells)
        if isinstance(cells, Broken):
            self._add(UNPARSEABLE, record)
        elif isinstance(cells, Blank):
            self._add_blank_lines(*record, width)
        elif len(cells) < width:
            self._add_incomplete(record, width)
        elif self.schema:
            self._judge(record, partial(self.schema.row_problems, number, cells))
            for sentence in self.schema.repetitions(number, cells):
                self._add(sentence, record)

    def _add_blank_lines(self, number, line, blank, width):
        kept = min(blank.count, self.limit)
        for offset in range(kept):
            self._add_incomplete((number + offset, line + offset, []), width)
        self.problems.count_more(blank.count - kept)
        self._stop_if_full()

    def _add_incomplete(self, record, width):
        self._add(lambda: INCOMPLETE.format(width, record[0], len(record[2])), record)

    def _approve_or_skip(self, cells):
        return self._is_comment(cells) or self.schema.approve(cells)

    def _is_comment(self, cells):
        return bool(cells) and cells[0].startswith(self.table.comment_char)

    def _judge(self, record, judge):
        """Adds what `judge(encoding)` yields, under each encoding that is possible where that makes a difference."""
        if all(map(str.isascii, record[2])):
            for sentence in judge("ascii"):
                self._add(sentence, record)
            return
        for name in self._judged_encodings():
            for sentence in judge(name):
                self._add(sentence, record, encodings=[name])

    def _judged_encodings(self):
        alive, full = self.encoding.alive, self.problems.full
        return [name for name in alive if name not in full] if full else alive

    def _add(self, sentence, record=(None, None, ()), *, encodings=None):
        """Adds a problem; `sentence` is a text, or a function that returns it."""

        def describe():
            number, line, cells = record
            text = sentence if isinstance(sentence, str) else sentence()
            excerpt = cells.reason if isinstance(cells, Broken) else excerpt_of(cells, self.delimiter)
            return Problem(text, number, line, excerpt)

        self.problems.add(describe, encodings=encodings)
        self._stop_if_full()

    def _stop_if_full(self):
        if self.problems.full and not self._judged_encodings():
            raise GivenUpError(MORE)

    def _text_so_far(self, cell):
        return decoded(cell, self.encoding.alive[0])


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
