"""docs/invariants.md names a promise, an assumption and tests for each invariant, and all of these tests exist."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "invariants.md").read_text(encoding="utf-8")
INVARIANTS = [f"I{number}" for number in range(1, 11)]
# The beginning of a test, by the kind of file.
BEGINNINGS = {".py": r"^ *def (test_\w+)\(", ".hcl": r'^run "(\w+)"'}


def section(invariant):
    """Return pairs of a file and the names of its tests, from the section of an invariant."""
    text = re.search(rf"^## {invariant} .*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL).group()
    items = re.findall(r"^- (\S+):((?:\s+`\w+`,?)+)$", text, re.MULTILINE)
    assert len(items) == text.count("\n- "), "an item is a file, a colon and names in backquotes"
    return [(file, re.findall(r"`(\w+)`", names)) for file, names in items]


@cache
def names_in(file):
    path = ROOT / file
    return set(re.findall(BEGINNINGS[path.suffix], path.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_invariant_has_a_promise_an_assumption_and_tests_that_exist(invariant):
    (row,) = re.findall(rf"^\| {invariant} \| (\S.*) \| (\S.*) \|$", PAGE, re.MULTILINE)
    assert all(row)
    assert section(invariant)
    missing = [(file, set(names) - names_in(file)) for file, names in section(invariant) if set(names) - names_in(file)]
    assert not missing


def test_page_has_no_other_invariant():
    assert re.findall(r"^\| (I\d+) \|", PAGE, re.MULTILINE) == INVARIANTS
    assert re.findall(r"^## (I\d+) ", PAGE, re.MULTILINE) == INVARIANTS
