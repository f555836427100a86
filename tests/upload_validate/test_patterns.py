"""A pattern matches the same texts as `re`, in one step for each character."""

import re
import time
from warnings import catch_warnings, simplefilter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.upload_validate.patterns import CELL_LIMIT, PatternError, compile_pattern

LEAVES = st.sampled_from(
    [
        "a",
        "b",
        "1",
        " ",
        "_",
        "é",
        "-",
        "[ab]",
        "[^a]",
        "[a-f]",
        "[^\\d a]",
        "[\\w-]",
        ".",
        "\\d",
        "\\D",
        "\\w",
        "\\W",
        "\\s",
        "\\S",
        "^",
        "$",
        "\\b",
        "\\A",
        "\\Z",
        "",
    ]
)
QUANTIFIERS = st.sampled_from("* + ? {2} {0,2} {1,} *? +? ??".split())
PATTERNS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, QUANTIFIERS).map(lambda two: f"(?:{two[0]}){two[1]}"),
        st.tuples(st.sampled_from(["(", "(?i:", "(?s:"]), inner).map(lambda two: f"{two[0]}{two[1]})"),
    ),
    max_leaves=8,
)
# In `re`, `$` also matches before a last line end; here only at the end of the cell.
TEXTS = st.text(st.sampled_from("ab1 _éABÉ-٣\t"), max_size=6)


def matches_as_re_does(pattern, texts):
    found = compile_pattern(pattern)
    for text in texts:
        assert found.matches(text) == bool(re.fullmatch(pattern, text)), (pattern, text)


@settings(max_examples=150, deadline=None)
@given(pattern=PATTERNS, texts=st.lists(TEXTS, min_size=1, max_size=10))
@example(pattern="[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}", texts=["BN11 1AA", "BN11 1A", "bn11 1aa"])
@example(pattern="\\x61\\u00e9|[\\t]", texts=["aé", "a", "\t"])
def test_pattern_matches_the_same_texts_as_re(pattern, texts):
    matches_as_re_does(pattern, texts)


@pytest.mark.chaos
@settings(max_examples=20_000, deadline=None)
@given(pattern=PATTERNS, texts=st.lists(TEXTS, min_size=1, max_size=10))
def test_thousands_of_patterns_match_the_same_texts_as_re(pattern, texts):
    matches_as_re_does(pattern, texts)


@settings(max_examples=300, deadline=None)
@given(pattern=st.text(st.sampled_from("ab(|)[]{}?*+\\1^$.=!<:P>dwsimx,-"), max_size=12))
def test_any_text_is_a_pattern_or_refused_with_a_sentence(pattern):
    try:
        compile_pattern(pattern).matches("ab1")
    except PatternError as error:
        assert str(error)
        return
    with catch_warnings():
        simplefilter("ignore")
        re.compile(pattern)


@pytest.mark.parametrize(
    "pattern, said",
    [
        ("[", "is not a regular expression: unterminated character set at position 0"),
        ("(?=a)b", "uses look-ahead or look-behind, which cannot be matched in one pass"),
        ("(?<!a)b", "uses look-ahead or look-behind, which cannot be matched in one pass"),
        ("(a)\\1", "uses a reference to a group, which cannot be matched in one pass"),
        ("(a)?(?(1)b|c)", "uses a reference to a group, which cannot be matched in one pass"),
        ("a++", "uses a possessive quantifier, which cannot be matched in one pass"),
        ("(?>a)", "uses an atomic group, which cannot be matched in one pass"),
        ("(?m)^a", "uses a flag other than i, s, u and x"),
        ("(?a:a)", "uses a flag other than i, s, u and x"),
        ("(" * 5_000 + ")" * 5_000, "is nested too deeply"),
        ("(?:a{1000}){1000}", "takes more than 200,000 steps to prepare"),
        ("(?:){1000000000}", "takes more than 200,000 steps to prepare"),
        ("(a|b)*a(a|b){30}", "takes more than 200,000 steps to prepare"),
        ("a{99999999999}", "is not a regular expression"),
    ],
)
def test_pattern_that_cannot_be_matched_in_one_pass_is_refused(pattern, said):
    with pytest.raises(PatternError) as raised:
        compile_pattern(pattern)
    assert str(raised.value).startswith(said)


# On one of the texts `re` takes exponential time for each pattern, or the square of the text's length.
SLOW = [
    "(a+)+b",
    "(a|a)*b",
    "(a*)*b",
    "(.*)*b",
    "[^@]+@[^@]+[.][^@]+",
    "a*a*a*a*b",
    "(a|b|ab)*c",
    "(\\w+\\s?)*!",
    "(x+x+)+y",
]


@pytest.mark.parametrize("pattern", SLOW)
def test_longest_cell_takes_a_step_for_each_character(pattern):
    found, begun = compile_pattern(pattern), time.process_time()
    for unit in ("a", "ab", "a ", "a@.", "x"):
        assert not found.matches((unit * CELL_LIMIT)[:CELL_LIMIT])
    # Some hundredths of a second, with a margin.
    assert time.process_time() - begun < 2


def test_characters_beyond_the_cache_are_classified_correctly():
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 10_000)))
    found = compile_pattern("\\w*")
    assert found.matches(text) and not found.matches(text + " ")
