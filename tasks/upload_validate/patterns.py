"""The `pattern` of a Table Schema, compiled to a table, so that a match takes one step for each character of a cell.

Python's `re` backtracks: `(a+)+b` takes 2^n steps on n letters, and `[^@]+@[^@]+[.][^@]+` n^2. Here a pattern becomes a
deterministic automaton before the first cell is read. The syntax is Python's, read by Python's own parser. Syntax that
cannot be matched in one pass is refused: look-around, references to groups, possessive quantifiers and atomic groups.
`$` means the end of the cell.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from re import DOTALL, IGNORECASE, UNICODE, VERBOSE, error

# Python has no public parser of regular expressions; a test compares this module with `re` on generated patterns.
from re import _constants as ops  # type: ignore[attr-defined]  # typeshed has no private modules
from re import _parser as parser  # type: ignore[attr-defined]  # as above
from typing import Any
from warnings import catch_warnings, simplefilter

# pylint: disable=no-member  # `re` makes the names of its operations at import, which pylint cannot see

# Steps of preparation: some tenths of a second. A pattern that needs more has tens of thousands of states.
STEPS = 200_000
# A spreadsheet's cell holds 32,767 characters at most.
CELL_LIMIT = 32_767
# Characters whose class is cached for each pattern, in about a megabyte: more than European texts use.
_REMEMBERED = 4_096
# Upper and lower case are not looked up for a longer range, such as all Chinese characters.
_LONG_RANGE = 1_000
# A longer interval of characters is taken to contain every kind.
_LONG_INTERVAL = 256

_FLAGS = IGNORECASE | DOTALL | UNICODE | VERBOSE
_REFUSED: dict[Any, str] = {
    ops.ASSERT: "look-ahead or look-behind",
    ops.ASSERT_NOT: "look-ahead or look-behind",
    ops.GROUPREF: "a reference to a group",
    ops.GROUPREF_EXISTS: "a reference to a group",
    ops.ATOMIC_GROUP: "an atomic group",
    ops.POSSESSIVE_REPEAT: "a possessive quantifier",
}
# By whether the characters before and after are word characters; None at the end of the text.
_ASSERTIONS: dict[Any, Callable[[bool | None, bool | None], bool]] = {
    ops.AT_BEGINNING: lambda before, after: before is None,
    ops.AT_BEGINNING_STRING: lambda before, after: before is None,
    ops.AT_END: lambda before, after: after is None,
    ops.AT_END_STRING: lambda before, after: after is None,
    ops.AT_BOUNDARY: lambda before, after: bool(before) != bool(after),
    ops.AT_NON_BOUNDARY: lambda before, after: bool(before) == bool(after),
}
# Kinds of characters, as far as \d, \s and \w distinguish them: a digit is a word character.
_OTHER, _SPACE, _WORD, _DIGIT = range(4)
_CATEGORIES: dict[Any, tuple[int, ...]] = {
    ops.CATEGORY_DIGIT: (_DIGIT,),
    ops.CATEGORY_NOT_DIGIT: (_OTHER, _SPACE, _WORD),
    ops.CATEGORY_SPACE: (_SPACE,),
    ops.CATEGORY_NOT_SPACE: (_OTHER, _WORD, _DIGIT),
    ops.CATEGORY_WORD: (_WORD, _DIGIT),
    ops.CATEGORY_NOT_WORD: (_OTHER, _SPACE),
}


class PatternError(ValueError):
    """The pattern cannot be used; the message is a sentence without a subject."""


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern.

    Attributes:
        text: the regular expression.
        classes: the class of each character.
        begin: the first state; a state is a list of the following states by class, with whether a text may end here as
            its last item.
    """

    text: str
    classes: "_Classes" = field(repr=False, compare=False)
    begin: list[Any] = field(repr=False, compare=False)

    def matches(self, text: str) -> bool:
        """Return whether the whole text matches."""
        classes, state = self.classes, self.begin
        for character in text:
            state = state[classes[character]]
        return bool(state[-1])


def compile_pattern(text: str) -> Pattern:
    """Compile a regular expression.

    Raises:
        PatternError: it is no regular expression, or cannot be matched in one pass.
    """
    try:
        with catch_warnings():
            # Python warns of syntax that may change in a later version, such as [[a].
            simplefilter("ignore")
            parsed = parser.parse(text)
        automaton = _automaton_of(parsed)
    except (error, OverflowError) as problem:
        raise PatternError(f"is not a regular expression: {problem}") from problem
    except RecursionError as problem:
        raise PatternError("is nested too deeply") from problem
    classes = _Classes(automaton.bounds)
    return Pattern(text, classes, automaton.table(classes.members))


class _Classes(dict[str, int]):
    """The class of each character, as a number: the pattern does not distinguish characters of one class.

    Attributes:
        members: for each class the least character of its interval, as a number, and its kind.
    """

    def __init__(self, bounds: Iterable[int]) -> None:
        super().__init__()
        self._bounds = sorted(bounds)
        ends = [*self._bounds, 0x110000]
        self.members = [
            (begin, kind) for begin, end in zip([0, *self._bounds], ends) for kind in _kinds_between(begin, end)
        ]
        self._number = {member: number for number, member in enumerate(self.members)}

    def __missing__(self, character: str) -> int:
        at = bisect_right(self._bounds, ord(character))
        number = self._number[self._bounds[at - 1] if at else 0, _kind_of(character)]
        if len(self) < _REMEMBERED:
            self[character] = number
        return number


def _automaton_of(parsed: Any) -> "_Automaton":
    """Return the automaton of a parsed pattern."""
    _refuse_flags(parsed.state.flags)
    automaton = _Automaton()
    automaton.entry = automaton.sequence(parsed, parsed.state.flags, 0)
    return automaton


@dataclass
class _Automaton:
    """The pattern as nodes, which become the states of a table.

    A node is a pair: a set of characters or an assertion, and the next node; or None, and a list of nodes that follow
    without a character. A node is known by its number; the first one means that the whole pattern has matched.

    Attributes:
        bounds: the numbers of the characters where a set of the pattern begins, or has just ended.
        nodes: the nodes.
        entry: the number of the node where a match begins.
        left: the steps of preparation that are left.
        has_boundaries: whether the pattern contains a boundary of a word.
    """

    bounds: set[int] = field(default_factory=set)
    nodes: list[tuple[Any, Any]] = field(default_factory=lambda: [(None, [])])
    entry: int = 0
    left: int = field(default_factory=lambda: STEPS)
    has_boundaries: bool = False

    def table(self, classes: Sequence[tuple[int, int]]) -> list[Any]:
        """Return the first state of the table, as in `Pattern.begin`.

        Args:
            classes: the least character and the kind of each class.
        """
        states: dict[tuple[frozenset[int], bool | None], list[Any]] = {}
        waiting: list[tuple[frozenset[int], bool | None]] = []

        def state_of(nodes: frozenset[int], is_word: bool | None) -> list[Any]:
            key = nodes, is_word
            if key not in states:
                states[key] = []
                waiting.append(key)
            return states[key]

        first = state_of(frozenset([self.entry]), None)
        while waiting:
            nodes, before = key = waiting.pop()
            reached = [self._reached(nodes, before, after) for after in (False, True)]
            for begin, kind in classes:
                after = kind in (_WORD, _DIGIT)
                self._spend(1 + len(reached[after]))
                following = [then for what, then in reached[after] if what and what.holds(begin, kind)]
                states[key].append(state_of(frozenset(following), after and self.has_boundaries))
            states[key].append(self.nodes[0] in self._reached(nodes, before, None))
        return first

    def _reached(self, nodes: Iterable[int], before: bool | None, after: bool | None) -> list[tuple[Any, Any]]:
        """Return the nodes that can be reached without a character: those that need one, and the final one."""
        seen, waiting = set(nodes), list(nodes)
        reached: list[tuple[Any, Any]] = []
        while waiting:
            self._spend(1)
            number = waiting.pop()
            what, then = self.nodes[number]
            if isinstance(what, _Characters) or number == 0:
                reached.append((what, then))
                continue
            following = then if what is None else [then] if what(before, after) else []
            waiting += [node for node in following if node not in seen]
            seen.update(following)
        return reached

    def _spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise PatternError(f"takes more than {STEPS:,} steps to prepare: use shorter repetitions and fewer choices")

    def _node(self, what: Any, then: Any) -> int:
        self._spend(1)
        self.nodes.append((what, then))
        return len(self.nodes) - 1

    def sequence(self, items: Any, flags: int, then: int) -> int:
        """Add the nodes for the items of a parsed pattern, and return the number of the first one.

        Args:
            items: the items.
            flags: the flags that hold for them.
            then: the number of the node after them.
        """
        for operation, about in reversed(items):
            then = self._item(operation, about, flags, then)
        return then

    def _item(self, operation: Any, about: Any, flags: int, then: int) -> int:
        if operation in (ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN):
            characters = _Characters.of(operation, about, flags)
            self.bounds |= characters.bounds
            return self._node(characters, then)
        if operation in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            return self._repetition(about, flags, then)
        if operation is ops.BRANCH:
            return self._node(None, [self.sequence(choice, flags, then) for choice in about[1]])
        if operation is ops.SUBPATTERN:
            _, added, removed, items = about
            _refuse_flags(added)
            return self.sequence(items, (flags | added) & ~removed, then)
        if operation is ops.AT:
            self.has_boundaries |= about in (ops.AT_BOUNDARY, ops.AT_NON_BOUNDARY)
            return self._node(_ASSERTIONS[about], then)
        raise PatternError(f"uses {_REFUSED[operation]}, which cannot be matched in one pass")

    def _repetition(self, about: Any, flags: int, then: int) -> int:
        least, most, items = about
        if most is ops.MAXREPEAT:
            loop = self._node(None, [then])
            self.nodes[loop][1].append(self.sequence(items, flags, loop))
            then = loop
        else:
            end = then
            for _ in range(most - least):
                then = self._node(None, [self.sequence(items, flags, then), end])
        for _ in range(least):
            self._spend(1)
            then = self.sequence(items, flags, then)
        return then


@dataclass(frozen=True)
class _Characters:
    """A set of characters: ranges of numbers, both ends included, and kinds; or all others."""

    ranges: tuple[tuple[int, int], ...]
    kinds: frozenset[int]
    negated: bool

    @classmethod
    def of(cls, operation: Any, about: Any, flags: int) -> "_Characters":
        """Return the set of an item of a parsed pattern."""
        if operation is ops.ANY:
            return cls(() if flags & DOTALL else ((10, 10),), frozenset(), True)
        items = about if operation is ops.IN else [(ops.LITERAL, about)]
        ranges: list[tuple[int, int]] = []
        kinds: set[int] = set()
        for name, value in items:
            if name is ops.CATEGORY:
                kinds.update(_CATEGORIES[value])
            elif name is not ops.NEGATE:
                begin, end = (value, value) if name is ops.LITERAL else value
                ranges += _ranges(begin, end, flags)
        negated = operation is ops.NOT_LITERAL or items[0][0] is ops.NEGATE
        return cls(tuple(ranges), frozenset(kinds), negated)

    @property
    def bounds(self) -> set[int]:
        """The numbers where a range begins, or has just ended."""
        return {bound for begin, end in self.ranges for bound in (begin, end + 1)}

    def holds(self, begin: int, kind: int) -> bool:
        """Return whether the characters of a class are in the set."""
        found = kind in self.kinds or any(least <= begin <= most for least, most in self.ranges)
        return found != self.negated


def _ranges(begin: int, end: int, flags: int) -> list[tuple[int, int]]:
    """Return a range, and the other cases of its characters if case does not count."""
    if not flags & IGNORECASE or end - begin > _LONG_RANGE:
        return [(begin, end)]
    cases = {case for number in range(begin, end + 1) for case in (chr(number).lower(), chr(number).upper())}
    return [(begin, end), *((ord(case), ord(case)) for case in cases if len(case) == 1)]


def _kind_of(character: str) -> int:
    if character.isdecimal():
        return _DIGIT
    if character.isalnum() or character == "_":
        return _WORD
    return _SPACE if character.isspace() else _OTHER


def _kinds_between(begin: int, end: int) -> Iterable[int]:
    if end - begin > _LONG_INTERVAL:
        return range(4)
    return sorted({_kind_of(chr(number)) for number in range(begin, end)})


def _refuse_flags(flags: int) -> None:
    if flags & ~_FLAGS:
        raise PatternError("uses a flag other than i, s, u and x")
