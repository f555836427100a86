"""Files as people bring them: cut off, packed, written by Excel or by programs of the time of DOS."""

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.upload_validate.file_check import check_file
from tasks.upload_validate.page import advice_for
from tasks.upload_validate.profile_reader import load_profile
from tests.upload_validate.conftest import csv_of, polling_stations

PROFILE = polling_stations()
COMPLETE = 5000
INCOMPLETE = "Incomplete file: Expected {} columns on row {} found {}"
PARSE = "Failed to parse body"


def checked(content, *, block=None, profile=PROFILE, limit=50):
    block = block or len(content) or 1
    blocks = [content[at : at + block] for at in range(0, len(content), block)]
    return check_file("stations.csv", COMPLETE, blocks, profile=profile, limit=limit)


def places(finding):
    return [(problem.text, problem.row, problem.line) for problem in finding.problems]


# Cut off.


def test_file_that_is_cut_off_in_a_quoted_cell_names_the_short_row_and_then_the_quote():
    header = ",".join(["houseid", *(f"c{number}" for number in range(37))])
    row = ",".join(["1"] * 38)
    finding = checked("\n".join([header, *[row] * 8, '1,2,3,4,5,"6\n6","7']).encode())
    assert places(finding) == [(INCOMPLETE.format(38, 10, 7), 10, 10), (PARSE, 10, 11)]
    assert finding.problems[1].reason == "the quote that opens on this line is never closed"
    assert [problem.excerpt for problem in finding.problems] == ["1,2,3,4,5,6\n6,7"] * 2


def test_row_that_is_cut_off_in_its_last_cell_has_an_open_quote_only():
    assert places(checked(b'a,b,c\n1,2,"3\n4,5,6\n')) == [(PARSE, 2, 2)]


def test_schema_is_not_asked_about_the_cells_of_a_row_that_is_cut_off():
    schema = {"fields": [{"name": name, "type": "integer"} for name in "abc"], "primaryKey": ["a", "b"]}
    profile = load_profile("table-schema", "s3://a/b", lambda _: json.dumps(schema).encode())
    assert places(checked(b'a,b,c\n1,2,3\n1,2,"x', profile=profile)) == [(PARSE, 3, 3)]
    assert places(checked(b'a,b,c\nx,"', profile=profile)) == [(INCOMPLETE.format(3, 2, 2), 2, 2), (PARSE, 2, 2)]


CELLS = st.text(st.sampled_from('ab",\r\n é'), max_size=5)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=4),
    before=st.lists(CELLS, max_size=2),
    opened=CELLS,
    block=st.integers(1, 30),
)
def test_any_table_cut_off_in_a_quoted_cell_has_the_place_of_its_last_row_and_of_the_quote(rows, before, opened, block):
    text = "a,b,c\n" + written(*rows)
    start = text + written(before).removesuffix("\n") + ("," if before else "")
    cut = start + '"' + opened.replace('"', '""')
    row, width = len(rows) + 2, len(before) + 1
    short = [(INCOMPLETE.format(3, row, width), row, 1 + line_ends(text))] if width < 3 else []
    assert places(checked(cut.encode(), block=block)) == [*short, (PARSE, row, 1 + line_ends(start))]


def written(*rows):
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return out.getvalue()


def line_ends(text):
    return len(text.encode().splitlines()) - (not text.endswith(("\r", "\n")))


# Blank lines.


def test_blank_line_after_a_reported_row_has_its_own_row_and_line():
    finding = checked(b"houseid,b,c\n1,2\n\n4,5,6\n")
    assert places(finding) == [(INCOMPLETE.format(3, 2, 2), 2, 2), (INCOMPLETE.format(3, 3, 0), 3, 3)]


LINES = st.sampled_from(["1,2,3", "1,2", "", "1,2,3,4", "  ", '1,"2\n\n2",3', '1,"2\r\n"'])


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(LINES, max_size=9), line_end=st.sampled_from(["\n", "\r\n", "\r"]), block=st.integers(1, 40))
def test_rows_and_lines_are_counted_as_an_independent_reader_counts_them(lines, line_end, block):
    expected, line = [], 2
    filled = next((at for at, text in reversed(list(enumerate(lines))) if text.strip()), -1)
    for row, text in enumerate(lines[: filled + 1], start=2):
        (cells,) = csv.reader(io.StringIO(text, newline="")) if text else [[]]
        if len(cells) < 3:
            expected.append((INCOMPLETE.format(3, row, len(cells)), row, line))
        line += 1 + len(text.encode().splitlines()[1:]) if text else 1
    finding = checked(line_end.join(["a,b,c", *lines, ""]).encode(), block=block)
    assert places(finding) == expected
    assert finding.rows == filled + 2


# What other programs write around a table.

ENDS = [b"\x1a", b"\n\x1a", b"\x1a\x1a", b"\n   ", b"\n   \n", b"\r\n  \r\n\r\n \x1a", b"\n \n\n  \n", b"\n\x1a\r\n"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("delimiter", [b",", b"\t"])
def test_ctrl_z_and_lines_of_spaces_at_the_end_are_no_rows(end, delimiter):
    content = delimiter.join([b"a", b"b", b"c"]) + b"\n" + delimiter.join([b"1", b"2", b"3 "]) + end
    for block in range(1, len(content) + 1):
        finding = checked(content, block=block)
        assert (finding.valid, finding.rows) == (True, 2), block


@settings(max_examples=100, deadline=None)
@given(end=st.text(st.sampled_from(" \n\r\x1a"), max_size=8), block=st.integers(1, 20))
def test_any_end_without_content_leaves_the_finding_as_it_is(end, block):
    # The spaces after the last cell are a part of it.
    assert checked(b"a,b,c\n1,2,3\n" + end.encode(), block=block) == checked(b"a,b,c\n1,2,3\n")


def test_last_cell_is_checked_without_ctrl_z_and_with_its_spaces():
    fields = [{"name": "a"}, {"name": "b", "constraints": {"enum": ["2 "]}}]
    profile = load_profile("table-schema", "s3://a/b", lambda _: json.dumps({"fields": fields}).encode())
    assert checked(b"a,b\n1,2 \x1a", profile=profile).valid
    assert checked(b"a,b\n1,2 \n  \n\x1a\n", profile=profile).valid
    assert not checked(b"a,b\n1,2\n", profile=profile).valid


def test_line_of_spaces_between_rows_is_a_short_row():
    assert places(checked(b"a,b,c\n   \n1,2,3\n")) == [(INCOMPLETE.format(3, 2, 1), 2, 2)]


def test_line_of_delimiters_at_the_end_is_a_row():
    schema = {"schema": {"fields": [{"name": name} for name in "abc"]}, "dialect": {"delimiter": " "}}
    profile = load_profile("table-schema", "s3://a/b", lambda _: json.dumps(schema).encode())
    assert checked(b"a b c\n1 2 3\n  \n", profile=profile).rows == 3
    assert checked(b"a\tb\tc\n1\t2\t3\n\t\t\n").rows == 3


@pytest.mark.parametrize("content", [b"   ", b"\x1a", b" \n \r\n\x1a", b"sep=,", b"sep=,\n\n"])
def test_file_of_nothing_but_spaces_and_marks_is_empty(content):
    finding = checked(content)
    assert (places(finding), finding.rows) == ([("File is empty", None, None)], 0)


@pytest.mark.parametrize("line", [b"sep=,\r\n", b"SEP=,\n", b'"sep=,"\r', b"\xef\xbb\xbfsep=,\n"])
def test_line_of_excel_before_the_header_is_no_row(line):
    for block in range(1, 30):
        finding = checked(line + b"houseid,b,c\r\n1,2,3\r\n1,2\r\n", block=block)
        assert places(finding) == [(INCOMPLETE.format(3, 3, 2), 3, 4)]
        assert (finding.kind, finding.rows) == ("Idox Eros (Halarose)", 3)


def test_line_of_excel_names_the_delimiter():
    # By its content alone, the header has three columns with a comma, and two with a tab.
    assert checked(b"sep=\t\na,b\tc,d\te\n1\t2\t3\n").valid
    other = checked(b"sep=;\na;b;c\n1;2;3\n")
    assert places(other) == [
        ("File has only 1 columns. We might have failed to detect the delimiter", 1, 2),
    ]
    schema = {"fields": [{"name": name} for name in "abc"]}
    profile = load_profile("table-schema", "s3://a/b", lambda _: json.dumps(schema).encode())
    assert checked(b"sep=;\na;b;c\n1;2;3\n", profile=profile).valid


def test_header_that_only_begins_like_the_line_of_excel_is_a_header():
    assert checked(b"sep=,b,c\n1,2,3\n").rows == 2
    assert checked(b"a,b,c\nsep=,\n").problem_count == 1


# Files that are no tables.


def zipped(*names, first=None):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        if first:
            archive.writestr(zipfile.ZipInfo("mimetype"), first)
        for name in names:
            archive.writestr(name, csv_of(50))
    return content.getvalue()


UNPACK = "Unpack it and upload the files that are in it."
UNPACK_ONE = "Unpack it and upload the file that is in it."
EXPORT = "Save or export it as CSV in UTF-8 and upload that."
NO_TABLES = {
    "gz": (gzip.compress(csv_of()), "a gzip archive", UNPACK_ONE),
    "bz2": (bz2.compress(csv_of()), "a bzip2 archive", UNPACK_ONE),
    "empty bz2": (bz2.compress(b""), "a bzip2 archive", UNPACK_ONE),
    "xz": (lzma.compress(csv_of()), "an xz archive", UNPACK_ONE),
    "zip": (zipped("stations.csv"), "a ZIP archive", UNPACK),
    "xlsx of Excel": (
        zipped("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml", "xl/worksheets/sheet1.xml"),
        "an Excel workbook (.xlsx)",
        EXPORT,
    ),
    "xlsx of openpyxl": (
        zipped("docProps/app.xml", "docProps/core.xml", "xl/worksheets/sheet1.xml", "[Content_Types].xml"),
        "an Excel workbook (.xlsx)",
        EXPORT,
    ),
    "ods": (
        zipped("content.xml", first="application/vnd.oasis.opendocument.spreadsheet"),
        "an OpenDocument spreadsheet (.ods)",
        EXPORT,
    ),
    "pdf": (
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
        "a PDF document",
        "Export its table as CSV in UTF-8 from the program that made it, and upload that.",
    ),
}


@pytest.mark.parametrize("kind", NO_TABLES)
def test_file_that_is_no_table_is_named_by_its_content_with_what_to_do(kind):
    content, name, remedy = NO_TABLES[kind]
    finding = checked(content)
    assert places(finding) == [(PARSE, None, None)]
    assert finding.recognised_as == name
    assert finding.problems[0].reason == f"This is {name}. {remedy}"
    assert finding.problems[0].reason in advice_for(finding)


@settings(max_examples=100, deadline=None)
@given(
    cells=st.lists(st.text(st.sampled_from("\\nxu0N\"'/,"), max_size=6).map(lambda text: text + "\\"), min_size=3),
    times=st.integers(1, 30),
)
def test_file_full_of_backslashes_is_no_binary_data(cells, times):
    row = written(cells).encode()
    finding = checked(b"\\\\,\\,\\n\n" + row * times)
    assert (finding.valid, finding.recognised_as, finding.rows) == (True, "", times + 1)


# The words of a finding.

PYTHON = ("field larger", "field limit", "invalid start byte", "codec", "NUL", "Error", "unexpected end", "Expecting")
FAULTS = [
    b"a,b,c\n" + b"x" * 200_000 + b",1,2\n",
    b'a,b,c\n1,2,"' + b"x" * 200_000,
    b"a,b,c\n" + b'"x\n",' * 500_000,
    b"a,b,c\n1,\0,3\n",
    b'a,b,c\n"1"x,2\n',
    b'a,b,c\n1,"2',
    b"a,b,c\n\xff\xfe,\x81\n",
    b"\xff\xfea\0",
    "a,b,c\n1,2\n".encode("utf-32"),
    *(content for content, _, _ in NO_TABLES.values()),
]


@pytest.mark.parametrize("content", FAULTS, ids=range(len(FAULTS)))
def test_finding_has_no_words_of_python(content):
    problems = checked(content, block=1 << 17).problems
    assert problems
    assert not [word for problem in problems for word in PYTHON if word in problem.text + problem.reason]


@pytest.mark.parametrize(
    "content, place",
    [
        (b"{]", " (line 1, column 2)"),
        (b'{"fields":\n nul}', " (line 2, column 2)"),
        (b"\xff", ""),
        (b"[" * 100_000, ""),
    ],
)
def test_schema_that_is_no_json_is_refused_with_the_place_of_the_fault(content, place):
    with pytest.raises(Exception, match="TABLE_SCHEMA: it is not JSON") as caught:
        load_profile("table-schema", "s3://a/b", lambda _: content)
    assert str(caught.value) == f"TABLE_SCHEMA: it is not JSON{place}"
