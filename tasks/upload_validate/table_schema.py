"""A Frictionless Table Schema: what the columns of a table are, and what their cells have to be.

https://specs.frictionlessdata.io/table-schema/
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.upload_validate.field_types import DATED, FORMATS, MEASURED, ORDERED, READERS
from tasks.utils.s3_object import printable

# How many different values are remembered to find one that occurs twice: about 30 MB. What has more of them is not
# said to be unique without having been looked at.
UNIQUE_LIMIT = 250_000
# A cell is quoted in a sentence by its beginning.
QUOTED = 60


@dataclass(frozen=True)
class Constraints:  # pylint: disable=too-many-instance-attributes  # the standard's own
    """What the cells of a column have to be beside their type; the names are the standard's."""

    required: bool = False
    unique: bool = False
    min_length: int | None = None
    max_length: int | None = None
    minimum: Any = None
    maximum: Any = None
    pattern: re.Pattern | None = None
    enum: tuple | None = None


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
    true_values: tuple = ("true", "True", "TRUE", "1")
    false_values: tuple = ("false", "False", "FALSE", "0")

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

    def problems(self, text):
        """Yields what is wrong with a cell that is not empty, without a subject."""
        try:
            value = self.read(text)
        except ValueError:
            described = self.type if self.format in ("default", "any") else f"{self.type} ({self.format})"
            yield f"is not of type {described}: {quoted(text)}"
            return
        rules = self.constraints
        size = len(value) if self.type in MEASURED else 0
        if rules.min_length is not None and size < rules.min_length:
            yield f"is shorter than {rules.min_length}: {quoted(text)}"
        if rules.max_length is not None and size > rules.max_length:
            yield f"is longer than {rules.max_length}: {quoted(text)}"
        if rules.minimum is not None and (value is None or value < rules.minimum):
            yield f"is below {_shown(rules.minimum)}: {quoted(text)}"
        if rules.maximum is not None and (value is None or value > rules.maximum):
            yield f"is above {_shown(rules.maximum)}: {quoted(text)}"
        if rules.pattern is not None and not rules.pattern.fullmatch(text):
            yield f"does not match {rules.pattern.pattern}: {quoted(text)}"
        if rules.enum is not None and value not in rules.enum:
            yield f"is not one of the values allowed: {quoted(text)}"


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

    def begin(self):
        """Returns a `SchemaCheck` for one file."""
        return SchemaCheck(self)


class SchemaCheck:
    """Holds the rows of one file against a `TableSchema`."""

    def __init__(self, schema):
        self._schema = schema
        self.width = len(schema.fields)
        self._judged = [(at, field) for at, field in enumerate(schema.fields) if not field.takes_anything]
        unique = [((at,), field.name) for at, field in enumerate(schema.fields) if field.constraints.unique]
        if schema.keys:
            unique.append((schema.keys, ", ".join(schema.fields[at].name for at in schema.keys)))
        self._seen = [(positions, name, {}) for positions, name in unique]
        self._told_full = set()

    def header_problems(self, _, cells):
        """Yields what is wrong with the header."""
        for at, field in enumerate(self._schema.fields):
            if at >= len(cells):
                yield f'Column {at + 1} "{printable(field.name)}" is missing'
            elif self._folded(cells[at]) != self._folded(field.name):
                yield f'Column {at + 1} is headed {quoted(cells[at])}: expected "{printable(field.name)}"'
        for at in range(self.width, len(cells)):
            yield f"Column {at + 1} is not in the schema: {quoted(cells[at])}"

    def row_problems(self, number, cells):
        """Yields what is wrong with a row, which has as many cells as there are columns, or more."""
        if len(cells) > self.width:
            yield f"Row {number} has {len(cells)} columns: expected {self.width}"
        for at, field in self._judged:
            text = cells[at]
            if text in self._schema.missing:
                if field.constraints.required:
                    yield f'Row {number}, column "{printable(field.name)}" is required and has no value'
                continue
            for problem in field.problems(text):
                yield f'Row {number}, column "{printable(field.name)}" {problem}'

    def repetitions(self, number, cells):
        """Yields which values of a row occurred before; rows are to be given in order, and each once."""
        for positions, name, seen in self._seen:
            values = tuple(cells[at] for at in positions)
            if len(values) == 1 and values[0] in self._schema.missing:
                continue
            # 64 bits of it: among 250,000 values two are mistaken for one in one file out of half a billion.
            mark = hash(values)
            if mark in seen:
                yield f'Row {number}, column "{printable(name)}" repeats the value of row {seen[mark]}'
            elif len(seen) < UNIQUE_LIMIT:
                seen[mark] = number
            elif name not in self._told_full:
                self._told_full.add(name)
                yield f'Column "{printable(name)}" has more than {UNIQUE_LIMIT:,} values: too many to find one twice'

    def _folded(self, name):
        return name.strip() if self._schema.case_sensitive else name.strip().casefold()


def quoted(text):
    """Returns a cell's text for a sentence: its beginning, in one line, in quotes."""
    shown = printable(text[:QUOTED])
    return f'"{shown}…"' if len(text) > QUOTED else f'"{shown}"'


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
        true_values=tuple(top.texts("trueValues", default=list(Field.true_values))),
        false_values=tuple(top.texts("falseValues", default=list(Field.false_values))),
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
    return tuple(_meaning(top, "enum", value, field) for value in top.value["enum"])


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
        return re.compile(text) if text else None
    except (re.error, OverflowError, RecursionError) as error:
        top.problem("pattern", f"is not a regular expression: {error}")
        return None


def _shown(value):
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
