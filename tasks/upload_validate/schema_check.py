"""The rows of one file, checked against a Table Schema within bounded time and memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tasks.upload_validate.encodings import decoded
from tasks.upload_validate.field_types import DATED, READERS, CellFormat
from tasks.upload_validate.findings import GivenUpError
from tasks.upload_validate.table_schema import NAMED, Field, IsBroken, TableSchema, shortened

# The values of a file that are remembered to find repeated ones: about 30 MB. If a file has more, the report says that
# its columns are not searched for repeated values.
UNIQUE_LIMIT = 250_000
# The characters of a cell that a sentence quotes.
QUOTED = 60
# The valid cells of a file that are remembered, so that equal cells are not checked again, and their greatest length:
# about 4 MB. All numbers of four digits fit.
REMEMBERED = 1 << 15
REMEMBERED_LENGTH = 24
# The steps that the check of a file's cells may cost; with all other work for a cell a step takes one to two
# microseconds. 150 MB of distinct cells of five characters cost 25 million. Remembered cells cost nothing.
EFFORT = 24_000_000
# Python's strptime takes many times as long as any other reader; numbers that are not bare and points are read twice.
_STRPTIME_COST = 8
_LONGER_COST = 2
# A pattern takes as long for this many characters as the other constraints for a cell.
_PATTERN_LENGTH = 16

Positions = tuple[int, ...]
# A function that returns the sentence of a problem, because most sentences are not kept.
Sentence = Callable[[], str]


@dataclass(frozen=True)
class _CellCheck:
    """The check of the cells of one column.

    Attributes:
        read: the reader of the column's type.
        form: the column's `CellFormat`.
        kind: the type for a sentence.
        checks: the constraints.
        has_pattern: whether a longer cell costs more.
        base_cost: the cost of a short cell in ASCII, in the steps of `EFFORT`.
    """

    read: Callable[[str, CellFormat], Any]
    form: CellFormat
    kind: str
    checks: tuple[tuple[str, IsBroken], ...]
    has_pattern: bool
    base_cost: int

    @classmethod
    def of(cls, field: Field) -> "_CellCheck":
        """Return the check for a field."""
        form = field.form.format
        return cls(
            read=READERS[field.type],
            form=field.form,
            kind=field.type if form in ("default", "any") else f"{field.type} ({form})",
            checks=tuple(field.constraints.checks(field.type)),
            has_pattern=field.constraints.pattern is not None,
            base_cost=_base_cost(field),
        )

    def faults(self, text: str) -> Sequence[str]:
        """Return a sentence without a subject for each problem of a text that is a value."""
        try:
            value = self.read(text, self.form)
        except ValueError:
            return [f"is not of type {self.kind}"]
        if not self.checks:
            return ()
        return [sentence for sentence, is_broken in self.checks if is_broken(value, text)]


def _base_cost(field: Field) -> int:
    if field.type in DATED and field.form.format not in ("default", "any"):
        return _STRPTIME_COST
    return 1 if field.form.numbers.bare and field.type != "geopoint" else _LONGER_COST


@dataclass(eq=False)
class _Column:
    """A column that may have invalid cells.

    Attributes:
        at: its position.
        name: its name for a sentence.
        is_required: whether a cell without a value is invalid.
        is_unique: whether each value has to be compared with the earlier ones.
        check: the `_CellCheck`.
        valid: cells that are known to be valid, not decoded.
    """

    at: int
    name: str
    is_required: bool
    is_unique: bool
    check: _CellCheck
    valid: set[str]


@dataclass
class _Repetitions:
    """The values of unique columns, and of primary keys, that occurred so far.

    Attributes:
        seen: for each group of columns whose values together may not occur twice, the rows by the hash of the values.
        compares_several: whether the values of several columns are compared together.
        values: the number of values that are remembered.
    """

    seen: dict[Positions, dict[int, int]]
    compares_several: bool
    values: int = 0

    @classmethod
    def of(cls, schema: TableSchema) -> "_Repetitions":
        """Return the empty state for a schema."""
        unique = [(at,) for at, field in enumerate(schema.fields) if field.constraints.unique]
        groups = [*unique, *([schema.keys] if schema.keys else [])]
        return cls({positions: {} for positions in groups}, len(schema.keys) > 1)

    def first_row(self, positions: Positions, values: tuple[str, ...], number: int) -> int | None:
        """Return the earlier row with the same values; if there is none, remember this row and return None.

        Raises:
            OverflowError: no more values can be remembered, and these columns are no longer compared.
        """
        seen = self.seen[positions]
        # A hash has 64 bits: among 250,000 values two are mistaken for one in one file out of half a billion.
        mark = hash(values)
        if mark in seen:
            return seen[mark]
        if self.values >= UNIQUE_LIMIT:
            del self.seen[positions]
            self.compares_several = any(len(each) > 1 for each in self.seen)
            raise OverflowError
        seen[mark] = number
        self.values += 1
        return None


class SchemaCheck:
    """Checks the rows of one file. Cells are given as they were read: as `encodings.RAW`.

    Args:
        schema: the `TableSchema`.
        encodings: returns the names of the encodings under which cells are checked at the moment.

    Attributes:
        width: the number of columns.
    """

    def __init__(self, schema: TableSchema, encodings: Callable[[], list[str]]) -> None:
        self.width = len(schema.fields)
        self._schema = schema
        self._encodings = encodings
        self._repetitions = _Repetitions.of(schema)
        self._columns = [
            _Column(
                at,
                shortened(field.name, NAMED),
                field.constraints.required,
                (at,) in self._repetitions.seen,
                _CellCheck.of(field),
                set(),
            )
            for at, field in enumerate(schema.fields)
            if (at,) in self._repetitions.seen or not field.takes_anything
        ]
        self._remembered = 0
        self._effort = EFFORT

    def header_problems(self, cells: Sequence[str], encoding: str) -> Iterator[Sentence]:
        """Yield the problems of the header.

        Args:
            cells: the header's cells.
            encoding: the encoding of the cells.
        """
        for at, field in enumerate(self._schema.fields):
            if at >= len(cells):
                yield partial(_missing_column, at + 1, field.name)
            elif self._folded(decoded(cells[at], encoding)) != self._folded(field.name):
                yield partial(_wrong_heading, at + 1, decoded(cells[at], encoding), field.name)
        surplus = len(cells) - self.width
        if surplus == 1:
            yield lambda: f"Column {self.width + 1} is not in the schema: {quoted(decoded(cells[-1], encoding))}"
        elif surplus > 1:
            yield (
                lambda: (
                    f"Columns {self.width + 1} to {len(cells)} are not in the schema, "
                    f"from {quoted(decoded(cells[self.width], encoding))} on"
                )
            )

    def approve(self, cells: list[str]) -> bool:
        """Remember the valid cells of a row; return whether the row is valid and no later row depends on it.

        Rows for which this returns False are given to `row_problems`.

        Raises:
            GivenUpError: the check of the file's cells costs too much.
        """
        if len(cells) != self.width or self._repetitions.compares_several:
            return False
        for column in self._columns:
            cell = cells[column.at]
            if cell not in column.valid and not self._approve_cell(column, cell):
                return False
        return True

    def row_problems(self, number: int, cells: Sequence[str], encoding: str) -> Iterator[Sentence]:
        """Yield the problems of a row.

        Args:
            number: the row's number.
            cells: as many cells as there are columns, or more.
            encoding: the encoding of the cells.
        """
        if len(cells) > self.width:
            yield lambda: f"Row {number} has {len(cells)} columns: expected {self.width}"
        for column in self._columns:
            cell = cells[column.at]
            if cell in column.valid:
                continue
            text = decoded(cell, encoding)
            if text in self._schema.missing:
                if column.is_required:
                    yield partial(_missing_value, number, column.name)
                continue
            self._spend(column, cell)
            for fault in column.check.faults(text):
                yield partial(_wrong_cell, number, column.name, fault, text)

    def repetitions(self, number: int, cells: Sequence[str]) -> Iterator[Sentence]:
        """Yield the values of a row that occurred before. Rows have to be given in order, and each once."""
        for positions in list(self._repetitions.seen):
            values = tuple(cells[at] for at in positions)
            if len(values) == 1 and values[0] in self._schema.missing:
                continue
            try:
                row = self._repetitions.first_row(positions, values, number)
            except OverflowError:
                self._stop_comparing(positions)
                yield partial(self._not_searched, positions)
                continue
            if row is not None:
                yield partial(self._repeated, number, positions, row)

    def _repeated(self, number: int, positions: Positions, row: int) -> str:
        return f'Row {number}, column "{self._names(positions)}" repeats the value of row {row}'

    def _not_searched(self, positions: Positions) -> str:
        return (
            f'Column "{self._names(positions)}" is not searched for repeated values: '
            f"unique columns may have {UNIQUE_LIMIT:,} values in all"
        )

    def _names(self, positions: Positions) -> str:
        return ", ".join(shortened(self._schema.fields[at].name, NAMED) for at in positions)

    def _stop_comparing(self, positions: Positions) -> None:
        for column in self._columns:
            if positions == (column.at,):
                column.is_unique = False

    def _approve_cell(self, column: _Column, cell: str) -> bool:
        if cell.isascii():
            if not self._is_valid(column, cell, cell):
                return False
        else:
            # Most encodings decode most cells to the same text.
            texts = {decoded(cell, encoding) for encoding in self._encodings()}
            if not all(self._is_valid(column, cell, text) for text in texts):
                return False
        if len(cell) <= REMEMBERED_LENGTH:
            if self._remembered == REMEMBERED:
                self._forget()
            column.valid.add(cell)
            self._remembered += 1
        return True

    def _is_valid(self, column: _Column, cell: str, text: str) -> bool:
        if text in self._schema.missing:
            return not column.is_required
        if column.is_unique:
            return False
        self._spend(column, cell)
        return not column.check.faults(text)

    def _forget(self) -> None:
        for column in self._columns:
            column.valid.clear()
        self._remembered = 0

    def _spend(self, column: _Column, cell: str) -> None:
        check = column.check
        # A cell that is not ASCII has to be decoded first.
        cost = check.base_cost if cell.isascii() else check.base_cost + 1
        self._effort -= cost + (len(cell) // _PATTERN_LENGTH if check.has_pattern else 0)
        if self._effort < 0:
            raise GivenUpError("File has too many different values to check them all: upload it in parts")

    def _folded(self, name: str) -> str:
        return name.strip() if self._schema.case_sensitive else name.strip().casefold()


def quoted(text: str) -> str:
    """Return the beginning of a cell's text in quotes and in one line."""
    return f'"{shortened(text, QUOTED)}"'


def _missing_column(number: int, name: str) -> str:
    return f'Column {number} "{shortened(name, NAMED)}" is missing'


def _missing_value(number: int, name: str) -> str:
    return f'Row {number}, column "{name}" is required and has no value'


def _wrong_heading(number: int, heading: str, expected: str) -> str:
    return f'Column {number} is headed {quoted(heading)}: expected "{shortened(expected, NAMED)}"'


def _wrong_cell(number: int, name: str, fault: str, text: str) -> str:
    return f'Row {number}, column "{name}" {fault}: {quoted(text)}'
