"""The profile table-schema: the parts of the Frictionless standards that describe a table."""

import json

import pytest

from tasks.upload_validate import findings, schema_check
from tasks.upload_validate.file_check import check_file
from tasks.upload_validate.profile_reader import load_profile, read_profile
from tasks.utils.errors import SettingsError


def profile_for(schema):
    return load_profile("table-schema", "s3://schemas/stations.json", lambda address: dumped(address, schema))


def dumped(address, schema):
    assert (address.bucket, address.key) == ("schemas", "stations.json")
    return json.dumps(schema).encode()


def errors_of(schema, content, *, key="set/a.csv"):
    content = content if isinstance(content, bytes) else content.encode()
    found = check_file(key, len(content), [content], profile=profile_for(schema), limit=50)
    return [problem.text for problem in found.problems]


def field(kind, /, **about):
    constraints = {name: about.pop(name) for name in list(about) if name in CONSTRAINTS}
    return {"fields": [{"name": "id"}, {"name": "x", "type": kind, **about, "constraints": constraints}]}


CONSTRAINTS = ("required", "unique", "minLength", "maxLength", "minimum", "maximum", "pattern", "enum")

STATIONS = {
    "fields": [
        {"name": "code", "type": "string", "constraints": {"required": True, "unique": True, "pattern": "[A-Z]\\d+"}},
        {"name": "name", "constraints": {"minLength": 2, "maxLength": 10}},
        {"name": "places", "type": "integer", "constraints": {"minimum": 1, "maximum": 99}},
    ]
}


def test_table_that_fits_its_schema_has_no_problem():
    assert errors_of(STATIONS, "Code,name,places\nA1,Hall,3\nA2,,\n") == []


def test_every_cell_that_does_not_fit_is_reported():
    assert errors_of(STATIONS, "code,name,places\n,H,0\nb,Town Hall Annex,100\nA1,Hall,x\nA1,Hall,2,\n") == [
        'Row 2, column "code" is required and has no value',
        'Row 2, column "name" is shorter than 2: "H"',
        'Row 2, column "places" is below 1: "0"',
        'Row 3, column "code" does not match [A-Z]\\d+: "b"',
        'Row 3, column "name" is longer than 10: "Town Hall Annex"',
        'Row 3, column "places" is above 99: "100"',
        'Row 4, column "places" is not of type integer: "x"',
        "Row 5 has 4 columns: expected 3",
        'Row 5, column "code" repeats the value of row 4',
    ]


def test_header_is_checked_against_the_schema():
    assert errors_of(STATIONS, "code,nom\nA1,Hall,3\n") == [
        'Column 2 is headed "nom": expected "name"',
        'Column 3 "places" is missing',
    ]
    assert errors_of(STATIONS, "code,name,places,more\nA1,Hall,3\n") == ['Column 4 is not in the schema: "more"']


def test_surplus_columns_of_a_header_are_one_problem():
    assert errors_of(STATIONS, "code,name,places" + ",é" * 500 + "\n") == [
        'Columns 4 to 503 are not in the schema, from "é" on'
    ]


def test_cell_too_long_for_a_pattern_is_not_matched():
    schema = field("string", pattern="(a+)+b")
    assert errors_of(schema, f"id,x\n1,{'a' * 40_000}b\n") == [
        f'Row 2, column "x" has more than 32,767 characters, too many for a column with a pattern: "{"a" * 60}…"'
    ]
    assert errors_of(schema, f"id,x\n1,{'a' * 32_766}b\n") == []


def test_errors_in_one_encoding_that_is_possible_do_not_end_the_check(monkeypatch):
    monkeypatch.setattr(findings, "COUNTED", 100)
    # "é" in UTF-8 has two characters in windows-1252 and Latin-1.
    schema = field("string", maxLength=1)
    content = "id,x\n" + "1,é\n" * 101
    assert errors_of(schema, content) == []
    assert errors_of(schema, content.encode() + b"2,\xe9\n")[-1].startswith("File has more than 100,000 errors")


def test_check_of_a_file_that_costs_too_much_is_given_up(monkeypatch):
    monkeypatch.setattr(schema_check, "EFFORT", 5)
    assert errors_of(field("integer"), "id,x\n" + "1,2\n" * 100) == []
    rows = "1,x\n" * 60 + "".join(f"1,{n}\n" for n in range(9))
    monkeypatch.setattr(schema_check, "EFFORT", 125)
    assert errors_of(field("integer"), f"id,x\n{rows}")[50:] == [
        "File has too many different values to check them all: upload it in parts"
    ]


def test_valid_cells_are_forgotten_if_there_are_too_many(monkeypatch):
    monkeypatch.setattr(schema_check, "REMEMBERED", 3)
    rows = "".join(f"1,{n % 7}\n" for n in range(50))
    assert errors_of(field("integer", required=True), f"id,x\n{rows}1,x\n1,\n") == [
        'Row 52, column "x" is not of type integer: "x"',
        'Row 53, column "x" is required and has no value',
    ]


def test_long_name_of_a_column_is_cut():
    schema = {"fields": [{"name": "n" * 5_000, "type": "integer", "constraints": {"pattern": "1" * 900}}]}
    assert max(map(len, errors_of(schema, "x\ny\n2\n"))) < 600


@pytest.mark.parametrize(
    "text, right", [("[1, {}]", True), ("[1.0, {}]", True), ("[2, {}]", False), ("[" * 800 + "]" * 800, False)]
)
def test_value_with_parts_is_compared_with_the_allowed_ones(text, right):
    schema = {"schema": field("array", enum=[[1, {}], []]), "dialect": {"delimiter": ";", "quoteChar": "'"}}
    assert (errors_of(schema, f"id;x\n1;{text}\n") == []) == right


@pytest.mark.parametrize(
    "kind, about, right, wrong",
    [
        ("string", {"format": "email"}, ["a@b.org"], ["a", "a@b", "a @b.org"]),
        ("string", {"format": "uri"}, ["https://a.org/b"], ["a.org", "http:// a"]),
        ("string", {"format": "uuid"}, ["123e4567-e89b-12d3-a456-426614174000"], ["123"]),
        ("string", {"format": "binary"}, ["YWJj"], ["a*b", "é"]),
        ("integer", {}, ["0", "-12", "+7"], ["1.0", "1_000", "٣", "1e3", " 1", "9" * 5000]),
        ("integer", {"bareNumber": False}, ["95%", "€ 95", "$-3"], ["€"]),
        ("number", {}, ["1.5", "-.5", "1e-3", "INF", "NaN"], ["1,5", "one", "1.2.3", "0x1"]),
        ("number", {"decimalChar": ",", "groupChar": " "}, ["1 000,5", "3"], ["1.5"]),
        ("boolean", {}, ["true", "0"], ["yes", "TrUe"]),
        ("boolean", {"trueValues": ["yes"], "falseValues": ["no"]}, ["yes", "no"], ["true"]),
        ("date", {}, ["2024-02-29"], ["2023-02-29", "29/02/2024", "20240229"]),
        ("date", {"format": "%d/%m/%Y"}, ["29/02/2024"], ["2024-02-29", "30/02/2024"]),
        ("time", {}, ["10:00:59"], ["25:00:00", "10:00"]),
        ("datetime", {}, ["2024-02-29T10:00:00Z", "2024-02-29 10:00:00"], ["2024-02-29", "2024-02-29X10:00:00"]),
        ("datetime", {"format": "%Y%m%d %H%M"}, ["20240229 1000"], ["20240229"]),
        ("time", {"format": "%H.%M"}, ["10.30"], ["10:30"]),
        ("year", {}, ["2024", "-0044"], ["24", "year"]),
        ("yearmonth", {}, ["2024-12"], ["2024-13", "2024"]),
        ("duration", {}, ["P1Y2M3DT4H", "PT0.5S"], ["P", "PT", "1Y"]),
        ("geopoint", {}, ["-0.12, 51.5"], ["181,0", "1", "a,b"]),
        ("geopoint", {"format": "array"}, ['"[0.1, 51]"'], ['"[1]"', '"[""a"",1]"', "1"]),
        ("geopoint", {"format": "object"}, ['"{""lon"": 1, ""lat"": 2}"'], ['"{""lon"": 1}"']),
        ("object", {}, ['"{""a"": 1}"'], ['"[1]"', "{", "[" * 100_000]),
        ("array", {}, ['"[1]"'], ["{}"]),
        ("any", {}, ["x"], []),
        ("integer", {"enum": [1, "2"]}, ["1", "2", "+1"], ["3"]),
        ("string", {"enum": ["red", "blue"]}, ["red"], ["Red"]),
        ("date", {"minimum": "2024-01-01", "maximum": "2024-12-31"}, ["2024-06-01"], ["2023-12-31", "2025-01-01"]),
        ("number", {"minimum": 0}, ["0"], ["-1", "NaN"]),
    ],
)
def test_cell_of_another_type_is_reported(kind, about, right, wrong):
    schema = field(kind, **about)
    for text in right:
        assert errors_of(schema, f"id\tx\n1\t{text}\n") == [], text
    for text in wrong:
        assert len(errors_of(schema, f"id\tx\n1\t{text}\n")) == 1, text


def test_missing_values_are_no_values():
    schema = {**field("integer", required=True), "missingValues": ["", "-", "n/a"]}
    assert errors_of(schema, "id,x\n1,n/a\n2,-\n3,4\n") == [
        f'Row {row}, column "x" is required and has no value' for row in (2, 3)
    ]


def test_values_of_a_primary_key_may_not_occur_twice_together():
    schema = {**field("string"), "primaryKey": ["id", "x"]}
    assert errors_of(schema, "id,x\n1,a\n1,b\n2,a\n1,a\n") == ['Row 5, column "id, x" repeats the value of row 2']


def test_column_with_more_values_than_are_remembered_is_not_called_unique(monkeypatch):
    monkeypatch.setattr(schema_check, "UNIQUE_LIMIT", 3)
    assert errors_of(field("string", unique=True), "id,x\n" + "".join(f"1,{n}\n" for n in range(9))) == [
        'Column "x" is not searched for repeated values: unique columns may have 3 values in all'
    ]


def test_unique_columns_share_the_remembered_values(monkeypatch):
    monkeypatch.setattr(schema_check, "UNIQUE_LIMIT", 5)
    schema = {"fields": [{"name": name, "constraints": {"unique": True}} for name in "ab"]}
    assert [text[:10] for text in errors_of(schema, "a,b\n" + "".join(f"{n},{n}\n" for n in range(9)))] == [
        'Column "b"',
        'Column "a"',
    ]


@pytest.mark.parametrize("key", [["x"], ["id", "x"]])
def test_primary_key_of_any_values_is_compared(key):
    schema = {"fields": [{"name": "id"}, {"name": "x"}], "primaryKey": key}
    assert len(errors_of(schema, "id,x\n1,a\n1,b\n1,a\n")) == 1


def test_cell_is_checked_in_the_encoding_that_is_detected_in_the_end():
    # "é" has one character in UTF-8, and two if a later row shows that the file is not UTF-8.
    schema = field("string", maxLength=1)
    rows = "id,x\n1,é\n".encode()
    assert errors_of(schema, rows) == []
    assert errors_of(schema, rows + b"2,\xe9\n") == ['Row 2, column "x" is longer than 1: "Ã©"']
    assert errors_of(field("string", unique=True), "id,x\n1,é\n2,é\n") == [
        'Row 3, column "x" repeats the value of row 2'
    ]


def test_dialect_of_a_resource_is_applied():
    resource = {
        "schema": field("string"),
        "encoding": "iso-8859-1",
        "dialect": {"delimiter": ";", "quoteChar": "'", "header": False, "commentChar": "#", "skipInitialSpace": True},
    }
    assert errors_of(resource, b"# a comment\n1; 'a;b'\n#2\n3\n") == [
        "Incomplete file: Expected 2 columns on row 4 found 1"
    ]
    assert errors_of({**resource, "encoding": "utf-8"}, "1;\xe9\n".encode("latin-1")) == [
        "Failed to decode body using any expected encoding"
    ]


def test_header_may_be_case_sensitive():
    schema = {"schema": field("string"), "dialect": {"caseSensitiveHeader": True}}
    assert errors_of(schema, "id,X\n1,2\n") == ['Column 2 is headed "X": expected "x"']


def test_package_has_a_schema_for_each_file():
    package = {
        "resources": [
            {"name": "stations", "path": "data/stations*.csv", "schema": STATIONS},
            {"name": "other", "path": ["x.csv"], "schema": field("integer")},
        ]
    }
    assert errors_of(package, "code,name,places\nA1,Hall,3\n", key="set/stations-2.csv") == []
    assert errors_of(package, "id,x\n1,a\n", key="set/x.csv") == ['Row 2, column "x" is not of type integer: "a"']
    assert errors_of(package, "id,x\n1,a\n", key="set/y.csv") == ["No table of this upload has a file of this name"]


@pytest.mark.parametrize(
    "schema, said",
    [
        ([], "TABLE_SCHEMA: the document should be an object and is a list"),
        ({}, "TABLE_SCHEMA: fields is missing: it should be a list"),
        ({"fields": []}, "TABLE_SCHEMA: fields is empty"),
        ({"fields": [1]}, "TABLE_SCHEMA: fields[0] should be an object and is a whole number"),
        ({"fields": [{"type": "string"}]}, "TABLE_SCHEMA: fields[0].name is missing: it should be a text"),
        ({"fields": [{"name": "a", "type": "str"}]}, "fields[0].type is 'str' and should be one of string, integer"),
        ({"fields": [{"name": "b"}, {"name": "a"}, {"name": "a"}]}, 'fields names the column "a" 2 times'),
        ({"fields": [{"name": "a"}], "primaryKey": "b"}, "primaryKey names 'b', which is no field"),
        ({"fields": [{"name": "a"}], "foreignKeys": []}, "foreignKeys cannot be judged here"),
        (field("string", pattern="(?=a)"), "fields[1].constraints.pattern uses look-ahead or look-behind"),
        (
            {"resources": [{"path": [f"{n}.csv" for n in range(1001)], "schema": {"fields": [{"name": "a"}]}}]},
            "resources names more than 1,000 files",
        ),
        (
            {"resources": [{"path": "a", "schema": {"fields": [{"name": "a"}]}}] * 1001},
            "resources names more than 1,000 files",
        ),
        (field("string", pattern="["), "fields[1].constraints.pattern is not a regular expression"),
        (field("string", format="mail"), "fields[1].format is 'mail' and should be one of default, email"),
        (field("date", format="%Q"), "fields[1].format is '%Q' and should be a pattern of strptime"),
        (field("integer", minLength=1), "fields[1].constraints.minLength does not fit the type integer"),
        (field("string", minimum=1), "fields[1].constraints.minimum does not fit the type string"),
        (field("integer", minimum="x"), "fields[1].constraints.minimum holds 'x', which is not of type integer"),
        (field("string", minLength=-1), "fields[1].constraints.minLength is -1 and should be at least 0"),
        (field("string", required="yes"), "fields[1].constraints.required should be true or false and is a text"),
        (field("string", required=1), "fields[1].constraints.required should be true or false and is a whole number"),
        (field("string", enum=[]), "fields[1].constraints.enum should be a list of values"),
        (field("integer", enum=["x"]), "fields[1].constraints.enum holds 'x', which is not of type integer"),
        ({"resources": []}, "TABLE_SCHEMA: resources is empty"),
        ({"resources": [{"path": "a"}]}, "resources[0].schema is missing: it should be an object"),
        ({"schema": field("string"), "encoding": "ebcdic"}, "encoding is 'ebcdic'; known are utf-8"),
        ({"schema": field("string"), "dialect": {"delimiter": ";;"}}, "dialect.delimiter is ';;' and should be one"),
        ({"schema": field("string"), "dialect": {"header": None}}, "dialect.header should be true or false"),
    ],
)
def test_wrong_schema_is_refused_with_a_sentence_that_names_the_field(schema, said):
    with pytest.raises(SettingsError) as raised:
        profile_for(schema)
    assert said in str(raised.value)


def test_all_problems_of_a_schema_are_named_at_once():
    with pytest.raises(SettingsError) as raised:
        read_profile({"layout": "{file}"}, name="mine")
    for field_name in ("layout", "size", "encodings", "delimiters", "words"):
        assert f"profile mine: {field_name} " in str(raised.value)
