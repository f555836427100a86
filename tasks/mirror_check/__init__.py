"""Compares the two sides of a mirror, in constant memory, whatever the number of objects.

    pages.py        one page of a listing, from its XML (values only)
    listings.py     one side: its pages in order, requested ahead
    key_ranges.py   ranges of keys, and where to cut them (values only); ranges that wait for a worker
    comparison.py   what listings, records, HEAD answers and bytes say of two objects (values only)
    findings.py     one key and what was found out about it (values only)
    records.py      the mirror's table, read
    evidence.py     the requests that compare two objects when their listings do not suffice
    histories.py    the same for all versions of a key, through the mirror's version rows
    side_by_side.py threads, and their results in one
    causes.py       why two sides differ;  repairs.py: the message that settles it (values only)
    check.py        all keys: merges the listings of both sides, range by range, several ranges side by side

The AWS clients are given to it. `brigade check` (docs/brigade.md) is its command.
"""
