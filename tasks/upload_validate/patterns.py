"""The `pattern` of a schema's author, compiled to a table, so that a cell takes one step a character whatever it holds.

Python's `re` tries one way after the other: `(a+)+b` takes 2^n steps on n letters, and `[^@]+@[^@]+[.][^@]+` n^2. Here
a pattern becomes a deterministic automaton before the first cell is read. The syntax is Python's, read by Python's own
parser; what cannot be matched in one pass is refused: look-around, references to groups, possessive quantifiers and
atomic groups. `$` means the end of the cell.
"""

from bisect import bisect_right
from dataclasses import dataclass
from re import DOTALL, IGNORECASE, UNICODE, VERBOSE, error

# There is no public parser of regular expressions; a test holds this module against `re` on generated patterns.
from re import _constants as ops
from re import _parser as parser
from warnings import catch_warnings, simplefilter

# pylint: disable=no-member  # `re` makes the names of its operations while it is imported, which pylint cannot see

# Steps of preparation: some tenths of a second. What needs more has states by the ten thousand.
STEPS = 200_000
# A spreadsheet's cell holds 32,767 characters at most.
CELL_LIMIT = 32_767
# Characters whose class is remembered for each pattern, in about a megabyte: more than European texts use.
_REMEMBERED = 4_096
# Of a range that is longer than this, as that of all Chinese characters, upper and lower case are not looked for.
_LONG_RANGE = 1_000
# In an interval of characters that is longer than this, every kind is taken to occur.
_LONG_INTERVAL = 256

_FLAGS = IGNORECASE | DOTALL | UNICODE | VERBOSE
_REFUSED = {
    ops.ASSERT: "look-ahead or look-behind",
    ops.ASSERT_NOT: "look-ahead or look-behind",
    ops.GROUPREF: "a reference to a group",
    ops.GROUPREF_EXISTS: "a reference to a group",
    ops.ATOMIC_GROUP: "an atomic group",
    ops.POSSESSIVE_REPEAT: "a possessive quantifier",
}
# By whether the characters before and after are of a word; None where there is none.
_ASSERTIONS = {
    ops.AT_BEGINNING: lambda before, after: before is None,
    ops.AT_BEGINNING_STRING: lambda before, after: before is None,
    ops.AT_END: lambda before, after: after is None,
    ops.AT_END_STRING: lambda before, after: after is None,
    ops.AT_BOUNDARY: lambda before, after: bool(before) != bool(after),
    ops.AT_NON_BOUNDARY: lambda before, after: bool(before) == bool(after),
}
# Kinds of characters, as far as \d, \s and \w tell them apart: a digit is of a word.
_OTHER, _SPACE, _WORD, _DIGIT = range(4)
_CATEGORIES = {
    ops.CATEGORY_DIGIT: (_DIGIT,),
    ops.CATEGORY_NOT_DIGIT: (_OTHER, _SPACE, _WORD),
    ops.CATEGORY_SPACE: (_SPACE,),
    ops.CATEGORY_NOT_SPACE: (_OTHER, _WORD, _DIGIT),
    ops.CATEGORY_WORD: (_WORD, _DIGIT),
    ops.CATEGORY_NOT_WORD: (_OTHER, _SPACE),
}


class PatternError(ValueError):
    """The pattern cannot be used; the text of the error is a sentence without a subject."""


class Pattern:  # pylint: disable=too-few-public-methods  # it matches
    """A compiled pattern.

    Args:
        text: the regular expression.

    Attributes:
        text: the same.

    Raises:
        PatternError: it is no regular expression, or none that can be matched in one pass.
    """

    def __init__(self, text):
        self.text = text
        try:
            with catch_warnings():
                # Of what may mean something else in a later version of Python, such as [[a].
                simplefilter("ignore")
                parsed = parser.parse(text)
            automaton = _Automaton(parsed)
        except (error, OverflowError) as problem:
            raise PatternError(f"is not a regular expression: {problem}") from problem
        except RecursionError as problem:
            raise PatternError("is nested too deeply") from problem
        self._classes = _Classes(automaton.bounds)
        self._begin = automaton.table(self._classes.members)

    def matches(self, text):
        """Returns whether the whole text is of this form."""
        classes, state = self._classes, self._begin
        for character in text:
            state = state[classes[character]]
        return state[-1]


class _Classes(dict):
    """The class of each character, as a number: characters of one class are the same to the pattern.

    Attributes:
        members: for each class the least character of its interval, as a number, and its kind.
    """

    def __init__(self, bounds):
        super().__init__()
        self._bounds = sorted(bounds)
        ends = [*self._bounds, 0x110000]
        self.members = [
            (begin, kind) for begin, end in zip([0, *self._bounds], ends) for kind in _kinds_between(begin, end)
        ]
        self._number = {member: number for number, member in enumerate(self.members)}

    def __missing__(self, character):
        at = bisect_right(self._bounds, ord(character))
        number = self._number[self._bounds[at - 1] if at else 0, _kind_of(character)]
        if len(self) < _REMEMBERED:
            self[character] = number
        return number


class _Automaton:  # pylint: disable=too-few-public-methods  # it is made to be a table
    """The pattern as nodes, which become the states of a table.

    A node is a pair: a set of characters or an assertion, and the node that follows; or None, and a list of nodes that
    follow without a character. Nodes go by their numbers; the first one means that all has matched.

    Attributes:
        bounds: the numbers of the characters at which a set of the pattern begins, or has just ended.
    """

    def __init__(self, parsed):
        self.bounds = set()
        self._nodes = [(None, [])]
        self._left = STEPS
        self._has_boundaries = False
        _refuse_flags(parsed.state.flags)
        self._entry = self._sequence(parsed, parsed.state.flags, 0)

    def table(self, classes):
        """Returns the first state: a list of the states that follow, by class, and last whether a text may end here."""
        states, waiting = {}, []

        def state_of(*key):
            if key not in states:
                states[key] = []
                waiting.append(key)
            return states[key]

        first = state_of(frozenset([self._entry]), None)
        while waiting:
            key = waiting.pop()
            reached = [self._reached(*key, after) for after in (False, True)]
            for begin, kind in classes:
                after = kind in (_WORD, _DIGIT)
                self._spend(1 + len(reached[after]))
                following = [then for what, then in reached[after] if what and what.holds(begin, kind)]
                states[key].append(state_of(frozenset(following), after and self._has_boundaries))
            states[key].append(self._nodes[0] in self._reached(*key, None))
        return first

    def _reached(self, nodes, before, after):
        """Returns the nodes that need a character, and the one that needs none, which can be reached without any."""
        seen, waiting, reached = set(nodes), list(nodes), []
        while waiting:
            self._spend(1)
            number = waiting.pop()
            what, then = self._nodes[number]
            if isinstance(what, _Characters) or number == 0:
                reached.append((what, then))
                continue
            following = then if what is None else [then] if what(before, after) else []
            waiting += [node for node in following if node not in seen]
            seen.update(following)
        return reached

    def _spend(self, steps):
        self._left -= steps
        if self._left < 0:
            raise PatternError(f"takes more than {STEPS:,} steps to prepare: use shorter repetitions and fewer choices")

    def _node(self, what, then):
        self._spend(1)
        self._nodes.append((what, then))
        return len(self._nodes) - 1

    def _sequence(self, items, flags, then):
        for operation, about in reversed(items):
            then = self._item(operation, about, flags, then)
        return then

    def _item(self, operation, about, flags, then):
        if operation in (ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN):
            characters = _Characters.of(operation, about, flags)
            self.bounds |= characters.bounds
            return self._node(characters, then)
        if operation in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            return self._repetition(*about, flags, then)
        if operation is ops.BRANCH:
            return self._node(None, [self._sequence(choice, flags, then) for choice in about[1]])
        if operation is ops.SUBPATTERN:
            _, added, removed, items = about
            _refuse_flags(added)
            return self._sequence(items, (flags | added) & ~removed, then)
        if operation is ops.AT:
            self._has_boundaries |= about in (ops.AT_BOUNDARY, ops.AT_NON_BOUNDARY)
            return self._node(_ASSERTIONS[about], then)
        raise PatternError(f"uses {_REFUSED[operation]}, which cannot be matched in one pass")

    def _repetition(self, least, most, items, flags, then):
        if most is ops.MAXREPEAT:
            loop = self._node(None, [then])
            self._nodes[loop][1].append(self._sequence(items, flags, loop))
            then = loop
        else:
            end = then
            for _ in range(most - least):
                then = self._node(None, [self._sequence(items, flags, then), end])
        for _ in range(least):
            self._spend(1)
            then = self._sequence(items, flags, then)
        return then


@dataclass(frozen=True)
class _Characters:
    """A set of characters: ranges of numbers, both ends included, and kinds; or all others."""

    ranges: tuple
    kinds: frozenset
    negated: bool

    @classmethod
    def of(cls, operation, about, flags):
        """Returns the set that an item of a parsed pattern means."""
        if operation is ops.ANY:
            return cls(() if flags & DOTALL else ((10, 10),), frozenset(), True)
        items = about if operation is ops.IN else [(ops.LITERAL, about)]
        ranges, kinds = [], set()
        for name, value in items:
            if name is ops.CATEGORY:
                kinds.update(_CATEGORIES[value])
            elif name is not ops.NEGATE:
                ranges += _ranges(*((value, value) if name is ops.LITERAL else value), flags)
        negated = operation is ops.NOT_LITERAL or items[0][0] is ops.NEGATE
        return cls(tuple(ranges), frozenset(kinds), negated)

    @property
    def bounds(self):
        """The numbers at which a range begins, or has just ended."""
        return {bound for begin, end in self.ranges for bound in (begin, end + 1)}

    def holds(self, begin, kind):
        """Returns whether the characters of a class are in the set."""
        found = kind in self.kinds or any(least <= begin <= most for least, most in self.ranges)
        return found != self.negated


def _ranges(begin, end, flags):
    """Returns a range, and where case does not count the other cases of its characters."""
    if not flags & IGNORECASE or end - begin > _LONG_RANGE:
        return [(begin, end)]
    cases = {case for number in range(begin, end + 1) for case in (chr(number).lower(), chr(number).upper())}
    return [(begin, end), *((ord(case), ord(case)) for case in cases if len(case) == 1)]


def _kind_of(character):
    if character.isdecimal():
        return _DIGIT
    if character.isalnum() or character == "_":
        return _WORD
    return _SPACE if character.isspace() else _OTHER


def _kinds_between(begin, end):
    if end - begin > _LONG_INTERVAL:
        return range(4)
    return sorted({_kind_of(chr(number)) for number in range(begin, end)})


def _refuse_flags(flags):
    if flags & ~_FLAGS:
        raise PatternError("uses a flag other than i, s, u and x")
