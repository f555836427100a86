"""What was found wrong with a file: the first of it in full, all of it counted."""

from dataclasses import dataclass

from tasks.upload_validate.encodings import decoded

# Enough of a line to find it by; a line may have a million characters.
EXCERPT_LIMIT = 200


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


class Problems:
    """Collects problems under each encoding that is still possible, because the text of a cell depends on it.

    Args:
        encodings: the names of the encodings.
        limit: how many are kept in full.
    """

    def __init__(self, encodings, limit):
        self._limit = limit
        self._kept = {encoding: [] for encoding in encodings}
        self._counts = dict.fromkeys(encodings, 0)

    def add(self, problem, *, encodings=None):
        """Adds a problem, under some encodings only where its cause depends on them."""
        for encoding in encodings or self._kept:
            self._counts[encoding] += 1
            if len(self._kept[encoding]) < self._limit:
                self._kept[encoding].append(problem)

    def count_more(self, count):
        """Counts problems whose like were added already, as many as are kept in full."""
        for encoding in self._counts:
            self._counts[encoding] += count

    def of(self, encoding):
        """Returns what holds under one encoding: the problems that were kept, and how many there are in all."""
        kept = [
            Problem(problem.text, problem.row, problem.line, decoded(problem.excerpt, encoding))
            for problem in self._kept[encoding]
        ]
        return kept, self._counts[encoding]


def excerpt_of(cells, delimiter):
    """Returns the beginning of a record, its cells not yet decoded."""
    taken, length = [], 0
    for cell in cells:
        taken.append(cell[: EXCERPT_LIMIT - length])
        length += len(taken[-1]) + len(delimiter)
        if length >= EXCERPT_LIMIT:
            break
    return delimiter.join(taken)[:EXCERPT_LIMIT]
