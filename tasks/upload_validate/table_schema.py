"""A Frictionless Table Schema: the columns of a table, and the types and constraints of their cells.

https://specs.frictionlessdata.io/table-schema/
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tasks.upload_validate.descriptor import Descriptor
from tasks.upload_validate.field_types import (
    DATED,
    FORMATS,
    MEASURED,
    ORDERED,
    READERS,
    BooleanFormat,
    CellFormat,
    NumberFormat,
)
from tasks.upload_validate.patterns import CELL_LIMIT, Pattern, PatternError, compile_pattern
from tasks.utils.s3_object import printable

# The characters of a column's name, or of a pattern, that a sentence shows.
NAMED = 200

# Takes the value and the text of a cell, and returns whether the cell breaks a constraint.
IsBroken = Callable[[Any, str], bool]


@dataclass(frozen=True)
class Bounds:
    """The least and the greatest allowed value; None for no bound."""

    least: Any = None
    most: Any = None


@dataclass(frozen=True)
class Constraints:
    """The constraints of a column.

    Attributes:
        required: whether each cell needs a value.
        unique: whether no value may occur twice.
        length: the standard's `minLength` and `maxLength`.
        value: the standard's `minimum` and `maximum`.
        pattern: the `Pattern` that the whole text has to match, or None.
        enum: the allowed values, or None.
    """

    required: bool = False
    unique: bool = False
    length: Bounds = Bounds()
    value: Bounds = Bounds()
    pattern: Pattern | None = None
    enum: frozenset[Any] | None = None

    def checks(self, kind: str) -> Iterator[tuple[str, IsBroken]]:
        """Yield for each constraint its sentence without a subject, and its check.

        Args:
            kind: the type of the field.
        """
        if kind in MEASURED:
            yield from _length_checks(self.length)
        yield from _value_checks(self.value)
        if self.pattern is not None:
            yield from _pattern_checks(self.pattern)
        if self.enum is not None:
            allowed = self.enum
            yield "is not one of the values allowed", lambda value, _: not _is_among(value, allowed)


def _length_checks(length: Bounds) -> Iterator[tuple[str, IsBroken]]:
    least, most = length.least, length.most
    if least is not None:
        yield f"is shorter than {least}", lambda value, _: len(value) < least
    if most is not None:
        yield f"is longer than {most}", lambda value, _: len(value) > most


def _value_checks(bounds: Bounds) -> Iterator[tuple[str, IsBroken]]:
    least, most = bounds.least, bounds.most
    if least is not None:
        yield f"is below {_shown(least)}", lambda value, _: value is None or value < least
    if most is not None:
        yield f"is above {_shown(most)}", lambda value, _: value is None or value > most


def _pattern_checks(pattern: Pattern) -> Iterator[tuple[str, IsBroken]]:
    yield (
        f"has more than {CELL_LIMIT:,} characters, too many for a column with a pattern",
        lambda _, text: len(text) > CELL_LIMIT,
    )
    yield (
        f"does not match {shortened(pattern.text, NAMED)}",
        lambda _, text: len(text) <= CELL_LIMIT and not pattern.matches(text),
    )


@dataclass(frozen=True)
class Field:
    """One column.

    Attributes:
        name: its name.
        type: its type, by the standard's name.
        form: the `CellFormat`.
        constraints: the `Constraints`.
    """

    name: str
    type: str = "string"
    form: CellFormat = CellFormat()
    constraints: Constraints = Constraints()

    def read(self, text: str) -> Any:
        """Return the value of a cell's text.

        Raises:
            ValueError: the text is not of this type.
        """
        return READERS[self.type](text, self.form)

    @property
    def takes_anything(self) -> bool:
        """Whether any cell is valid: skipping such columns saves half the work for many tables."""
        is_text = self.type == "any" or (self.type == "string" and self.form.format == "default")
        return is_text and self.constraints == Constraints()


@dataclass(frozen=True)
class TableSchema:
    """The columns of a table.

    Attributes:
        fields: a `Field` for each column, in order.
        missing: the texts that mean that a cell has no value.
        keys: the positions of the columns of the primary key; their values together may not occur twice.
        case_sensitive: whether the header has to match the schema in upper and lower case.
    """

    fields: tuple[Field, ...]
    missing: frozenset[str] = frozenset({""})
    keys: tuple[int, ...] = ()
    case_sensitive: bool = False


def shortened(text: str, most: int) -> str:
    """Return the beginning of a text in one line."""
    return f"{printable(text[:most])}…" if len(text) > most else printable(text)


def read_schema(top: Descriptor, *, case_sensitive: bool = False) -> TableSchema:
    """Return the `TableSchema` of a descriptor; its problems are added to the descriptor's."""
    fields = tuple(_field(field) for field in top.children("fields"))
    names = [field.name for field in fields]
    if not fields:
        top.problem("fields", "is empty")
    for name, times in Counter(names).items():
        # A missing name is a problem of its own.
        if name and times > 1:
            top.problem("fields", f'names the column "{shortened(name, NAMED)}" {times} times')
    if "foreignKeys" in top.value:
        top.problem("foreignKeys", "cannot be judged here: a set's files are looked at one by one")
    keys = top.texts("primaryKey", default=[])
    for key in set(keys) - set(names):
        top.problem("primaryKey", f"names {key!r}, which is no field")
    return TableSchema(
        fields=fields,
        missing=frozenset(top.texts("missingValues", default=[""])),
        keys=tuple(names.index(key) for key in keys if key in names),
        case_sensitive=case_sensitive,
    )


def _field(top: Descriptor) -> Field:
    kind = top.choice("type", tuple(READERS), default="string")
    if kind not in READERS:
        kind = "string"
    booleans = BooleanFormat()
    form = CellFormat(
        format=_format(top, kind),
        numbers=NumberFormat(
            bare=top.flag("bareNumber", default=True),
            decimal_char=top.text("decimalChar", default="."),
            group_char=top.text("groupChar", default=""),
        ),
        booleans=BooleanFormat(
            true_values=frozenset(top.texts("trueValues", default=list(booleans.true_values))),
            false_values=frozenset(top.texts("falseValues", default=list(booleans.false_values))),
        ),
    )
    field = Field(top.text("name"), kind, form)
    constraints = top.optional_child("constraints")
    return replace(field, constraints=_constraints(constraints, field)) if constraints else field


def _format(top: Descriptor, kind: str) -> str:
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


def _constraints(top: Descriptor, field: Field) -> Constraints:
    top.only("required", "unique", "minLength", "maxLength", "minimum", "maximum", "pattern", "enum")
    for names, kinds in ((("minLength", "maxLength"), MEASURED), (("minimum", "maximum"), ORDERED)):
        for name in names:
            if name in top.value and field.type not in kinds:
                top.problem(name, f"does not fit the type {field.type}")
    return Constraints(
        required=top.flag("required", default=False),
        unique=top.flag("unique", default=False),
        length=Bounds(top.optional_integer("minLength"), top.optional_integer("maxLength")),
        value=Bounds(_bound(top, "minimum", field), _bound(top, "maximum", field)),
        pattern=_pattern(top),
        enum=_enum(top, field),
    )


def _bound(top: Descriptor, name: str, field: Field) -> Any:
    return _value(top, name, top.value[name], field) if name in top.value and field.type in ORDERED else None


def _enum(top: Descriptor, field: Field) -> frozenset[Any] | None:
    if "enum" not in top.value:
        return None
    if not isinstance(top.value["enum"], list) or not top.value["enum"]:
        top.problem("enum", "should be a list of values")
        return None
    try:
        return frozenset(_frozen(_value(top, "enum", value, field)) for value in top.value["enum"])
    except RecursionError:
        top.problem("enum", "is nested too deeply")
        return None


def _value(top: Descriptor, name: str, value: Any, field: Field) -> Any:
    """Return the value in a schema: written as in a cell, or as JSON's own number or truth value."""
    if isinstance(value, (dict, list)):
        return value
    if isinstance(value, bool) and field.type == "boolean":
        return value
    try:
        return field.read(str(value))
    except ValueError:
        top.problem(name, f"holds {value!r}, which is not of type {field.type}")
        return None


def _pattern(top: Descriptor) -> Pattern | None:
    text = top.text("pattern", default="")
    try:
        return compile_pattern(text) if text else None
    except PatternError as error:
        top.problem("pattern", str(error))
        return None


def _frozen(value: Any) -> Any:
    """Return a hashable value that equals that of an equal value.

    Raises:
        RecursionError: the value is nested too deeply.
    """
    if isinstance(value, dict):
        return frozenset((name, _frozen(item)) for name, item in value.items())
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return value


def _is_among(value: Any, values: frozenset[Any]) -> bool:
    try:
        return _frozen(value) in values
    except RecursionError:
        return False


def _shown(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
