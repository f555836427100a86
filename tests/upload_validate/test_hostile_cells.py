"""Each type and format of a field checks the longest possible cells quickly, with any content."""

import json
import time

import pytest

from tasks.upload_validate.profile_reader import load_profile
from tasks.upload_validate.schema_check import SchemaCheck

FIELDS = [
    *({"type": "string", "format": form} for form in ("email", "uri", "uuid", "binary")),
    {"type": "integer"},
    {"type": "integer", "bareNumber": False},
    {"type": "number"},
    {"type": "number", "bareNumber": False},
    {"type": "number", "decimalChar": ",", "groupChar": "."},
    {"type": "number", "groupChar": " ", "bareNumber": False},
    {"type": "boolean", "trueValues": ["yes"], "falseValues": ["no"]},
    *({"type": kind} for kind in ("date", "time", "datetime", "year", "yearmonth", "duration")),
    {"type": "date", "format": "%d %m %Y"},
    {"type": "datetime", "format": "%d/%m/%Y %H:%M"},
    *({"type": "geopoint", "format": form} for form in ("default", "array", "object")),
    {"type": "object"},
    {"type": "array"},
    {"type": "array", "constraints": {"enum": [[1], {"a": [2]}]}},
    {"type": "number", "constraints": {"minimum": 0, "maximum": 5, "enum": [1, "1e1000"]}},
]
# The limit of csv for a cell is 131,072 characters; a pattern that is not linear takes minutes for it.
LONG = 130_000
UNITS = [
    "0",
    "1",
    "9.",
    ".",
    "a",
    "1a",
    "a1",
    "-",
    "+1",
    "e",
    "1e",
    " ",
    "1 ",
    "$",
    "@",
    "a@",
    "a.",
    "@.",
    "a@b.",
    ":",
    "a:",
    "é",
    "1é",
    "%",
    ",",
    "1,",
    "[",
    "[]",
    "{",
    "[1",
    "0-",
    "00:",
    "P",
    "1Y",
    "T1",
    "1.1",
    "\\",
    "%d ",
    "_",
    "=",
    "-1",
]
ENDS = [
    ("", ""),
    ("1", "1"),
    ("", "!"),
    ("a@b.", " "),
    ("P", "S"),
    ("PT1.", "M"),
    ("[0.", "]"),
    ('{"lon":', ""),
    ("1 ", " 2024"),
    ("2024-", "-01"),
    ("10:00:00.", "Z"),
    ("2024-01-01T10:00:00.", ""),
    ("a:", " "),
]


@pytest.mark.first_cases(9)
@pytest.mark.parametrize("field", FIELDS, ids=str)
def test_longest_cells_are_checked_in_milliseconds(field):
    schema = {"fields": [{"name": "x", **field}]}
    profile = load_profile("table-schema", "s3://a/b", lambda _: json.dumps(schema).encode())
    check = SchemaCheck(profile.tables[0].schema, lambda: ["utf-8"])
    slowest = 0
    for begin, end in ENDS:
        for unit in UNITS:
            cell = begin + (unit * LONG)[: LONG - len(begin + end)] + end
            begun = time.process_time()
            check.approve([cell])
            slowest = max(slowest, time.process_time() - begun)
    # Some milliseconds, with a margin.
    assert slowest < 0.5
