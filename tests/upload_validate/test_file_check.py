"""The check of one file with the profile polling-stations: the exact texts, and the other findings."""

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.upload_validate import file_check
from tasks.upload_validate.file_check import check_file
from tasks.upload_validate.findings import COUNTED
from tests.upload_validate.conftest import csv_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(name="check")
def check_by_profile(profile):
    def check(content, *, key="stations.csv", size=None, limit=50, block=1000):
        blocks = (content[at : at + block] for at in range(0, len(content), block))
        return check_file(key, len(content) if size is None else size, blocks, profile=profile, limit=limit)

    return check


def texts(finding):
    return [problem.text for problem in finding.problems]


BIG = 5000
INCOMPLETE = "Incomplete file: Expected {} columns on row {} found {}"
PARSE, DECODE = "Failed to parse body", "Failed to decode body using any expected encoding"


def test_valid_file_has_no_problem(check):
    finding = check(csv_of(60))
    assert (finding.valid, finding.rows, finding.text.encoding, finding.problem_count) == (True, 61, "utf-8", 0)


@pytest.mark.parametrize(
    "size, said",
    [
        (1023, ["Expected file to be at least 1KB"]),
        (1024, []),
        (150_000_000, []),
        (150_000_001, ["Expected file to be under 150MB"]),
    ],
)
def test_size_outside_its_window_is_an_error(check, size, said):
    assert texts(check(csv_of(), size=size)) == said


def test_file_over_the_limit_is_not_read(profile):
    blocks = iter([b"it was read"])
    assert not check_file("a.csv", 150_000_001, blocks, profile=profile, limit=5).valid
    assert list(blocks) == [b"it was read"]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
def test_file_without_a_row_is_empty(check, content):
    finding = check(content)
    assert texts(finding) == ["Expected file to be at least 1KB", "File is empty"]
    assert finding.rows == 0


def test_all_errors_are_reported_and_not_only_the_first(check):
    finding = check(b"a,b,c\n1,2,3\n1,2\n1\n1,2,3,4\n", size=10)
    assert texts(finding) == [
        "Expected file to be at least 1KB",
        INCOMPLETE.format(3, 3, 2),
        INCOMPLETE.format(3, 4, 1),
    ]
    assert [(problem.row, problem.line, problem.excerpt) for problem in finding.problems[1:]] == [
        (3, 3, "1,2"),
        (4, 4, "1"),
    ]


def test_record_and_physical_line_differ_after_a_cell_of_many_lines(check):
    finding = check(b'a,b,c\n1,"2\n2\n2",3\n1,2\n', size=BIG)
    assert [(problem.row, problem.line) for problem in finding.problems] == [(3, 5)]


def test_errors_over_the_limit_are_counted(check):
    finding = check(b"a,b,c\n" + b"1,2\n" * 1000 + b"\n" * 100 + b"1,2,3\n", size=BIG, limit=7)
    assert (len(finding.problems), finding.problem_count, finding.rows) == (7, 1100, 1102)


GIVEN_UP = "File has more than 100,000 errors: it was not checked to its end"


@pytest.mark.parametrize("wrong", [b"1,2\n" * 20_000, b"\n" * 20_000 + b"1,2\n"])
def test_file_with_more_errors_than_are_counted_is_given_up(profile, wrong):
    blocks = iter([b"a,b,c\n" + b"1,2,3\n" * 20_000, *[wrong] * 6, b"this is not read"])
    finding = check_file("a.csv", BIG, blocks, profile=profile, limit=2)
    assert texts(finding)[-1] == GIVEN_UP
    assert (len(finding.problems), finding.problem_count) == (3, COUNTED + 1)
    assert 20_000 + COUNTED < finding.rows < 20_010 + COUNTED
    assert list(blocks) == [b"this is not read"]


def test_errors_up_to_the_counted_limit_are_all_reported(check):
    finding = check(b"a,b,c\n" + b"1\n" * COUNTED, size=BIG, block=1 << 16)
    assert (finding.problem_count, finding.rows, len(finding.problems)) == (COUNTED, COUNTED + 1, 50)


def test_error_over_the_limit_is_counted_and_not_described(check, monkeypatch):
    described = []
    monkeypatch.setattr(file_check, "excerpt_of", lambda *about: described.append(about) or "")
    assert check(b"a,b,c\n" + b"1,2\n" * 1000, size=BIG, limit=7).problem_count == 1000
    assert len(described) == 7


@pytest.mark.parametrize("header, columns", [(b"a,b", 2), (b"a;b;c;d", 1), (b"abc", 1), (b"a|b|c", 1), (b"a\tb", 2)])
def test_too_few_columns_mean_that_the_delimiter_was_not_found(check, header, columns):
    finding = check(header + b"\n" + header + b"\n", size=BIG)
    assert texts(finding) == [f"File has only {columns} columns. We might have failed to detect the delimiter"]


@pytest.mark.parametrize("key", ["stations.csv", "stations.tsv", "stations"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_delimiter_is_detected_from_the_content(check, key, delimiter):
    # Addresses contain commas, and cells may contain tabs.
    header = delimiter.join(["name", '"a, b"' if delimiter == "," else "a, b", "postcode"])
    row = delimiter.join(['"1\tx"' if delimiter == "\t" else "1\tx", "2", "3"])
    assert texts(check(f"{header}\n{row}\n{row}\n".encode(), key=key, size=BIG)) == []


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"\n\n\n", b"\r\n\r\n"])
def test_blank_lines_at_the_end_are_allowed(check, blank):
    finding = check(b"a,b,c\n1,2,3\n" + blank, size=BIG)
    assert (finding.valid, finding.rows) == (True, 2)


def test_blank_lines_in_the_middle_are_rows_that_are_too_short(check):
    finding = check(b"\na,b,c\n1,2,3\n\n\n1,2,3\n1,2,3\n\n", size=BIG)
    assert texts(finding) == [INCOMPLETE.format(3, row, 0) for row in (1, 4, 5)]
    assert finding.rows == 7


def test_blank_line_after_a_wrong_row_of_many_lines_knows_its_line(check):
    finding = check(b'a,b,c\n1,"2\n2"\n\n\n1,2,3\n', size=BIG)
    assert [(problem.row, problem.line) for problem in finding.problems] == [(2, 2), (3, 4), (4, 5)]


def test_blank_lines_before_valid_rows_are_reported(check):
    assert texts(check(b"a,b,c\n\n1,2,3\n", size=BIG)) == [INCOMPLETE.format(3, 2, 0)]


@pytest.mark.parametrize("character", ["\u2028", "\v", "\f", "\x85"])
def test_row_does_not_end_at_a_line_end_of_unicode_only(check, character):
    finding = check(f"a,b,c\n1,x{character}y,3\n".encode(), size=BIG)
    assert (finding.valid, finding.rows) == (True, 2)


@pytest.mark.parametrize(
    "content, said, name",
    [
        ("a,b,c\n1,2,3\n".encode("utf-16"), DECODE, "UTF-16 text"),
        ("a,b,c\n1,2,3\n".encode("utf-16-le"), DECODE, "UTF-16 text"),
        ("a,b,c\n1,2,3\n".encode("utf-16-be"), DECODE, "UTF-16 text"),
        (b"a,b,c\n1,\0,3\n", PARSE, "binary data"),
        (b"PK\x03\x04,b,c\n1,2,3\n", PARSE, "a ZIP archive"),
        (bytes(range(1, 256)) * 3, PARSE, "binary data"),
        (csv_of(9000) + b"\0", PARSE, "binary data"),
    ],
)
def test_file_that_is_no_table_is_recognised_and_named(check, content, said, name):
    finding = check(content, size=BIG)
    assert (texts(finding), finding.recognised_as, finding.text.encoding, finding.rows) == ([said], name, "", 0)


def test_quote_that_is_never_closed_cannot_be_parsed(check):
    finding = check(b'a,b,c\n1,"2,3\n4,5,6\n', size=BIG)
    assert [(problem.text, problem.row, problem.line) for problem in finding.problems] == [
        (INCOMPLETE.format(3, 2, 2), 2, 2),
        (PARSE, 2, 2),
    ]
    broken = check(b'"a,b,c\n4,5,6\n', size=BIG)
    assert texts(broken) == [PARSE]


@pytest.mark.parametrize(
    "header, kind",
    [
        ("HouseID,b,c", "Idox Eros (Halarose)"),
        ("authorityCode,b,c", "Xpress WebLookup"),
        ("ELECTIONDATE,b,c", "Xpress DC"),
        ("a,b,XOrdinate", "Democracy Counts"),
        ("xordinate,b,c", "Democracy Counts"),
        ('" houseid ",b,c', "Idox Eros (Halarose)"),
        ("houseid,b,xordinate", "Idox Eros (Halarose)"),
        ("a,houseid,authoritycode", "unknown"),
    ],
)
def test_ems_is_recognised_by_the_header(check, header, kind):
    for mark in ("", "\ufeff"):
        assert check(f"{mark}{header}\n1,2,3\n".encode(), size=BIG).kind == kind


def test_byte_order_mark_does_not_hide_the_ems(check):
    finding = check(b"\xef\xbb\xbf" + csv_of())
    assert (finding.kind, finding.text.byte_order_mark, finding.text.encoding) == (
        "Idox Eros (Halarose)",
        True,
        "utf-8",
    )


def test_excerpt_is_in_the_encoding_that_was_detected_in_the_end(check):
    # The first row is valid UTF-8; only the last one is not.
    content = "a,b,c\nGâr\n".encode() + "caf\xe9,2,3\n".encode("latin-1")
    finding = check(content, size=BIG)
    assert (finding.text.encoding, finding.problems[0].excerpt) == ("windows-1252", "GÃ¢r")
    assert check("a,b,c\nGâr\n".encode(), size=BIG).problems[0].excerpt == "Gâr"


# A table of 149 MB that repeats one block with quotes, line ends in cells and characters beyond ASCII.
MEASURE = r"""
import itertools
from tasks.upload_validate.file_check import check_file
from tasks.upload_validate.profile_reader import load_profile

profile = load_profile("polling-stations", "", None)
block = b'1,"2 High Street, \xc3\xa9",AB1 2CD,"long\ner"\r\n' * 3000
times = 149_000_000 // len(block)
blocks = itertools.chain([b"a,b,c,d\n"], itertools.repeat(block, times))
finding = check_file("a.csv", 149_000_000, blocks, profile=profile, limit=50)
assert finding.valid and finding.rows == 1 + 3000 * times, finding
with open("/proc/self/status") as status:
    print(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from Linux's /proc")
def test_file_of_149_mb_is_checked_in_less_than_64_mb():
    run = subprocess.run([sys.executable, "-c", MEASURE], cwd=ROOT, check=True, capture_output=True, text=True)
    # Python itself takes 12 MB; with boto3, Powertools and requests it is 55 MB.
    assert int(run.stdout) * 1024 < 32_000_000
