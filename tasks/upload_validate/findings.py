"""The problems of a file: the first ones in full, all of them counted."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from tasks.upload_validate.encodings import decoded
from tasks.utils.errors import BucketBrigadeError

# Enough of a line to find it in the file; a line may have a million characters.
EXCERPT_LIMIT = 200
# A person does not correct more than this by hand. A table with an error in each row reaches it in a second or two.
COUNTED = 100_000
MORE = f"File has more than {COUNTED:,} errors: it was not checked to its end"

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Problem:
    """One error.

    Attributes:
        text: a sentence for people.
        row: the record, from 1, the header included; None for a problem of the whole file.
        line: the line of the file where the record, or the quote that is never closed, begins, from 1; or None.
        excerpt: the beginning of the record as it was read, or "".
        reason: why, if the text does not say it, and what to do; or "".
    """

    text: str
    row: int | None = None
    line: int | None = None
    excerpt: str = ""
    reason: str = ""

    @property
    def where(self) -> str:
        """The line and the row for a person, or ""."""
        return "" if self.line is None else f"line {self.line:,}, row {self.row:,}"


@dataclass(frozen=True)
class TextFormat:
    """How the text of a file is encoded.

    Attributes:
        encoding: the encoding, or "" if no expected encoding fits.
        byte_order_mark: whether the file begins with the mark of UTF-8.
    """

    encoding: str = ""
    byte_order_mark: bool = False


@dataclass(frozen=True)
class FileFinding:
    """The result of the check of one file.

    Attributes:
        key: the object's key.
        rows: its records with the header and without blank lines at the end; those that were read if the check gave up.
        text: its `TextFormat`.
        kind: the profile's kind by the header, or `unknown`.
        recognised_as: what the file is instead of a table, or "".
        problems: the first `Problem`s.
        problem_count: the number of all problems; `COUNTED` + 1 if there are more than `COUNTED`.
    """

    key: str
    rows: int = 0
    text: TextFormat = TextFormat()
    kind: str = UNKNOWN
    recognised_as: str = ""
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0

    @property
    def valid(self) -> bool:
        """Whether the file has no problem."""
        return self.problem_count == 0

    def with_problem(self, problem: Problem) -> "FileFinding":
        """Return the finding with one more problem, which concerns the file as a part of its set."""
        return replace(self, problems=(*self.problems, problem), problem_count=self.problem_count + 1)


class GivenUpError(BucketBrigadeError):
    """The check of a file stops before its end; the text says why, in a sentence for people."""


class ProblemCollector:
    """Collects problems for each encoding that is still possible, because the text of a cell depends on it.

    It counts `COUNTED` problems for an encoding; the next problem says that there are more, and no further ones are
    counted for that encoding.

    Args:
        encodings: the names of the encodings.
        limit: how many problems are kept in full.

    Attributes:
        full: the encodings with more problems than are counted.
    """

    def __init__(self, encodings: Iterable[str], limit: int) -> None:
        self.full: set[str] = set()
        self._last: Problem | None = None
        self._limit = limit
        self._counts = dict.fromkeys(encodings, 0)
        self._kept: dict[str, list[Problem]] = {encoding: [] for encoding in self._counts}

    def add(self, describe: Callable[[], Problem], *, encodings: Iterable[str] | None = None) -> None:
        """Add a problem.

        Args:
            describe: returns the `Problem`; called only if the problem is kept in full.
            encodings: the encodings under which the problem exists; None for all.
        """
        problem = None
        for encoding in encodings or self._kept:
            if len(self._kept[encoding]) < self._limit:
                problem = problem or describe()
                self._kept[encoding].append(problem)
            self._count(encoding, 1)

    def count_more(self, count: int) -> None:
        """Count problems of a kind that was already added as often as problems are kept in full."""
        for encoding in self._counts:
            self._count(encoding, count)

    def end(self, error: GivenUpError) -> None:
        """Add as the last problem, which is always kept, why the rest of the file is not read."""
        self._last = Problem(str(error))

    def of(self, encoding: str) -> tuple[list[Problem], int]:
        """Return the problems kept for an encoding, and the number of all its problems."""
        kept = [replace(problem, excerpt=decoded(problem.excerpt, encoding)) for problem in self._kept[encoding]]
        last = Problem(MORE) if encoding in self.full else self._last
        if not last:
            return kept, self._counts[encoding]
        return [*kept, last], min(self._counts[encoding], COUNTED) + 1

    def _count(self, encoding: str, count: int) -> None:
        self._counts[encoding] = min(self._counts[encoding] + count, COUNTED + 1)
        if self._counts[encoding] > COUNTED:
            self.full.add(encoding)


def excerpt_of(cells: Sequence[str], delimiter: str) -> str:
    """Return the beginning of a record whose cells are not yet decoded."""
    taken: list[str] = []
    length = 0
    for cell in cells:
        taken.append(cell[: EXCERPT_LIMIT - length])
        length += len(taken[-1]) + len(delimiter)
        if length >= EXCERPT_LIMIT:
            break
    return delimiter.join(taken)[:EXCERPT_LIMIT]
