"""What was found wrong with a file: the first of it in full, all of it counted."""

from dataclasses import dataclass

from tasks.upload_validate.encodings import decoded
from tasks.utils.errors import BucketBrigadeError

# Enough of a line to find it by; a line may have a million characters.
EXCERPT_LIMIT = 200
# More are not corrected by hand; a table that is wrong in each row is given up within a second or two.
COUNTED = 100_000
MORE = f"File has more than {COUNTED:,} errors: it was not checked to its end"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        text: a sentence for people.
        row: the record, from 1, the header counted; None where the whole file is meant.
        line: the line of the file where the record begins, from 1, or None.
        excerpt: the beginning of the record as it was read, or "".
    """

    text: str
    row: int | None = None
    line: int | None = None
    excerpt: str = ""


class GivenUpError(BucketBrigadeError):
    """The rest of the file is not read; the text of the error says why, in a sentence for people."""


class Problems:
    """Collects problems under each encoding that is still possible, because the text of a cell depends on it.

    Under each encoding `COUNTED` problems are counted, and the next one says that there are more. What comes after that
    is not counted under it.

    Args:
        encodings: the names of the encodings.
        limit: how many are kept in full.

    Attributes:
        full: the encodings under which there are more problems than are counted.
    """

    def __init__(self, encodings, limit):
        self.full = set()
        self._last = None
        self._limit = limit
        self._kept = {encoding: [] for encoding in encodings}
        self._counts = dict.fromkeys(encodings, 0)

    def add(self, describe, *, encodings=None):
        """Adds a problem, under some encodings only where its cause depends on them.

        Args:
            describe: returns the `Problem`; called only where it is kept in full.
            encodings: the names of these encodings, or None for all.
        """
        problem = None
        for encoding in encodings or self._kept:
            if len(self._kept[encoding]) < self._limit:
                problem = problem or describe()
                self._kept[encoding].append(problem)
            self._count(encoding, 1)

    def count_more(self, count):
        """Counts problems whose like were added already, as many as are kept in full."""
        for encoding in self._counts:
            self._count(encoding, count)

    def end(self, error):
        """Adds as the last problem, which is always kept, why the rest of the file is not read: a `GivenUpError`."""
        self._last = Problem(str(error))

    def of(self, encoding):
        """Returns what holds under one encoding: the problems that were kept, and how many there are in all."""
        kept = [
            Problem(problem.text, problem.row, problem.line, decoded(problem.excerpt, encoding))
            for problem in self._kept[encoding]
        ]
        last = Problem(MORE) if encoding in self.full else self._last
        if not last:
            return kept, self._counts[encoding]
        return [*kept, last], min(self._counts[encoding], COUNTED) + 1

    def _count(self, encoding, count):
        self._counts[encoding] = min(self._counts[encoding] + count, COUNTED + 1)
        if self._counts[encoding] > COUNTED:
            self.full.add(encoding)


def excerpt_of(cells, delimiter):
    """Returns the beginning of a record, its cells not yet decoded."""
    taken, length = [], 0
    for cell in cells:
        taken.append(cell[: EXCERPT_LIMIT - length])
        length += len(taken[-1]) + len(delimiter)
        if length >= EXCERPT_LIMIT:
            break
    return delimiter.join(taken)[:EXCERPT_LIMIT]
