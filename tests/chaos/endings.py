"""How invocations ended that did not end by themselves, from the log lines of the Lambda service."""

from collections import Counter

MARKS = {"out of memory": "Runtime.OutOfMemory", "timed out": "Task timed out", "killed": "signal: killed"}


class Endings:  # pylint: disable=too-few-public-methods  # it counts, and that is all
    """Counts the endings.

    Attributes:
        counts: (name of the function, ending) -> number of invocations.
    """

    def __init__(self, functions):
        self.counts = Counter()
        functions.on_log = self._take

    def of_kinds(self):
        """Return ending -> number of invocations of all functions."""
        found = Counter()
        for (_, ending), count in self.counts.items():
            found[ending] += count
        return found

    def _take(self, function, line):
        for ending, mark in MARKS.items():
            self.counts[function, ending] += mark in line
