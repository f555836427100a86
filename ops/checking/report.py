"""What `brigade check` prints and writes."""

from __future__ import annotations

import csv
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, TextIO

from ops.errors import ExitStatus
from ops.output_files import output_file
from ops.plurals import number_of
from ops.screen import Screen
from tasks.mirror_check.causes import Why
from tasks.mirror_check.check import Chunk
from tasks.mirror_check.findings import Finding, Sign
from tasks.utils.s3_object import S3Object, printable

# The rows of the table for people. --json, --csv and --combined name every key.
MOST_ROWS = 200

STANDARD_OUTPUT = Path("-")


class Files:
    """The files that name every key, or every difference; each is complete, or is not written.

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
            self._csv.writerow(["object", "result", "cause", "reason", "detail"])

    def __enter__(self) -> Files:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def write(self, sign: Sign, key: str, *texts: str) -> None:
        """Write a key, and the texts of its row."""
        if self._combined:
            self._combined.write(f"{sign.value} {printable(key)}\n")
        if self._csv and sign is not Sign.EQUAL:
            # The address begins with s3://, so no spreadsheet takes a key for a formula.
            self._csv.writerow([str(S3Object(self._bucket, key)), sign.word, *map(printable, texts)])

    def _open(self, file: Path | None) -> TextIO | None:
        if file is None or file == STANDARD_OUTPUT:
            return sys.stdout if file else None
        return self._opened.enter_context(output_file(file))


class Explained(NamedTuple):
    """A key that is not equal, and why."""

    finding: Finding
    why: Why


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
        self._rows: list[tuple[str, ...]] = []
        self._started = time.monotonic()
        self.requests = 0

    def add(self, chunk: Chunk, explain: Callable[[Finding], Why]) -> list[Explained]:
        """Report some keys, and return those that are not equal.

        Args:
            chunk: the keys.
            explain: returns why a key differs.
        """
        self._totals["bytes"] += chunk.size
        self._counts[Sign.EQUAL] += chunk.keys - len(chunk.findings)
        for key in chunk.settled:
            self._files.write(Sign.EQUAL, key)
        unequal = [finding for finding in chunk.findings if finding.verdict.sign is not Sign.EQUAL]
        for finding in chunk.findings:
            if finding.verdict.sign is Sign.EQUAL:
                self._counts[Sign.EQUAL] += 1
                self._files.write(Sign.EQUAL, finding.key)
        explained = [Explained(finding, explain(finding)) for finding in unequal]
        for each in explained:
            self._add(each)
        return explained

    def finish(self) -> ExitStatus:
        """Print the table and the summary; return the exit status."""
        listed = self.differences + self._totals["expected"]
        if self._rows:
            title = f"the first {MOST_ROWS} of {listed} differences" if listed > MOST_ROWS else "differences"
            headings = ("", "key", "cause", "what differs", "how the cause is known")
            self._screen.table(dict.fromkeys(headings, "left"), self._rows, title=title)
        self._summarize()
        if self._totals["errors"]:
            return ExitStatus.FAILED
        return ExitStatus.DIFFERENT if self.differences else ExitStatus.DONE

    @property
    def differences(self) -> int:
        """The number of keys that differ and are not meant to."""
        different = sum(count for sign, count in self._counts.items() if sign is not Sign.EQUAL)
        return different - self._totals["expected"]

    def _add(self, explained: Explained) -> None:
        finding, (cause, detail) = explained
        sign, reason, is_error, *_ = finding.verdict
        self._counts[sign] += 1
        self._totals["errors"] += is_error
        self._totals["expected"] += cause.is_expected
        self._files.write(sign, finding.key, cause.value, reason, detail)
        about = {"result": sign.word, "cause": cause.value, "reason": reason, "detail": detail}
        self._screen.record({"type": "difference", "key": finding.key, **about, "expected": cause.is_expected})
        if len(self._rows) < MOST_ROWS:
            self._rows.append((sign.value, finding.key, cause.value, reason, detail))

    def _summarize(self) -> None:
        seconds, different = time.monotonic() - self._started, self.differences
        keys, size, expected = sum(self._counts.values()), self._totals["bytes"], self._totals["expected"]
        counts = {sign.word: self._counts[sign] for sign in Sign}
        about = {"keys": keys, "differences": different, "expected": expected, **counts, "bytes": size}
        effort = {"requests": self.requests, "seconds": round(seconds, 1)}
        self._screen.record({"type": "summary", **about, **effort})
        result = number_of(different, "difference") if different else "both sides are equal"
        parts = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
        meant = f", {expected:,} as the settings ask" if expected else ""
        self._screen.say(
            f"{result}: {number_of(keys, 'key')} ({parts or 'none'}{meant}), {number_of(size, 'byte')} at the source",
            "bold",
        )
        self._screen.say(f"{number_of(self.requests, 'list request')}, {seconds:.1f} s")
