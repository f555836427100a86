"""The report on a set: what its readers, people and machines, get to hear, and by what a set is told from another."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from tasks.upload_validate.profile import Profile, filled

PUBLISHED, REJECTED = "published", "rejected"
# What a report says while the files that it lies beside are those of no single set.
REPLACING = "replacing"
# What the problem of such a set begins with.
TOO_MANY_FILES = "Set has more than"


@dataclass(frozen=True)
class UploadedFile:
    """One object of a set, as it was listed.

    Attributes:
        key: its key.
        etag: by which it is read and copied, so that nothing else is; without quotes.
        size: its bytes.
        uploaded: when.
    """

    key: str
    etag: str
    size: int
    uploaded: datetime | None = None


_NO_FILE = UploadedFile("", "", 0)


@dataclass(frozen=True)
class FileSet:
    """The objects that are judged together.

    Attributes:
        bucket: where they lie.
        prefix: what their keys begin with, up to the last slash.
        names: what the layout names in the prefix.
        files: the `UploadedFile`s, by key; none where there are too many.
        more_than: how many files a set may have, where it has more; else 0.
    """

    bucket: str
    prefix: str
    names: dict
    files: tuple
    more_than: int = 0

    @property
    def digest(self):
        """Stands for the set's contents: sets with the same keys and the same bytes have the same, and so have all
        sets of one prefix with too many files: people hear once of a set that goes on growing.
        """
        listing = [[file.key, file.etag, file.size] for file in self.files]
        if self.more_than:
            listing.append(["more than", self.more_than])
        text = json.dumps([self.bucket, self.prefix, listing], separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def count(self):
        """How many files it has; where there are too many, how many were found."""
        return self.more_than + 1 if self.more_than else len(self.files)

    @property
    def uploaded(self):
        """When the last of its files came, or None."""
        return max((file.uploaded for file in self.files if file.uploaded), default=None)


@dataclass(frozen=True)
class Placed:
    """What a set came to be in the bucket where its report lies.

    Attributes:
        etags: the ETags of the copies by key.
        page_etag: the ETag of `report.html`.
        left_over: keys of files of earlier sets that lie beside the set's own.
    """

    etags: dict
    page_etag: str
    left_over: tuple


@dataclass(frozen=True)
class Verdict:
    """What a set was judged to be.

    Attributes:
        profile: the `Profile` it was held against.
        file_set: the `FileSet`.
        findings: a `FileFinding` for each of its files; one under the set's prefix where there are too many.
        council_name: what the council calls itself, or what stands for it.
    """

    profile: Profile
    file_set: FileSet
    findings: tuple
    council_name: str

    @property
    def valid(self):
        """Whether the whole set may be published."""
        return all(finding.valid for finding in self.findings)

    @property
    def is_quiet(self):
        """Whether nobody needs to be written to, because the rest of the set has yet to come."""
        return self.profile.is_quiet(self.findings)

    @property
    def ems(self):
        """The kind of the set's first file, which stands for the set."""
        return self.findings[0].kind

    @property
    def rejected(self):
        """The findings of the files with something wrong."""
        return [finding for finding in self.findings if not finding.valid]

    def fill(self, words):
        """Returns a text of the profile with its `{names}` filled in."""
        return filled(words, {**self.file_set.names, "council_name": self.council_name})

    def report(self, *, issue="", placed=None):
        """Returns the report as a dict that is fit for JSON.

        Args:
            issue: the address of the GitHub issue, or "".
            placed: where the set lies in a bucket, what it came to be there: a `Placed`.
        """
        report = self._report(issue)
        if placed:
            for entry in report["file_set"]:
                # The entry for a whole set that has too many files names no file.
                entry["published_etag"] = placed.etags.get(entry["key"], "")
            report |= {"page_etag": placed.page_etag, "left_over": list(placed.left_over)}
        return report

    def report_while_replaced(self):
        """Returns the report that lies beside the files while this set takes the place of another: it names none."""
        return {**self._report(""), "file_set": [], "outcome": REPLACING}

    def _report(self, issue):
        names = self.file_set.names
        return {
            "gss": names.get("gss", ""),
            "council_name": self.council_name,
            "timestamp": names.get("timestamp", ""),
            "election_date": names.get("election_date", ""),
            "github_issue": issue,
            "file_set": [
                _entry(finding, file)
                for finding, file in zip(self.findings, self.file_set.files or (_NO_FILE,), strict=True)
            ],
            "outcome": PUBLISHED if self.valid else REJECTED,
            "profile": self.profile.name,
            "set": self.file_set.prefix,
            "digest": self.file_set.digest,
        }


def errors_of(finding):
    """Returns all that is told of a file's problems as one text, a line each."""
    lines = [problem.text for problem in finding.problems]
    left = finding.problem_count - len(lines)
    if left:
        lines.append(f"... and {left} more errors")
    return "\n".join(lines)


def to_json(report):
    """Returns the report as it is written to S3."""
    return json.dumps(report, indent=2).encode("ascii")


def _entry(finding, file):
    return {
        "key": finding.key,
        "csv_valid": finding.valid,
        "csv_rows": finding.rows,
        "csv_encoding": finding.encoding,
        "ems": finding.kind,
        "errors": errors_of(finding),
        "error_count": finding.problem_count,
        "problems": [
            {"text": problem.text, "row": problem.row, "line": problem.line, "excerpt": problem.excerpt}
            for problem in finding.problems
        ],
        "byte_order_mark": finding.byte_order_mark,
        "recognised_as": finding.recognised_as,
        "size": file.size,
        "etag": file.etag,
    }
