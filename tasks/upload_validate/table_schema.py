"""A Frictionless Table Schema: what the columns of a table are, and what their cells have to be.

https://specs.frictionlessdata.io/table-schema/
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.upload_validate.encodings import decoded
from tasks.upload_validate.field_types import DATED, FORMATS, MEASURED, ORDERED, READERS
from tasks.upload_validate.patterns import CELL_LIMIT, Pattern, PatternError
from tasks.upload_validate.problems import GivenUpError
from tasks.utils.s3_object import printable

# How many different values of a file are remembered to find one that occurs twice: about 30 MB. What has more of them
# is not said to be unique without having been looked at.
UNIQUE_LIMIT = 250_000
# A cell is quoted in a sentence by its beginning, and so are a column's name and a pattern.
QUOTED = 60
NAMED = 200
# How many right cells of a file are remembered, so that they are not judged again, and how long they are: about 4 MB.
# All numbers of four digits are among them in a column of such.
REMEMBERED = 1 << 15
REMEMBERED_LENGTH = 24
# What judging the cells of a file may cost, in steps of one to two microseconds with what else a cell takes. 150 MB of
# cells of five characters, each another one, are 25 million. Cells that are known to be right cost nothing.
EFFORT = 24_000_000
# Python's own strptime takes many times as long as any other reader, and these two read a text more than once.
_STRPTIME_COST = 8
_LONGER_COST = 2
# A pattern takes as long for so many characters as other constraints for a cell.
_PATTERN_LENGTH = 16


@dataclass(frozen=True)
class Constraints:  # pylint: disable=too-many-instance-attributes  # the standard's own
    """What the cells of a column have to be beside their type; the names are the standard's."""

    required: bool = False
    unique: bool = False
    min_length: int | None = None
    max_length: int | None = None
    minimum: Any = None
    maximum: Any = None
    pattern: Pattern | None = None
    enum: frozenset | None = None

    def checks(self, kind):
        """Yields for each constraint what it says of a cell that breaks it, and a function of the cell's meaning and
        text that returns whether it does.

        Args:
            kind: the type of the field.
        """
        least, most, pattern = self.minimum, self.maximum, self.pattern
        if kind in MEASURED and self.min_length is not None:
            yield f"is shorter than {self.min_length}", lambda value, _: len(value) < self.min_length
        if kind in MEASURED and self.max_length is not None:
            yield f"is longer than {self.max_length}", lambda value, _: len(value) > self.max_length
        if least is not None:
            yield f"is below {_shown(least)}", lambda value, _: value is None or value < least
        if most is not None:
            yield f"is above {_shown(most)}", lambda value, _: value is None or value > most
        if pattern is not None:
            yield (
                f"has more than {CELL_LIMIT:,} characters, too many for a column with a pattern",
                lambda _, text: len(text) > CELL_LIMIT,
            )
            yield (
                f"does not match {shortened(pattern.text, NAMED)}",
                lambda _, text: len(text) <= CELL_LIMIT and not pattern.matches(text),
            )
        if self.enum is not None:
            yield "is not one of the values allowed", lambda value, _: not _is_among(value, self.enum)


@dataclass(frozen=True)
class Field:  # pylint: disable=too-many-instance-attributes  # the standard's own
    """One column; the names are the standard's."""

    name: str
    type: str = "string"
    format: str = "default"
    constraints: Constraints = Constraints()
    bare_number: bool = True
    decimal_char: str = "."
    group_char: str = ""
    true_values: frozenset = frozenset({"true", "True", "TRUE", "1"})
    false_values: frozenset = frozenset({"false", "False", "FALSE", "0"})

    def read(self, text):
        """Returns what a cell's text means.

        Raises:
            ValueError: it is none of this type.
        """
        return READERS[self.type](text, self)

    @property
    def takes_anything(self):
        """Whether no cell can be wrong: such columns are passed over, which spares half the work on many tables."""
        is_text = self.type == "any" or (self.type == "string" and self.format == "default")
        return is_text and self.constraints == Constraints()


@dataclass(frozen=True)
class TableSchema:
    """The columns of a table.

    Attributes:
        fields: a `Field` for each column, in order.
        missing: the texts that mean that there is no value.
        keys: columns, by their positions, whose values together may not occur twice: the primary key.
        case_sensitive: whether the header has to be written as the schema writes it.
    """

    fields: tuple
    missing: frozenset = frozenset({""})
    keys: tuple = ()
    case_sensitive: bool = False

    def begin(self, encodings):
        """Returns a `SchemaCheck` for one file.

        Args:
            encodings: returns the names of the encodings under which cells are judged at this moment.
        """
        return SchemaCheck(self, encodings)


class _Column:  # pylint: disable=too-few-public-methods,too-many-instance-attributes  # worked out once, read often
    """A column whose cells can be wrong, in one file.

    Args:
        at: its position.
        field: its `Field`.
        is_unique: whether each of its values has to be compared with the earlier ones.

    Attributes:
        at: as given.
        is_unique: as given.
        name: its name for a sentence.
        is_required: whether a cell without a value is wrong.
        cost: of judging a cell, in the steps of `EFFORT`.
        has_pattern: whether that costs more for a longer cell.
        sound: cells that are known to be right, as they were read.
    """

    def __init__(self, at, field, is_unique):
        self.at = at
        self.is_unique = is_unique
        self.name = shortened(field.name, NAMED)
        self.is_required = field.constraints.required
        self.cost = _cost(field)
        self.has_pattern = field.constraints.pattern is not None
        self.sound = set()
        self._field = field
        self._read = READERS[field.type]
        self._kind = field.type if field.format in ("default", "any") else f"{field.type} ({field.format})"
        self._checks = tuple(field.constraints.checks(field.type))

    def faults(self, text):
        """Returns a sentence without a subject for each thing that is wrong with a text that is a value."""
        try:
            value = self._read(text, self._field)
        except ValueError:
            return [f"is not of type {self._kind}"]
        if not self._checks:
            return ()
        return [sentence for sentence, is_broken in self._checks if is_broken(value, text)]


class SchemaCheck:  # pylint: disable=too-many-instance-attributes  # what was found, and what each bound has left
    """Holds the rows of one file against a `TableSchema`. Cells are given as they were read: as `encodings.RAW`.

    Args:
        schema: the `TableSchema`.
        encodings: returns the names of the encodings under which cells are judged at this moment.
    """

    def __init__(self, schema, encodings):
        self._schema = schema
        self._encodings = encodings
        self.width = len(schema.fields)
        unique = [(at,) for at, field in enumerate(schema.fields) if field.constraints.unique]
        # For each group of columns whose values together may not occur twice, the rows by the values' marks.
        self._seen = {positions: {} for positions in [*unique, *([schema.keys] if schema.keys else [])]}
        self._columns = [
            _Column(at, field, (at,) in self._seen)
            for at, field in enumerate(schema.fields)
            if (at,) in self._seen or not field.takes_anything
        ]
        self._compares_several = len(schema.keys) > 1
        self._values = 0
        self._remembered = 0
        self._effort = EFFORT

    def header_problems(self, cells, encoding):
        """Yields what is wrong with the header, each as a function that returns the sentence.

        Args:
            cells: the header's cells.
            encoding: the name of the encoding that they are decoded with.
        """
        for at, field in enumerate(self._schema.fields):
            if at >= len(cells):
                yield lambda at=at, field=field: f'Column {at + 1} "{shortened(field.name, NAMED)}" is missing'
            elif self._folded(decoded(cells[at], encoding)) != self._folded(field.name):
                yield (
                    lambda at=at, field=field: (
                        f"Column {at + 1} is headed {quoted(decoded(cells[at], encoding))}: "
                        f'expected "{shortened(field.name, NAMED)}"'
                    )
                )
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

    def approve(self, cells):
        """Returns whether a row is right, and need not be remembered for the sake of others; False where that takes a
        closer look. Cells that are right are remembered.

        Raises:
            GivenUpError: judging the file's cells costs too much.
        """
        if len(cells) != self.width or self._compares_several:
            return False
        for column in self._columns:
            cell = cells[column.at]
            if cell not in column.sound and not self._approve_cell(column, cell):
                return False
        return True

    def row_problems(self, number, cells, encoding):
        """Yields what is wrong with a row, each as a function that returns the sentence.

        Args:
            number: the row's.
            cells: as many as there are columns, or more.
            encoding: the name of the encoding that they are decoded with.
        """
        if len(cells) > self.width:
            yield lambda: f"Row {number} has {len(cells)} columns: expected {self.width}"
        for column in self._columns:
            cell = cells[column.at]
            if cell in column.sound:
                continue
            text = decoded(cell, encoding)
            if text in self._schema.missing:
                if column.is_required:
                    yield lambda name=column.name: f'Row {number}, column "{name}" is required and has no value'
                continue
            self._spend(column, cell)
            for fault in column.faults(text):
                yield (
                    lambda name=column.name, fault=fault, text=text: (
                        f'Row {number}, column "{name}" {fault}: {quoted(text)}'
                    )
                )

    def repetitions(self, number, cells):
        """Yields which values of a row occurred before, each as a function that returns the sentence; rows are to be
        given in order, and each once.
        """
        for positions, seen in list(self._seen.items()):
            values = tuple(cells[at] for at in positions)
            if len(values) == 1 and values[0] in self._schema.missing:
                continue
            # 64 bits of it: among 250,000 values two are mistaken for one in one file out of half a billion.
            mark = hash(values)
            if mark in seen:
                yield (
                    lambda positions=positions, row=seen[mark]: (
                        f'Row {number}, column "{self._names(positions)}" repeats the value of row {row}'
                    )
                )
            elif self._values < UNIQUE_LIMIT:
                seen[mark] = number
                self._values += 1
            else:
                self._stop_comparing(positions)
                yield (
                    lambda positions=positions: (
                        f'Column "{self._names(positions)}" is not searched for repeated values: '
                        f"unique columns may have {UNIQUE_LIMIT:,} values in all"
                    )
                )

    def _names(self, positions):
        return ", ".join(shortened(self._schema.fields[at].name, NAMED) for at in positions)

    def _stop_comparing(self, positions):
        del self._seen[positions]
        self._compares_several = any(len(one) > 1 for one in self._seen)
        for column in self._columns:
            if positions == (column.at,):
                column.is_unique = False

    def _approve_cell(self, column, cell):
        if cell.isascii():
            if not self._is_right(column, cell, cell):
                return False
        else:
            # Most encodings make the same text of most cells.
            texts = {decoded(cell, encoding) for encoding in self._encodings()}
            if not all(self._is_right(column, cell, text) for text in texts):
                return False
        if len(cell) <= REMEMBERED_LENGTH:
            if self._remembered == REMEMBERED:
                self._forget()
            column.sound.add(cell)
            self._remembered += 1
        return True

    def _is_right(self, column, cell, text):
        if text in self._schema.missing:
            return not column.is_required
        if column.is_unique:
            return False
        self._spend(column, cell)
        return not column.faults(text)

    def _forget(self):
        for column in self._columns:
            column.sound.clear()
        self._remembered = 0

    def _spend(self, column, cell):
        # What is not ASCII has to be decoded first.
        cost = column.cost if cell.isascii() else column.cost + 1
        self._effort -= cost + (len(cell) // _PATTERN_LENGTH if column.has_pattern else 0)
        if self._effort < 0:
            raise GivenUpError("File has too many different values to check them all: upload it in parts")

    def _folded(self, name):
        return name.strip() if self._schema.case_sensitive else name.strip().casefold()


def _cost(field):
    if field.type in DATED and field.format not in ("default", "any"):
        return _STRPTIME_COST
    return 1 if field.bare_number and field.type != "geopoint" else _LONGER_COST


def quoted(text):
    """Returns a cell's text for a sentence: its beginning, in one line, in quotes."""
    return f'"{shortened(text, QUOTED)}"'


def shortened(text, most):
    """Returns the beginning of a text in one line."""
    return f"{printable(text[:most])}…" if len(text) > most else printable(text)


def read_schema(top, *, case_sensitive=False):
    """Returns the `TableSchema` of a `Descriptor`; what is wrong is added to its problems."""
    fields = tuple(_field(field) for field in top.children("fields"))
    names = [field.name for field in fields]
    if not fields:
        top.problem("fields", "is empty")
    if len(set(names)) != len(names):
        top.problem("fields", "names a column twice")
    for name in ("foreignKeys",):
        if name in top.value:
            top.problem(name, "cannot be judged here: a set's files are looked at one by one")
    keys = top.texts("primaryKey", default=[])
    for key in set(keys) - set(names):
        top.problem("primaryKey", f"names {key!r}, which is no field")
    return TableSchema(
        fields=fields,
        missing=frozenset(top.texts("missingValues", default=[""])),
        keys=tuple(names.index(key) for key in keys if key in names),
        case_sensitive=case_sensitive,
    )


def _field(top):
    kind = top.choice("type", tuple(READERS), default="string")
    if kind not in READERS:
        kind = "string"
    field = Field(
        name=top.text("name"),
        type=kind,
        format=_format(top, kind),
        bare_number=top.flag("bareNumber", default=True),
        decimal_char=top.text("decimalChar", default="."),
        group_char=top.text("groupChar", default=""),
        true_values=frozenset(top.texts("trueValues", default=list(Field.true_values))),
        false_values=frozenset(top.texts("falseValues", default=list(Field.false_values))),
    )
    constraints = top.child("constraints", default=None)
    return field if constraints is None else Field(**{**vars(field), "constraints": _constraints(constraints, field)})


def _format(top, kind):
    form = top.text("format", default="default")
    if kind in FORMATS and form not in FORMATS[kind]:
        top.problem("format", f"is {form!r} and should be one of {', '.join(FORMATS[kind])}")
        return "default"
    if kind in DATED and form not in ("default", "any"):
        try:
            datetime.strptime(datetime(2000, 1, 1).strftime(form), form)
        except ValueError:
            top.problem("format", f"is {form!r} and should be a pattern of strptime such as %d/%m/%Y")
            return "default"
    return form if kind in FORMATS or kind in DATED else "default"


def _constraints(top, field):
    top.only("required", "unique", "minLength", "maxLength", "minimum", "maximum", "pattern", "enum")
    for names, kinds in ((("minLength", "maxLength"), MEASURED), (("minimum", "maximum"), ORDERED)):
        for name in names:
            if name in top.value and field.type not in kinds:
                top.problem(name, f"does not fit the type {field.type}")
    return Constraints(
        required=top.flag("required", default=False),
        unique=top.flag("unique", default=False),
        min_length=top.integer("minLength", default=None),
        max_length=top.integer("maxLength", default=None),
        minimum=_value(top, "minimum", field),
        maximum=_value(top, "maximum", field),
        pattern=_pattern(top),
        enum=_enum(top, field),
    )


def _value(top, name, field):
    return _meaning(top, name, top.value[name], field) if name in top.value and field.type in ORDERED else None


def _enum(top, field):
    if "enum" not in top.value:
        return None
    if not isinstance(top.value["enum"], list) or not top.value["enum"]:
        top.problem("enum", "should be a list of values")
        return None
    try:
        return frozenset(_frozen(_meaning(top, "enum", value, field)) for value in top.value["enum"])
    except RecursionError:
        top.problem("enum", "is nested too deeply")
        return None


def _meaning(top, name, value, field):
    """Returns what a value of the schema means: it is written as a cell is, or as JSON's own number or truth value."""
    if isinstance(value, (dict, list)):
        return value
    if isinstance(value, bool) and field.type == "boolean":
        return value
    try:
        return field.read(str(value))
    except ValueError:
        top.problem(name, f"holds {value!r}, which is not of type {field.type}")
        return None


def _pattern(top):
    text = top.text("pattern", default="")
    try:
        return Pattern(text) if text else None
    except PatternError as error:
        top.problem("pattern", str(error))
        return None


def _frozen(value):
    """Returns a value that equals another one's if the values are equal, and can be looked up in a set.

    Raises:
        RecursionError: it is nested too deeply.
    """
    if isinstance(value, dict):
        return frozenset((name, _frozen(item)) for name, item in value.items())
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return value


def _is_among(value, values):
    try:
        return _frozen(value) in values
    except RecursionError:
        return False


def _shown(value):
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
