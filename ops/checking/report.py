"""What `brigade check` prints and writes."""

from __future__ import annotations

import csv
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from ops.errors import ExitStatus, OpsError
from ops.screen import Screen
from tasks.mirror_check.check import Chunk
from tasks.mirror_check.findings import Finding, Sign
from tasks.utils.s3_object import S3Object, printable

# The rows of the table for people. --json, --csv and --combined name every key.
MOST_ROWS = 200

STANDARD_OUTPUT = Path("-")


class Files:
    """The files that name every key, or every difference.

    Args:
        bucket: the source's bucket.
        combined: the file of `--combined`, "-" for standard output, or None.
        csv_file: the file of `--csv`, "-" for standard output, or None.
    """

    def __init__(self, bucket: str, combined: Path | None, csv_file: Path | None) -> None:
        self._bucket = bucket
        self._opened = ExitStack()
        self._combined = self._open(combined)
        table = self._open(csv_file)
        self._csv = csv.writer(table) if table else None
        if self._csv:
            self._csv.writerow(["object", "result", "reason"])

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def write(self, sign: Sign, key: str, reason: str = "") -> None:
        """Write a key."""
        if self._combined:
            self._combined.write(f"{sign.value} {printable(key)}\n")
        if self._csv and sign is not Sign.EQUAL:
            # The address begins with s3://, so no spreadsheet takes a key for a formula.
            self._csv.writerow([str(S3Object(self._bucket, key)), sign.word, printable(reason)])

    def _open(self, file: Path | None) -> TextIO | None:
        if file is None or file == STANDARD_OUTPUT:
            return sys.stdout if file else None
        try:
            return self._opened.enter_context(open(file, "w", encoding="utf-8", newline=""))
        except OSError as error:
            raise OpsError(f"{file} cannot be written: {error.strerror}") from error


class CheckReport:
    """The report of one check.

    Args:
        screen: the command's output.
        files: the files that are written.

    Attributes:
        requests: the number of list requests.
    """

    def __init__(self, screen: Screen, files: Files) -> None:
        self._screen = screen
        self._files = files
        self._counts: Counter[Sign] = Counter()
        self._totals: Counter[str] = Counter()
        self._rows: list[tuple[str, str, str]] = []
        self._started = time.monotonic()
        self.requests = 0

    def add(self, chunk: Chunk) -> None:
        """Report some keys."""
        self._totals["bytes"] += chunk.size
        self._counts[Sign.EQUAL] += chunk.keys - len(chunk.findings)
        for key in chunk.settled:
            self._files.write(Sign.EQUAL, key)
        for finding in chunk.findings:
            self._add(finding)

    def finish(self) -> ExitStatus:
        """Print the table and the summary; return the exit status."""
        different = sum(count for sign, count in self._counts.items() if sign is not Sign.EQUAL)
        if self._rows:
            title = f"the first {MOST_ROWS} of {different} differences" if different > MOST_ROWS else "differences"
            self._screen.table({"": "left", "key": "left", "reason": "left"}, self._rows, title=title)
        self._summarize(different)
        if self._totals["errors"]:
            return ExitStatus.FAILED
        return ExitStatus.DIFFERENT if different else ExitStatus.DONE

    def _add(self, finding: Finding) -> None:
        sign, reason, is_error = finding.verdict
        self._counts[sign] += 1
        self._totals["errors"] += is_error
        self._files.write(sign, finding.key, reason)
        if sign is Sign.EQUAL:
            return
        self._screen.record({"type": "difference", "key": finding.key, "result": sign.word, "reason": reason})
        if len(self._rows) < MOST_ROWS:
            self._rows.append((sign.value, finding.key, reason))

    def _summarize(self, different: int) -> None:
        seconds = time.monotonic() - self._started
        keys, size = sum(self._counts.values()), self._totals["bytes"]
        counts = {sign.word: self._counts[sign] for sign in Sign}
        about = {"keys": keys, **counts, "bytes": size, "requests": self.requests, "seconds": round(seconds, 1)}
        self._screen.record({"type": "summary", **about})
        result = f"{different} differences" if different else "both sides are equal"
        parts = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        self._screen.say(f"{result}: {keys} keys ({parts or 'none'}), {size} bytes at the source", "bold")
        self._screen.say(f"{self.requests} list requests, {seconds:.1f} s")
