"""The ends of records, compared with an independent reader of RFC 4180 on generated tables, in bounded memory."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.upload_validate import lines
from tasks.upload_validate.lines import RECORD_LIMIT
from tasks.upload_validate.records import CELL_TOO_LONG, CUT_OFF, NEVER_CLOSED, TOO_LONG, Broken, Dialect, Records


def records_of(content, *, block=7, dialect=Dialect()):
    return list(Records((content[at : at + block] for at in range(0, len(content), block)), dialect))


def rows(content, **arguments):
    return [cells for _, _, cells in records_of(content, **arguments)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_record_ends_at_a_line_end_for_any_cut_between_blocks(line_end):
    content = f"a,b{line_end}1,2{line_end}{line_end}3,4".encode()
    for block in range(1, 12):
        assert records_of(content, block=block) == [
            (1, 1, ["a", "b"]),
            (2, 2, ["1", "2"]),
            (3, 3, []),
            (4, 4, ["3", "4"]),
        ]


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\v", "\f", "\x85", "\x1c", "\x1d", "\x1e"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_character_that_only_unicode_calls_a_line_end_does_not_end_a_record(character, encoding):
    content = f"a,b\n1{character},2\n".encode(encoding, "ignore")
    assert [len(cells) for cells in rows(content)] == [2, 2]


def test_record_after_a_quoted_cell_of_many_lines_has_its_own_line():
    content = b'a,"b\n\nb"\n"c\r\n",d\ne\n'
    assert records_of(content) == [(1, 1, ["a", "b\n\nb"]), (2, 4, ["c\r\n", "d"]), (3, 6, ["e"])]


@pytest.mark.parametrize(
    "content, read, opened",
    [
        (b'a,b\n1,"2\n3,4\n', ["1", "2\n3,4\n"], 2),
        (b'a,b\n1,"2', ["1", "2"], 2),
        (b'a,b\n1,"2\n', ["1", "2\n"], 2),
        (b'a,b\n"1\r\n\n","2\n', ["1\r\n\n", "2\n"], 4),
        (b'a,b\n"1\r","2\r","', ["1\r", "2\r", ""], 4),
    ],
)
def test_record_that_the_end_of_the_file_cuts_off_has_its_cells_and_the_line_of_its_quote(content, read, opened):
    for block in range(1, len(content)):
        number, line, cells = records_of(content, block=block)[-1]
        assert (number, line, isinstance(cells, Broken)) == (2, 2, True)
        assert (list(cells), cells.reason, cells.line) == (read, NEVER_CLOSED, opened)


def test_record_that_is_cut_off_is_never_taken_for_a_valid_one():
    table = Records([b'a,b\n1,2\n3,"4\n5,6\n'], Dialect())
    table.regular, table.approve = 2, lambda cells: True
    ((number, _, cells),) = list(table)
    assert (number, isinstance(cells, Broken), table.number) == (3, True, 3)


def test_escape_character_at_the_end_is_no_open_quote():
    cells = records_of(b"a,b\n1,\\", dialect=Dialect(escape_char="\\"))[-1][2]
    assert (list(cells), cells.reason) == (["1", "\n"], CUT_OFF)


def test_field_over_the_limit_is_reported_and_reading_goes_on():
    found = records_of(b"a,b\n" + b"x" * 200_000 + b",1\nc,d\n", block=1 << 16)
    assert [number for number, _, _ in found] == [1, 2, 3]
    assert found[1][2].reason == CELL_TOO_LONG == "a cell of more than 131,072 characters: is a quote not closed?"
    assert found[2] == (3, 3, ["c", "d"])


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_that_is_too_long_is_skipped(end):
    for block in (1 << 16, (1 << 16) + 1):
        found = records_of(b"a,b" + end + b"x," * RECORD_LIMIT + end + b"c,d" + end, block=block)
        assert found[1][:2] == (2, 2)
        assert found[1][2].reason == TOO_LONG
        assert found[2:] == [(3, 3, ["c", "d"])]


def test_record_that_is_too_long_over_many_lines_is_given_up(monkeypatch):
    monkeypatch.setattr(lines, "RECORD_LIMIT", 10_000)
    found = records_of(b"a,b\n" + b'"x\n",' * 5_001 + b"\nc,d\n", block=1_000)
    assert found[1][2].reason == TOO_LONG
    # The next record counts on from the lines that were skipped.
    assert 4_000 < found[2][1] < 5_000
    assert max(len(cells) for _, _, cells in found) < 5_000


def test_regular_records_are_counted_and_not_yielded():
    table = Records([b"a,b\n1,2\n3\n4,5\n"], Dialect())
    table.regular = 2
    assert list(table) == [(3, 3, ["3"])]
    assert table.number == 4


def test_dialect_is_applied():
    content = b"a; 'b;c'\n1;'2\\'3'\n"
    dialect = Dialect(delimiter=";", quote_char="'", double_quote=False, escape_char="\\", skip_initial_space=True)
    assert rows(content, dialect=dialect) == [["a", "b;c"], ["1", "2'3"]]
    assert rows(b'a,"b\n', dialect=Dialect(quote_char=None)) == [["a", '"b']]


def parse_rfc_4180(text):
    """Read RFC 4180 character by character by its grammar; CR or LF alone ends a record too."""
    table, row, cell, position = [], [], "", 0
    while position < len(text):
        character = text[position]
        if character == '"' and cell == "":
            position += 1
            while not (text[position] == '"' and text[position + 1 : position + 2] != '"'):
                position += 2 if text[position] == '"' else 1
                cell += text[position - 1]
        elif character == ",":
            row, cell = [*row, cell], ""
        elif character in "\r\n":
            position += text[position : position + 2] == "\r\n"
            table, row, cell = [*table, [*row, cell]], [], ""
        else:
            cell += character
        position += 1
    return [*table, [*row, cell]] if row or cell else table


def written(table, line_end, always_quoted):
    def cell_of(text):
        quoted = always_quoted or any(character in text for character in ',"\r\n')
        return '"' + text.replace('"', '""') + '"' if quoted else text

    return "".join(",".join(map(cell_of, row)) + line_end for row in table)


CELLS = st.text(st.sampled_from('ab",\r\n\t;é\u2028\x0b\x0c\x85東 '), max_size=6)


def assert_table_is_read_as_it_was_written(table, line_end, always_quoted, block):
    text = written(table, line_end, always_quoted)
    read = rows(text.encode(), block=block)
    assert [[cell.encode("latin-1").decode() for cell in row] for row in read] == parse_rfc_4180(text) == table


@st.composite
def whole_tables(draw):
    width = draw(st.integers(2, 4))
    return draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=6))


ARGUMENTS = {
    "table": whole_tables(),
    "line_end": st.sampled_from(["\n", "\r\n", "\r"]),
    "always_quoted": st.booleans(),
    "block": st.integers(1, 40),
}


@settings(max_examples=150, deadline=None)
@given(**ARGUMENTS)
def test_table_of_rfc_4180_is_read_as_an_independent_reader_reads_it(**arguments):
    assert_table_is_read_as_it_was_written(**arguments)


@pytest.mark.chaos
@settings(max_examples=20_000, deadline=None)
@given(**ARGUMENTS)
def test_tables_of_rfc_4180_are_read_as_an_independent_reader_reads_them(**arguments):
    assert_table_is_read_as_it_was_written(**arguments)
