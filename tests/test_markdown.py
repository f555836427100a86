"""The Markdown of the project renders, and what it names exists: links, headings, tests, the files of a path."""

import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.project_texts import ROOT, texts

PAGES = texts(".md")
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.+?)$", re.MULTILINE)
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)")
TABLE = re.compile(r"^\|.*\n(?:\|.*\n?)+", re.MULTILINE)
# A backslash makes a pipe part of its cell, in code too.
PIPE = re.compile(r"(?<!\\)\|")
TEST_NAME = re.compile(r"`(test_\w+)`")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
# `make demo` records this picture.
RECORDED = {ROOT / "docs" / "images" / "demo.svg"}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


@cache
def prose(page):
    """The text of a page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def slug(heading):
    """The anchor that GitHub gives a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


@cache
def anchors(page):
    return {slug(heading) for heading in HEADING.findall(prose(page))}


def broken_tables(text):
    """The first row of each table whose rows differ in their number of cells, or that has no line of dashes."""
    return [table.splitlines()[0] for table in TABLE.findall(text) if not _is_whole(table.splitlines())]


def _is_whole(rows):
    return (
        len({len(PIPE.findall(row)) for row in rows}) == 1
        and re.fullmatch(r"(\| *:?-+:? *)+\|", rows[1])
        and all(row.rstrip().endswith("|") for row in rows)
    )


@every_page
def test_table_has_as_many_cells_in_each_row(page):
    assert not broken_tables(prose(page))


@pytest.mark.parametrize(
    "table",
    [
        "| a | b |\n|---|---|\n| `x|y` | 2 |\n",
        "| a | b |\n|---|---|\n| 1 |\n",
        "| a | b |\n|---|\n| 1 | 2 |\n",
        "| a | b |\n| 1 | 2 |\n",
    ],
    ids=["unescaped pipe", "missing cell", "short line of dashes", "no line of dashes"],
)
def test_broken_table_is_found(table):
    assert broken_tables(f"text\n\n{table}\ntext\n") == ["| a | b |"]


def test_escaped_pipe_breaks_no_table():
    assert not broken_tables("| a | b |\n|---|---|\n| `x\\|y` | 2 |\n")


@every_page
def test_link_leads_to_a_file_and_a_heading_that_exist(page):
    for target in LINK.findall(prose(page)):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists() or linked in RECORDED, target
        if anchor:
            assert anchor in anchors(linked), target


@cache
def names_of_tests():
    sources = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "terraform" / "tests").glob("*.hcl")]
    names = re.compile(r'^ *def (test_\w+)\(|^run "(\w+)"', re.MULTILINE)
    return {name for source in sources for found in names.findall(source.read_text(encoding="utf-8")) for name in found}


@every_page
def test_test_that_a_page_names_exists(page):
    files = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(TEST_NAME.findall(prose(page))) <= names_of_tests() | files


@pytest.mark.parametrize(
    "heading, most", [("a restored object", 12), ("a mirrored object", 15), ("an upload", 15)], ids=lambda value: value
)
def test_path_of_an_object_takes_few_files_and_all_exist(heading, most):
    """docs/architecture.md names the files that a reader opens to follow one object."""
    section = re.search(rf"^## The life of {heading}$(.*?)^## ", ARCHITECTURE, re.MULTILINE | re.DOTALL)[1]
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", section, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    assert len(rows) <= most
    for _, cell in rows:
        first, *others = re.findall(r"`([\w/]+\.py)`", cell)
        # A second file in a row is in the folder of the first.
        for name in (first, *(f"{Path(first).parent}/{other}" for other in others)):
            assert (ROOT / "tasks" / name).exists(), name
