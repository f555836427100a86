"""The types of a Frictionless Table Schema: what a cell's text means, or that it means nothing.

https://specs.frictionlessdata.io/table-schema/#types-and-formats
"""

import json
import re
from base64 import b64decode
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from uuid import UUID

# Texts in parts that cannot be mistaken for something else; \d would take digits of every script. What is repeated
# never begins what follows, and `++` gives nothing back: a cell takes one step a character, whatever it holds.
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

# No number, date or time that is meant as one is longer, and Python reads longer integers ever more slowly.
_LONGEST = 1_000
# RFC 5321, 4.5.3.1: 64 characters, @ and 255 characters.
_LONGEST_EMAIL = 320
# With braces and `urn:uuid:`, as Python's own reader takes them.
_LONGEST_UUID = 47


def string(text, field):
    """Returns the text, if it has the format asked for: `email`, `uri`, `uuid`, `binary` or none."""
    if field.format == "email":
        _matching(_EMAIL, text, _LONGEST_EMAIL)
    if field.format == "uri" and not _URI.fullmatch(text):
        raise ValueError(text)
    if field.format == "uuid":
        UUID(_of_length(text, _LONGEST_UUID))
    if field.format == "binary":
        b64decode(text, validate=True)
    return text


def integer(text, field):
    """Returns a whole number; where `bareNumber` is false, what stands around it does not count."""
    return int(_matching(_INTEGER, _bare(text, field)))


def number(text, field):
    """Returns a decimal number, read with the field's `decimalChar` and `groupChar`; None for NaN, which has no place
    among them.
    """
    text = _bare(text, field)
    if field.group_char:
        text = text.replace(field.group_char, "")
    if field.decimal_char != ".":
        if "." in text:
            raise ValueError(text)
        text = text.replace(field.decimal_char, ".")
    if text in _SPECIAL_NUMBERS:
        return _SPECIAL_NUMBERS[text]
    try:
        return Decimal(_matching(_NUMBER, text))
    except InvalidOperation as error:
        raise ValueError(text) from error


def boolean(text, field):
    """Returns True or False, by the field's own words for them: `true_values` and `false_values` are sets."""
    if text in field.true_values:
        return True
    if text in field.false_values:
        return False
    raise ValueError(text)


def day(text, field):
    """Returns a date: ISO 8601, or of the format given as for strptime."""
    if field.format in ("default", "any"):
        return date.fromisoformat(_matching(_DATE, text))
    return _strptime(text, field).date()


def clock(text, field):
    """Returns a time of the day."""
    if field.format in ("default", "any"):
        return time.fromisoformat(_matching(_TIME, text)).replace(tzinfo=None)
    return _strptime(text, field).time()


def moment(text, field):
    """Returns a date with a time."""
    if field.format in ("default", "any"):
        _matching(_DATE, text[:10])
        _matching(_TIME, text[11:])
        if text[10] not in "T ":
            raise ValueError(text)
        return datetime.fromisoformat(text).replace(tzinfo=None)
    return _strptime(text, field).replace(tzinfo=None)


def year(text, _):
    """Returns a year."""
    return int(_matching(_YEAR, text))


def year_month(text, _):
    """Returns a year and a month, as a pair."""
    _matching(_YEAR_MONTH, text)
    begin, _, end = text.rpartition("-")
    return int(begin), int(end)


def duration(text, _):
    """Returns a duration's text, which is known to be one."""
    return _matching(_DURATION, text)


def any_text(text, _):
    """Returns the text, whatever it is."""
    return text


def json_object(text, _):
    """Returns a JSON object."""
    return _json(text, dict)


def json_array(text, _):
    """Returns a JSON array."""
    return _json(text, list)


def point(text, field):
    """Returns a longitude and a latitude, as a pair."""
    if field.format == "object":
        found = _json(text, dict)
        pair = [found.get("lon"), found.get("lat")]
    elif field.format == "array":
        pair = _json(text, list)
    else:
        pair = [float(_matching(_NUMBER, part.strip())) for part in text.split(",", 2)]
    if len(pair) != 2 or any(isinstance(one, bool) or not isinstance(one, (int, float)) for one in pair):
        raise ValueError(text)
    longitude, latitude = pair
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise ValueError(text)
    return longitude, latitude


READERS = {
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
# Formats that are words; the types of dates take patterns of strptime as well.
FORMATS = {
    "string": ("default", "email", "uri", "uuid", "binary"),
    "geopoint": ("default", "array", "object"),
}
DATED = ("date", "time", "datetime")
ORDERED = ("integer", "number", "date", "time", "datetime", "year", "yearmonth")
MEASURED = ("string", "object", "array", "any")


def _bare(text, field):
    if field.bare_number:
        return text
    begin = _SYMBOLS_BEFORE.match(text).end()
    end = len(text) if text[-1:] in _ENDS_OF_NUMBERS else 1 + max(map(text.rfind, _ENDS_OF_NUMBERS))
    return text[begin:end]


def _of_length(text, most):
    if len(text) > most:
        raise ValueError(text)
    return text


def _matching(pattern, text, most=_LONGEST):
    if len(text) > most or not pattern.fullmatch(text):
        raise ValueError(text)
    return text


def _strptime(text, field):
    return datetime.strptime(_of_length(text, _LONGEST), field.format)


def _json(text, kind):
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError(text) from error
    if not isinstance(found, kind):
        raise ValueError(text)
    return found
