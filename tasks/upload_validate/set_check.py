"""The check of a file set: each file is read once, and the findings become a verdict."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

from tasks.upload_validate.file_check import check_file
from tasks.upload_validate.file_sets import FileSet, UploadedFile
from tasks.upload_validate.findings import FileFinding, Problem
from tasks.upload_validate.profile import Profile
from tasks.upload_validate.verdict import TOO_MANY_FILES, Verdict

# Blocks that fit into a processor's cache are cut into records a fifth faster than larger ones.
BLOCK = 1 << 17

# Problems of a set that are kept in full, besides the first one of each file. A problem takes four kilobytes of JSON
# at most, so a report has some megabytes.
PROBLEMS_OF_A_SET = 2_000


@dataclass(frozen=True)
class SetCheck:
    """Checks sets against a profile.

    Attributes:
        read: takes a bucket and an `UploadedFile`, and returns a generator of its bytes in blocks of about `BLOCK`.
        profile: the `Profile`.
        error_limit: how many errors of a file are reported in full.
        council_name: takes the code of a council and returns its name.
    """

    read: Callable[[str, UploadedFile], Generator[bytes]]
    profile: Profile
    error_limit: int
    council_name: Callable[[str], str]

    def verdict_on(self, file_set: FileSet) -> Verdict:
        """Check all files of a set. Errors of `read` are not caught."""
        findings = self._findings(file_set)
        code = file_set.names.get(self.profile.layout.council, "")
        return Verdict(self.profile, file_set, tuple(findings), self.council_name(code) if code else "")

    def _findings(self, file_set: FileSet) -> list[FileFinding]:
        if file_set.more_than:
            text = f"{TOO_MANY_FILES} {file_set.more_than:,} files and folders: at least {file_set.count:,} were found"
            return [FileFinding(file_set.prefix, problems=(Problem(text),), problem_count=1)]
        findings: list[FileFinding] = []
        left = PROBLEMS_OF_A_SET
        for file in file_set.files:
            findings.append(self._check(file_set.bucket, file, limit=max(1, min(self.error_limit, left))))
            left -= len(findings[-1].problems)
        return self.profile.check_set(findings)

    def _check(self, bucket: str, file: UploadedFile, *, limit: int) -> FileFinding:
        with closing(self.read(bucket, file)) as body:
            return check_file(file.key, file.size, body, profile=self.profile, limit=limit)
