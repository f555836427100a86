"""Plain English: the words below stand in no code, page or Terraform file, but for the sentences listed here."""

import re

import pytest

from tests.support.project_texts import ROOT, texts

# Words that made sentences hard to read. Write who or what acts: "the worker", "another writer", "a person", "again".
HARD_WORDS = re.compile(r"\b(whoever|nobody|somebody|anew|told|mend(s|ed)?)\b", re.IGNORECASE)
# The natural word in its sentence: path -> lines.
ALLOWED = {
    "docs/reference.md": [
        "| message of `replicate` | `what nobody wrote down goes with its version` "
        "| `an untracked version goes with its source version` |"
    ],
}
SOURCES = [path for path in texts(".md", ".py", ".tf", ".hcl") if path.name != "test_language.py"]


def hits(text):
    """The lines of a text that have such a word."""
    return [line.strip() for line in text.splitlines() if HARD_WORDS.search(line)]


@pytest.mark.parametrize("folder", sorted({path.relative_to(ROOT).parts[0] for path in SOURCES}))
def test_text_has_none_of_the_hard_words(folder):
    found = {
        path.relative_to(ROOT).as_posix(): lines
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] == folder and (lines := hits(path.read_text("utf-8")))
    }
    assert found == {path: lines for path, lines in ALLOWED.items() if path.startswith(folder)}


def test_hard_word_is_found():
    assert hits("Nobody is here.\nA telltale amendment.\nIt was Told.") == ["Nobody is here.", "It was Told."]
