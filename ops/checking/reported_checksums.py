"""The checksums in the completion reports of both sides, by key, and what they say of two objects."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from threading import Lock

from ops.batch_report import Row
from tasks.mirror_check.findings import EQUAL, Aspect, Pair, Sign, Verdict
from tasks.mirror_check.pages import Listed

SIDES = ("source", "destination")

FIND = "SELECT checksum, failure FROM reported WHERE side = ? AND key = ? AND etag IN (?, '')"


class ReportedChecksums:
    """The checksums of a check. Reports are not sorted, so they go to a temporary file with an index.

    Args:
        database: an empty database.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        # The threads of a check share the connection.
        self._lock = Lock()
        database.execute("CREATE TABLE reported (side TEXT, key TEXT, etag TEXT, checksum TEXT, failure TEXT)")

    def add(self, side: str, rows: Iterable[Row]) -> int:
        """Store rows of a report; return how many.

        Args:
            side: `source` or `destination`.
            rows: the rows.
        """
        values = ((side, row.key, *_said(row)) for row in rows)
        with self._database:
            return self._database.executemany("INSERT INTO reported VALUES (?, ?, ?, ?, ?)", values).rowcount

    def sort(self) -> None:
        """Prepare for `verdict`, after the last row."""
        with self._database:
            self._database.execute("CREATE INDEX by_key ON reported (side, key)")

    def verdict(self, pair: Pair) -> Verdict | None:
        """Compare two objects of the same size; None if the reports do not have both, as they are listed now."""
        source, destination = pair
        if source is None or destination is None or source.size != destination.size:
            return None
        found = [self._found(side, entry) for side, entry in zip(SIDES, (source, destination), strict=True)]
        for side, (_, failures) in zip(SIDES, found, strict=True):
            if failures:
                reason = f"not compared: the job at the {side} failed for it: {min(failures)}"
                return Verdict(Sign.UNKNOWN, reason, is_error=True)
        return _compared(*(checksums for checksums, _ in found))

    def _found(self, side: str, entry: Listed) -> tuple[set[str], set[str]]:
        """Return the checksums of an object in the state of its entry, and why there is none."""
        with self._lock:
            rows = self._database.execute(FIND, (side, entry.key, entry.etag)).fetchall()
        checksums = {checksum for checksum, _ in rows if checksum}
        return checksums, set() if checksums else {failure for _, failure in rows}


@contextmanager
def temporary_checksums() -> Iterator[ReportedChecksums]:
    """Yield an empty store, in a file that SQLite removes at the end (SQLite, "Temporary Databases")."""
    with closing(sqlite3.connect("", check_same_thread=False)) as database:
        database.execute("PRAGMA temp_store = FILE")
        yield ReportedChecksums(database)


def _compared(source: set[str], destination: set[str]) -> Verdict | None:
    if not source or not destination:
        return None
    if max(len(source), len(destination)) > 1:
        return Verdict(Sign.UNKNOWN, "not compared: two versions of it have the same ETag and other bytes")
    if source == destination:
        return EQUAL
    (near,), (far,) = source, destination
    reason = f"other bytes of the same size: the checksum is {near} at the source and {far} at the destination"
    return Verdict(Sign.DIFFERENT, reason, aspect=Aspect.BYTES)


def _said(row: Row) -> tuple[str, str, str]:
    """Return ETag, checksum and failure of a row; a failed row has no ETag."""
    if not row.succeeded:
        return "", "", row.message or row.code
    try:
        about = json.loads(row.message)
        return about["etag"].strip('"'), about["checksum_base64"], ""
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", "", f"its row in the report has no checksum: {row.message}"
