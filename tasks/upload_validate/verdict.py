"""The verdict on a file set, and the report that people and machines read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tasks.upload_validate.file_sets import FileSet, UploadedFile
from tasks.upload_validate.findings import FileFinding
from tasks.upload_validate.profile import PLACEHOLDER, Profile

PUBLISHED, REJECTED = "published", "rejected"
# The outcome in a report while the files beside it belong to two sets.
REPLACING = "replacing"
# The beginning of the problem of a set with too many files.
TOO_MANY_FILES = "Set has more than"

_NO_FILE = UploadedFile("", "", 0)


@dataclass(frozen=True)
class Placed:
    """A set in the bucket where its report is written.

    Attributes:
        etags: the ETags of the copies by key.
        page_etag: the ETag of `report.html`.
        left_over: the keys of files of earlier sets beside the set's own.
    """

    etags: Mapping[str, str]
    page_etag: str
    left_over: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """The result of the check of a set.

    Attributes:
        profile: the `Profile` that the set was checked against.
        file_set: the `FileSet`.
        findings: a `FileFinding` for each file; a single one for the prefix if there are too many files.
        council_name: the name of the council, or the code in its place.
    """

    profile: Profile
    file_set: FileSet
    findings: tuple[FileFinding, ...]
    council_name: str

    @cached_property
    def valid(self) -> bool:
        """Whether the whole set may be published."""
        return not self.error_count

    @cached_property
    def outcome(self) -> str:
        """`published` or `rejected`."""
        return PUBLISHED if self.valid else REJECTED

    @cached_property
    def error_count(self) -> int:
        """The number of errors in all files."""
        return sum(finding.problem_count for finding in self.findings)

    @property
    def is_incomplete(self) -> bool:
        """Whether the only error is that the rest of the set is not uploaded yet."""
        return self.profile.is_incomplete(self.findings)

    @property
    def ems(self) -> str:
        """The kind of the set's first file, which stands for the set."""
        return self.findings[0].kind

    @property
    def rejected(self) -> list[FileFinding]:
        """The findings of the files with errors."""
        return [finding for finding in self.findings if finding.problem_count]

    def fill(self, words: str) -> str:
        """Replace each `{name}` in a text of the profile by its value."""
        values = {**self.file_set.names, "council_name": self.council_name}
        return PLACEHOLDER.sub(lambda found: values[found[1]], words)

    def report(self, *, issue: str = "", placed: Placed | None = None) -> dict[str, Any]:
        """Return the report as a dict of JSON values.

        Args:
            issue: the address of the GitHub issue, or "".
            placed: the set in its bucket, if there is one.
        """
        names, files = self.file_set.names, self.file_set.files or (_NO_FILE,)
        report = {
            "gss": names.get("gss", ""),
            "council_name": self.council_name,
            "timestamp": names.get("timestamp", ""),
            "election_date": names.get("election_date", ""),
            "github_issue": issue,
            "file_set": [_entry(finding, file, placed) for finding, file in zip(self.findings, files, strict=True)],
            "outcome": self.outcome,
            "profile": self.profile.name,
            "set": self.file_set.prefix,
            "digest": self.file_set.digest,
        }
        if placed:
            report |= {"page_etag": placed.page_etag, "left_over": list(placed.left_over)}
        return report

    def report_while_replacing(self) -> dict[str, Any]:
        """Return the report that stands in the bucket while this set replaces another one: it names no file."""
        return {**self.report(), "file_set": [], "outcome": REPLACING}


def errors_of(finding: FileFinding) -> str:
    """Return the problems of a file as one text, a line for each."""
    lines = [problem.text for problem in finding.problems]
    left = finding.problem_count - len(lines)
    if left:
        lines.append(f"... and {left} more errors")
    return "\n".join(lines)


def to_json(report: Mapping[str, Any]) -> bytes:
    """Return the report as it is written to S3."""
    return json.dumps(report, indent=2).encode("ascii")


def _entry(finding: FileFinding, file: UploadedFile, placed: Placed | None) -> dict[str, Any]:
    entry = {
        "key": finding.key,
        "csv_valid": not finding.problem_count,
        "csv_rows": finding.rows,
        "csv_encoding": finding.text.encoding,
        "ems": finding.kind,
        "errors": errors_of(finding),
        "error_count": finding.problem_count,
        "problems": [
            {name: getattr(problem, name) for name in ("text", "row", "line", "excerpt", "reason")}
            for problem in finding.problems
        ],
        "byte_order_mark": finding.text.byte_order_mark,
        "recognised_as": finding.recognised_as,
        "size": file.size,
        "etag": file.etag,
    }
    # The entry for a set with too many files names no file.
    return entry | {"published_etag": placed.etags.get(finding.key, "")} if placed else entry
