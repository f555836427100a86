"""The types of a Frictionless Table Schema: each reader returns the value of a cell's text, or raises ValueError.

https://specs.frictionlessdata.io/table-schema/#types-and-formats
"""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

# \d would match the digits of every script. No repeated part matches the beginning of the next part, and `++` does not
# backtrack: a match takes one step for each character of a cell.
_INTEGER = re.compile(r"[+-]?[0-9]++")
_NUMBER = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_SPECIAL_NUMBERS = {"NaN": None, "INF": Decimal("Infinity"), "-INF": Decimal("-Infinity")}
_SYMBOLS_BEFORE = re.compile(r"[^0-9+.-]*+")
_ENDS_OF_NUMBERS = "0123456789."
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]++)?(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_YEAR = re.compile(r"-?[0-9]{4,}+")
_YEAR_MONTH = re.compile(r"-?[0-9]{4,}+-(?:0[1-9]|1[0-2])")
_DURATION = re.compile(
    r"-?P(?=.)(?:[0-9]++Y)?(?:[0-9]++M)?(?:[0-9]++W)?(?:[0-9]++D)?"
    r"(?:T(?=.)(?:[0-9]++H)?(?:[0-9]++M)?(?:[0-9]++(?:\.[0-9]++)?S)?)?"
)
_EMAIL = re.compile(r"[^@\s]++@[^@\s.]++(?:\.[^@\s.]++)++")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:[^\s]++")

# Numbers, dates and times are shorter. The time that Python takes for an integer grows faster than its length.
_LONGEST = 1_000
# RFC 5321, 4.5.3.1: 64 characters, @ and 255 characters.
_LONGEST_EMAIL = 320
# With braces and `urn:uuid:`, which Python's own reader takes.
_LONGEST_UUID = 47


@dataclass(frozen=True)
class NumberFormat:
    """How numbers are written.

    Attributes:
        bare: the standard's `bareNumber`: whether the cell holds nothing but the number.
        decimal_char: the standard's `decimalChar`.
        group_char: the standard's `groupChar`.
    """

    bare: bool = True
    decimal_char: str = "."
    group_char: str = ""


@dataclass(frozen=True)
class BooleanFormat:
    """The words for True and False."""

    true_values: frozenset[str] = frozenset({"true", "True", "TRUE", "1"})
    false_values: frozenset[str] = frozenset({"false", "False", "FALSE", "0"})


@dataclass(frozen=True)
class CellFormat:
    """How the cells of a column are written.

    Attributes:
        format: the standard's `format`: `default`, a word of `FORMATS`, or a pattern of strptime.
        numbers: the `NumberFormat`.
        booleans: the `BooleanFormat`.
    """

    format: str = "default"
    numbers: NumberFormat = NumberFormat()
    booleans: BooleanFormat = BooleanFormat()


def string(text: str, form: CellFormat) -> str:
    """Return the text if it has the column's format: `email`, `uri`, `uuid`, `binary` or none."""
    if form.format == "email":
        _matching(_EMAIL, text, _LONGEST_EMAIL)
    if form.format == "uri" and not _URI.fullmatch(text):
        raise ValueError(text)
    if form.format == "uuid":
        UUID(_of_length(text, _LONGEST_UUID))
    if form.format == "binary":
        b64decode(text, validate=True)
    return text


def integer(text: str, form: CellFormat) -> int:
    """Return a whole number; if `bareNumber` is false, text around it does not count."""
    return int(_matching(_INTEGER, _bare(text, form)))


def number(text: str, form: CellFormat) -> Decimal | None:
    """Return a decimal number, read with `decimalChar` and `groupChar`; None for NaN, which has no order."""
    text = _bare(text, form)
    if form.numbers.group_char:
        text = text.replace(form.numbers.group_char, "")
    if form.numbers.decimal_char != ".":
        if "." in text:
            raise ValueError(text)
        text = text.replace(form.numbers.decimal_char, ".")
    if text in _SPECIAL_NUMBERS:
        return _SPECIAL_NUMBERS[text]
    try:
        return Decimal(_matching(_NUMBER, text))
    except InvalidOperation as error:
        raise ValueError(text) from error


def boolean(text: str, form: CellFormat) -> bool:
    """Return True or False, by the column's words for them."""
    if text in form.booleans.true_values:
        return True
    if text in form.booleans.false_values:
        return False
    raise ValueError(text)


def day(text: str, form: CellFormat) -> date:
    """Return a date in ISO 8601, or in the format for strptime."""
    if form.format in ("default", "any"):
        return date.fromisoformat(_matching(_DATE, text))
    return _strptime(text, form).date()


def clock(text: str, form: CellFormat) -> time:
    """Return a time of the day."""
    if form.format in ("default", "any"):
        return time.fromisoformat(_matching(_TIME, text)).replace(tzinfo=None)
    return _strptime(text, form).time()


def moment(text: str, form: CellFormat) -> datetime:
    """Return a date with a time."""
    if form.format in ("default", "any"):
        _matching(_DATE, text[:10])
        _matching(_TIME, text[11:])
        if text[10] not in "T ":
            raise ValueError(text)
        return datetime.fromisoformat(text).replace(tzinfo=None)
    return _strptime(text, form).replace(tzinfo=None)


def year(text: str, _: CellFormat) -> int:
    """Return a year."""
    return int(_matching(_YEAR, text))


def year_month(text: str, _: CellFormat) -> tuple[int, int]:
    """Return a year and a month."""
    _matching(_YEAR_MONTH, text)
    begin, __, end = text.rpartition("-")
    return int(begin), int(end)


def duration(text: str, _: CellFormat) -> str:
    """Return the text of a duration."""
    return _matching(_DURATION, text)


def any_text(text: str, _: CellFormat) -> str:
    """Return any text."""
    return text


def json_object(text: str, _: CellFormat) -> dict[str, Any]:
    """Return a JSON object."""
    found: dict[str, Any] = _json(text, dict)
    return found


def json_array(text: str, _: CellFormat) -> list[Any]:
    """Return a JSON array."""
    found: list[Any] = _json(text, list)
    return found


def point(text: str, form: CellFormat) -> tuple[float, float]:
    """Return a longitude and a latitude."""
    if form.format == "object":
        found = _json(text, dict)
        pair = [found.get("lon"), found.get("lat")]
    elif form.format == "array":
        pair = _json(text, list)
    else:
        pair = [float(_matching(_NUMBER, part.strip())) for part in text.split(",", 2)]
    if len(pair) != 2 or any(isinstance(each, bool) or not isinstance(each, (int, float)) for each in pair):
        raise ValueError(text)
    longitude, latitude = pair
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise ValueError(text)
    return longitude, latitude


READERS: Mapping[str, Callable[[str, CellFormat], Any]] = {
    "string": string,
    "integer": integer,
    "number": number,
    "boolean": boolean,
    "date": day,
    "time": clock,
    "datetime": moment,
    "year": year,
    "yearmonth": year_month,
    "duration": duration,
    "geopoint": point,
    "object": json_object,
    "array": json_array,
    "any": any_text,
}
# Formats that are words; types of dates also take patterns of strptime.
FORMATS = {
    "string": ("default", "email", "uri", "uuid", "binary"),
    "geopoint": ("default", "array", "object"),
}
DATED = ("date", "time", "datetime")
ORDERED = ("integer", "number", "date", "time", "datetime", "year", "yearmonth")
MEASURED = ("string", "object", "array", "any")


def _bare(text: str, form: CellFormat) -> str:
    if form.numbers.bare:
        return text
    found = _SYMBOLS_BEFORE.match(text)
    begin = found.end() if found else 0
    end = len(text) if text[-1:] in _ENDS_OF_NUMBERS else 1 + max(map(text.rfind, _ENDS_OF_NUMBERS))
    return text[begin:end]


def _of_length(text: str, most: int) -> str:
    if len(text) > most:
        raise ValueError(text)
    return text


def _matching(pattern: re.Pattern[str], text: str, most: int = _LONGEST) -> str:
    if len(text) > most or not pattern.fullmatch(text):
        raise ValueError(text)
    return text


def _strptime(text: str, form: CellFormat) -> datetime:
    return datetime.strptime(_of_length(text, _LONGEST), form.format)


def _json(text: str, kind: type) -> Any:
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError(text) from error
    if not isinstance(found, kind):
        raise ValueError(text)
    return found
