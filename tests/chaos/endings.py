"""How invocations ended by force, and which messages failed, from the log lines of the Lambda service."""

from collections import Counter

from local.demo.lines import fields
from tasks.utils.outcome_log import RETRIED

MARKS = {"out of memory": "Runtime.OutOfMemory", "timed out": "Task timed out", "killed": "signal: killed"}


class Endings:  # pylint: disable=too-few-public-methods  # it counts, and that is all
    """Counts the endings.

    Attributes:
        counts: (name of the function, ending) -> number of invocations.
        failures: "task: type of the error" -> number of messages that came back.
    """

    def __init__(self, functions):
        self.counts = Counter()
        self.failures = Counter()
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
        record = fields(line) if RETRIED in line else {}
        if {"message": RETRIED}.items() <= record.items():
            self.failures[f"{record['service']}: {record.get('error')}"] += 1
