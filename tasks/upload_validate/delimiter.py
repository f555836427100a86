"""Which delimiter a table is written with, told from its first records."""

import csv
from itertools import islice

from tasks.upload_validate.encodings import RAW

# Sixty-four kilobytes hold hundreds of records, and one that has more than that is no table.
SAMPLE = 1 << 16


def sniff(sample, choices, fallback):
    """Returns the delimiter under which most records have as many cells as the first; `fallback` where none stands out.

    Args:
        sample: the first bytes of the file; no more than `SAMPLE` of them are looked at.
        choices: the delimiters to choose from.
        fallback: what the file's name suggests.
    """
    scores = {choice: _score(sample, choice) for choice in choices}
    best = max(scores.values())
    leaders = [choice for choice in choices if scores[choice] == best]
    return fallback if fallback in leaders else leaders[0]


def _score(sample, delimiter):
    lines = [line.decode(RAW) for line in sample[:SAMPLE].splitlines(True)]
    if len(lines) > 1 and len(sample) >= SAMPLE:
        lines.pop()
    try:
        widths = [len(cells) for cells in islice(csv.reader(lines, delimiter=delimiter), len(lines)) if cells]
    except csv.Error:
        return 0, 0
    if not widths or widths[0] == 1:
        return 0, 0
    return widths.count(widths[0]), widths[0]
