import json

import pytest

from tasks.upload_validate.profile import Layout
from tasks.upload_validate.profile_reader import PROFILES, load_profile, read_profile
from tasks.utils.errors import SettingsError

DOCUMENT = json.loads((PROFILES / "polling-stations.json").read_text(encoding="utf-8"))
LAYOUT = Layout("{gss}/{election_date}/{timestamp}/{file}")


def nothing(_):
    raise AssertionError("nothing is to be read")


def test_layout_returns_the_set_of_a_key():
    names = {"gss": "E07", "election_date": "2025-05-01", "timestamp": "1"}
    assert LAYOUT.place_of("E07/2025-05-01/1/a.csv") == ("E07/2025-05-01/1/", names)


@pytest.mark.parametrize(
    "key", ["a.csv", "E07/a.csv", "E07/2025/1", "E07/2025/1/", "E07/2025/1/x/a.csv", "/2025/1/a.csv", ""]
)
def test_key_of_another_form_belongs_to_no_set(key):
    assert LAYOUT.place_of(key) is None


@pytest.mark.parametrize(
    "name, belongs", [("report.json", False), ("report.html", False), ("my-report.json.csv", True), ("report", True)]
)
def test_only_the_names_of_the_report_are_reserved(name, belongs):
    assert (LAYOUT.place_of(f"E07/2025/1/{name}") is not None) == belongs


def test_form_of_a_layout_is_taken_literally_outside_its_names():
    assert Layout("in.box/{set}/{file}").place_of("inXbox/1/a") is None
    assert Layout("in.box/{set}/{file}").place_of("in.box/1/a\nb") == ("in.box/1/", {"set": "1"})


def changed(path, value):
    document = json.loads(json.dumps(DOCUMENT))
    target = document
    *folders, last = path
    for step in folders:
        target = target[step]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return document


@pytest.mark.parametrize(
    "path, value, said",
    [
        (["layout"], "{gss}", "layout is '{gss}': it should name each part once and end with \"/{file}\""),
        (["layout"], "{a}/{a}/{file}", "layout is '{a}/{a}/{file}'"),
        (["layout"], "{a}-{b}-{c}/{file}", "layout is '{a}-{b}-{c}/{file}': it should name two parts"),
        (["size", "least"], "1KB", "size.least should be a whole number and is a text"),
        (["size", "least"], True, "size.least should be a whole number and is true or false"),
        (["size", "least"], 10**9, "size.least is 1000000000, which is more than most"),
        (["size", "least_text"], "", "size.least_text is empty"),
        (["size", "moost"], 5, "size.moost is not known here; known are least, least_text, most, most_text"),
        (["size"], None, "size is missing: it should be an object"),
        (["encodings"], ["utf-8", "ebcdic"], "encodings holds 'ebcdic'; known are utf-8, windows-1252, latin-1"),
        (["encodings"], [], "encodings is empty"),
        (["encodings"], ["utf-8", 1], "encodings[1] should be a text and is a whole number"),
        (["delimiters"], [",", ";;"], "delimiters holds ';;', which is not a single ASCII character"),
        (["delimiters"], [], "delimiters is empty"),
        (
            ["delimiter_by_extension"],
            {".tsv": 9},
            "delimiter_by_extension['.tsv'] holds 9, which is not a single ASCII",
        ),
        (["least_columns"], 0, "least_columns is 0 and should be at least 1"),
        (["kinds", 0, "column"], None, "kinds[0].column is missing: it should be a text"),
        (["kinds", 1], "x", "kinds[1] should be an object and is a text"),
        (["together", 0, "files"], 1, "together[0].files is 1 and should be at least 2"),
        (["words", "subject"], "{oops}", "words.subject holds {oops}; known are gss, election_date, timestamp"),
        (["council"], "county", "council is 'county' and should be one of gss, election_date, timestamp"),
        (["colour"], "red", "colour is not known here"),
    ],
)
def test_wrong_profile_is_refused_with_a_sentence_that_names_the_field(path, value, said):
    with pytest.raises(SettingsError) as raised:
        read_profile(changed(path, value), name="mine")
    assert f"profile mine: {said}" in str(raised.value)


def test_profile_that_is_no_object_is_refused():
    with pytest.raises(SettingsError, match="profile mine: the document should be an object and is a list"):
        read_profile([], name="mine")


def test_missing_profile_is_refused_and_the_existing_ones_are_named():
    with pytest.raises(SettingsError, match="PROFILE: there is no 'x.json' in profiles/; there are polling-stations"):
        load_profile("x", "", nothing)
    with pytest.raises(SettingsError, match="PROFILE: there is no '../profiles/polling-stations.json'"):
        load_profile("../profiles/polling-stations", "", nothing)


def test_profile_that_needs_a_schema_says_so():
    with pytest.raises(SettingsError, match="TABLE_SCHEMA is not set: the profile table-schema needs"):
        load_profile("table-schema", "", nothing)
    with pytest.raises(SettingsError, match="TABLE_SCHEMA: there is no 'mine.json' in profiles/"):
        load_profile("table-schema", "mine.json", nothing)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000])
def test_schema_that_is_not_json_is_refused(content):
    with pytest.raises(SettingsError, match="TABLE_SCHEMA: it is not JSON"):
        load_profile("table-schema", "s3://bucket/key", lambda _: content)


def test_schema_that_is_too_large_is_refused():
    with pytest.raises(SettingsError, match="TABLE_SCHEMA: it has more than 1,048,576 bytes"):
        load_profile("table-schema", "s3://bucket/key", lambda _: b" " * 2_000_000)
