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
    circumstances.py   what queues and open uploads say of the mirror as a whole
    check.py        all keys: merges the listings of both sides, range by range, several ranges side by side

`brigade check` (docs/brigade.md) uses these, with clients of its own. The function uses them through

    handler.py      the clients of a container;  settings.py: the environment
    deliveries.py   the messages of its queue
    runs.py         how far a run has come (values only)
    reconcile.py    one part of a run: compares, looks again, repairs
    outcome_log.py  log lines and metrics
"""
