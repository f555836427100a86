"""The check of a file set: each file is read once, pinned to its listed ETag, and the findings become a verdict."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from tasks.object_clerk.downloads import blocks
from tasks.object_clerk.errors import DeadlineException, KeyNotFoundException, ObjectChangedException
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.transfers import Transfer
from tasks.upload_validate.errors import SetChangedError
from tasks.upload_validate.file_check import check_file
from tasks.upload_validate.file_sets import FileSet, UploadedFile
from tasks.upload_validate.findings import FileFinding, Problem
from tasks.upload_validate.profile import Profile
from tasks.upload_validate.verdict import TOO_MANY_FILES, Verdict
from tasks.utils.s3_object import S3Object

# Blocks that fit into a processor's cache are cut into records a fifth faster than larger ones.
TRANSFER = Transfer(block=1 << 17)

# Problems of a set that are kept in full, besides the first one of each file. A problem takes four kilobytes of JSON
# at most, so a report has some megabytes.
PROBLEMS_OF_A_SET = 2_000


@dataclass(frozen=True)
class SetCheck:
    """Checks sets against a profile.

    Attributes:
        requests: an `S3Requests`.
        profile: the `Profile`.
        error_limit: how many errors of a file are reported in full.
        council_name: takes the code of a council and returns its name.
    """

    requests: S3Requests
    profile: Profile
    error_limit: int
    council_name: Callable[[str], str]

    def verdict_on(self, file_set: FileSet) -> Verdict:
        """Check all files of a set.

        Raises:
            SetChangedError: a file was removed or replaced.
            DeadlineException: no time was left to read all files.
            ObjectClerkException: S3 refuses a request.
        """
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
        if self.requests.deadline.has_passed():
            raise DeadlineException("no time was left to check all files of the set", source=file.key)
        body = blocks(self.requests, S3Object(bucket, file.key), etag=file.etag, transfer=TRANSFER)
        try:
            with closing(body):  # type: ignore[type-var]  # `blocks` is a generator, which can be closed
                return check_file(file.key, file.size, body, profile=self.profile, limit=limit)
        except (KeyNotFoundException, ObjectChangedException) as error:
            raise SetChangedError(str(error)) from error
