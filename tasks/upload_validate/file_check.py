"""The check of one file in one pass: only the findings are kept."""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, starmap
from typing import TypeAlias

from tasks.upload_validate.encodings import BinaryError, Encoding, NoTextError, WrongEncodingError, decoded
from tasks.upload_validate.findings import (
    MORE,
    FileFinding,
    GivenUpError,
    Problem,
    ProblemCollector,
    TextFormat,
    excerpt_of,
)
from tasks.upload_validate.lines import SAMPLE, sep_line
from tasks.upload_validate.profile import Profile, Table
from tasks.upload_validate.records import Blank, Broken, Record, Records, sniff_delimiter
from tasks.upload_validate.schema_check import SchemaCheck

EMPTY = "File is empty"
UNDECODABLE = "Failed to decode body using any expected encoding"
UNPARSEABLE = "Failed to parse body"
TOO_NARROW = "File has only {} columns. We might have failed to detect the delimiter"
INCOMPLETE = "Incomplete file: Expected {} columns on row {} found {}"
NO_TABLE = "No table of this upload has a file of this name"

# As many as a spreadsheet has: the kind of a file shows in these.
COLUMNS = 16_384

# A sentence, or a function that returns it; it is called only if the problem is kept in full.
Sentence: TypeAlias = str | Callable[[], str]

_NO_RECORD: tuple[None, None, Sequence[str]] = (None, None, ())


def check_file(key: str, size: int, blocks: Iterable[bytes], *, profile: Profile, limit: int) -> FileFinding:
    """Check one file against a profile.

    Args:
        key: the object's key.
        size: its size in bytes, from S3.
        blocks: its bytes; not touched if the file is too large to be read.
        profile: the `Profile`.
        limit: how many problems are kept in full.

    Returns:
        A `FileFinding`, for any bytes. Errors that `blocks` raises are not caught.
    """
    wrong = tuple(Problem(text) for text in profile.size.problems(size))
    table = profile.table_for(key)
    if table is None:
        wrong += (Problem(NO_TABLE),)
    if table is None or profile.size.is_over(size):
        return FileFinding(key, problems=wrong, problem_count=len(wrong))
    subject = _Subject(key, profile, table, wrong, limit)
    check = _FileCheck(subject, blocks, profile.delimiter_by_name(key))
    check.read()
    return check.finding()


@dataclass(frozen=True)
class _Subject:
    """The file to check, and what it is checked against.

    Attributes:
        key: the object's key.
        profile: the `Profile`.
        table: the `Table` for this file.
        wrong: the problems of its size.
        limit: how many problems are kept in full.
    """

    key: str
    profile: Profile
    table: Table
    wrong: tuple[Problem, ...]
    limit: int

    def new_problems(self) -> ProblemCollector:
        """Return a collector that holds the problems of the size."""
        problems = ProblemCollector(self.table.encodings, self.limit)
        for problem in self.wrong:
            problems.add(partial(replace, problem))
        return problems


class _FileCheck:
    """The check of one file, with what it has found so far.

    Args:
        subject: the `_Subject`.
        blocks: the bytes of the file.
        suggested: the delimiter that the file's name suggests.
    """

    def __init__(self, subject: _Subject, blocks: Iterable[bytes], suggested: str) -> None:
        table = subject.table
        self._subject = subject
        self._finding = FileFinding(subject.key)
        self._problems = subject.new_problems()
        self._encoding = Encoding(table.encodings)
        self._schema = SchemaCheck(table.schema, self._checked_encodings) if table.schema else None
        sample, blocks = _peek(blocks)
        blocks = map(self._encoding.pass_on, blocks)
        sample = sample.removeprefix(BOM_UTF8)
        skipped, named = sep_line(sample)
        choices = subject.profile.columns.delimiters
        delimiter = table.dialect.delimiter or (
            named if named in choices else sniff_delimiter(sample[skipped:], choices, suggested)
        )
        self._records = Records(
            _without_start(blocks, skipped),
            replace(table.dialect, delimiter=delimiter),
            first_line=2 if skipped else 1,
        )

    def finding(self) -> FileFinding:
        """Return the finding, after `read`."""
        encoding = self._finding.text.encoding
        kept, count = self._problems.of(encoding or self._subject.table.encodings[0])
        return replace(self._finding, problems=tuple(kept), problem_count=count)

    def read(self) -> None:
        """Read the file to its end, or until the check gives up."""
        encoding = ""
        try:
            self._read_records()
            encoding = self._encoding.finish()
        except GivenUpError as error:
            encoding = self._encoding.alive[0]
            self._finding = replace(self._finding, rows=self._records.number)
            self._problems.end(error)
        except WrongEncodingError as error:
            self._refuse(UNDECODABLE, error)
        except BinaryError as error:
            self._refuse(UNPARSEABLE, error)
        self._finding = replace(self._finding, text=TextFormat(encoding, self._encoding.mark))

    def _refuse(self, text: str, error: NoTextError) -> None:
        """Drop the earlier findings: a file that is no table has no rows."""
        self._problems = self._subject.new_problems()
        self._problems.add(partial(Problem, text, reason=f"This is {error}. {error.remedy}"))
        self._finding = FileFinding(self._subject.key, recognised_as=str(error))

    def _read_records(self) -> None:
        table, records = self._subject.table, self._records
        rest = self._without_comments(iter(records))
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
        if isinstance(first[2], Broken) or not table.header:
            rest = chain([first], rest)
        if self._schema is None:
            # Without a schema a row is valid if it is as long as the header.
            records.regular = width
        else:
            records.approve = (
                partial(self._approve_or_skip, self._schema) if table.comment_char else self._schema.approve
            )
        # The header, like every record, is released before the next one is read.
        del first
        for _ in starmap(partial(self._check_record, width), rest):
            pass
        self._finding = replace(self._finding, rows=records.number - records.trailing)

    def _without_comments(self, records: Iterator[Record]) -> Iterator[Record]:
        if not self._subject.table.comment_char:
            return records
        # In a file with comments, blank lines set the comments off and are no rows either.
        return (record for record in records if not (isinstance(record[2], Blank) or self._is_comment(record[2])))

    def _begin(self, first: Record) -> int:
        """Check the first record as the header, and return the number of cells of a row."""
        cells, profile = first[2], self._subject.profile
        if self._subject.table.header:
            encoding = self._encoding.alive[0]
            kind = profile.kind_of([decoded(cell, encoding) for cell in cells[:COLUMNS]])
            self._finding = replace(self._finding, kind=kind)
        if isinstance(cells, Broken):
            return self._schema.width if self._schema else 0
        if len(cells) < profile.columns.least:
            self._add(TOO_NARROW.format(len(cells)), first)
        if self._schema is None:
            return len(cells)
        if self._subject.table.header:
            self._check(first, partial(self._schema.header_problems, cells))
        return self._schema.width

    def _check_record(self, width: int, number: int, line: int, cells: list[str]) -> None:
        record = (number, line, cells)
        if isinstance(cells, Broken):
            self._add_broken(record, cells, width)
        elif isinstance(cells, Blank):
            self._add_blank_lines(*record, width)
        elif len(cells) < width:
            self._add_incomplete(record, width)
        elif self._schema:
            self._check(record, partial(self._schema.row_problems, number, cells))
            for sentence in self._schema.repetitions(number, cells):
                self._add(sentence, record)

    def _add_blank_lines(self, number: int, line: int, blank: list[str], width: int) -> None:
        count = blank.lines if isinstance(blank, Blank) else 0
        kept = min(count, self._subject.limit)
        for offset in range(kept):
            self._add_incomplete((number + offset, line + offset, []), width)
        self._problems.count_more(count - kept)
        self._stop_if_full()

    def _add_broken(self, record: Record, broken: Broken, width: int) -> None:
        """Add the errors of a record that cannot be read to its end; a file that was cut off is a short row first."""
        if 0 < len(broken) < width:
            self._add_incomplete(record, width)
        self._add(UNPARSEABLE, (record[0], broken.line, broken), reason=broken.reason)

    def _add_incomplete(self, record: Record, width: int) -> None:
        self._add(lambda: INCOMPLETE.format(width, record[0], len(record[2])), record)

    def _approve_or_skip(self, schema: SchemaCheck, cells: list[str]) -> bool:
        return self._is_comment(cells) or schema.approve(cells)

    def _is_comment(self, cells: list[str]) -> bool:
        return bool(cells) and cells[0].startswith(self._subject.table.comment_char or "")

    def _check(self, record: Record, check: Callable[[str], Iterable[Sentence]]) -> None:
        """Add what `check(encoding)` yields, for each possible encoding if the encoding makes a difference."""
        if all(map(str.isascii, record[2])):
            for sentence in check("ascii"):
                self._add(sentence, record)
            return
        for name in self._checked_encodings():
            for sentence in check(name):
                self._add(sentence, record, encodings=[name])

    def _checked_encodings(self) -> list[str]:
        alive, full = self._encoding.alive, self._problems.full
        return [name for name in alive if name not in full] if full else alive

    def _add(
        self,
        sentence: Sentence,
        record: tuple[int | None, int | None, Sequence[str]] = _NO_RECORD,
        *,
        encodings: list[str] | None = None,
        reason: str = "",
    ) -> None:
        def describe() -> Problem:
            number, line, cells = record
            text = sentence if isinstance(sentence, str) else sentence()
            return Problem(text, number, line, excerpt_of(cells, self._records.delimiter), reason)

        self._problems.add(describe, encodings=encodings)
        self._stop_if_full()

    def _stop_if_full(self) -> None:
        if self._problems.full and not self._checked_encodings():
            raise GivenUpError(MORE)


def _without_start(blocks: Iterator[bytes], length: int) -> Iterator[bytes]:
    """Yield the blocks without the first bytes, which are all in the first block."""
    for block in blocks:
        yield block[length:]
        break
    yield from blocks


def _peek(blocks: Iterable[bytes]) -> tuple[bytes, Iterable[bytes]]:
    """Return a first block that is large enough to recognise the file, and all blocks from that one on."""
    blocks = iter(blocks)
    taken: list[bytes] = []
    length = 0
    for block in blocks:
        taken.append(block)
        length += len(block)
        if length >= SAMPLE:
            break
    first = b"".join(taken)
    return first, chain([first], blocks)
