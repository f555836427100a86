"""A set from its upload to its end: looked at, checked, published or not, and told, each step once."""

from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from tasks.object_clerk.downloads import blocks
from tasks.object_clerk.errors import DeadlineException, KeyNotFoundException, ObjectChangedException
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.transfers import Transfer
from tasks.upload_validate.errors import SetChangedError, UncertainError
from tasks.upload_validate.file_check import FileFinding, check_file
from tasks.upload_validate.file_sets import list_set
from tasks.upload_validate.idempotency import Outcomes
from tasks.upload_validate.messages import issue_of, mail_of
from tasks.upload_validate.page import page_of
from tasks.upload_validate.problems import Problem
from tasks.upload_validate.profile import Profile
from tasks.upload_validate.publisher import Publisher
from tasks.upload_validate.report import PUBLISHED, REJECTED, TOO_MANY_FILES, Verdict
from tasks.utils.s3_object import S3Object

# A set that changes more often than that while it is read is still being uploaded; its next event comes soon.
ROUNDS = 3
# What fits into a processor's cache is cut into records a fifth faster than larger blocks are.
TRANSFER = Transfer(block=1 << 17)

# Problems of a set that are kept in full; the first one of each file comes on top. A problem takes four kilobytes of
# JSON at most, so a report has some megabytes.
PROBLEMS_OF_A_SET = 2_000

EMPTY = "empty"
NEWS, ALREADY, AGAIN = "news", "already", "again"


@dataclass(frozen=True)
class Reporters:
    """Those who tell.

    Attributes:
        council_name: takes the code of a council and returns its name.
        issue: a `GithubIssue`.
        mail: a `SesEmail`.
        webhook: a `Webhook`.
    """

    council_name: Any
    issue: Any
    mail: Any
    webhook: Any


@dataclass(frozen=True)
class Result:
    """How it ended with one set.

    Attributes:
        prefix: of the set.
        outcome: `published`, `rejected` or `empty`.
        digest: stands for its content.
        files: how many files it has; where there are too many, one more than it may have.
        errors: how many errors were found in them.
        course: `NEWS`; `ALREADY` where this content had been judged before and lay in its bucket; `AGAIN` where it had
            been judged before and had to be put there once more.
    """

    prefix: str
    outcome: str
    digest: str
    files: int
    errors: int = 0
    course: str = NEWS


@dataclass(frozen=True)
class Validator:  # pylint: disable=too-many-instance-attributes  # all that it works with
    """Validates sets of one upload bucket.

    Attributes:
        requests: an `S3Requests`.
        profile: the `Profile` they are held against.
        upload_bucket: where they are uploaded to.
        final: the `Publisher` for right ones.
        quarantine: the `Publisher` for wrong ones, or None.
        outcomes: an `Outcomes`.
        reporters: the `Reporters`.
        error_limit: how many errors of a file are told in full.
        file_limit: how many files a set may have.
        context: Lambda's context object, or None.
    """

    requests: S3Requests
    profile: Profile
    upload_bucket: str
    final: Publisher
    quarantine: Publisher | None
    outcomes: Outcomes
    reporters: Reporters
    error_limit: int
    file_limit: int
    context: Any = None

    def validate(self, prefix, names):
        """Judges a set as it is now, if that was not done yet.

        Args:
            prefix: of the set.
            names: what the layout names in it.

        Returns:
            A `Result`.

        Raises:
            BucketBrigadeError: it could not be judged, or somebody could not be told.
        """
        for _ in range(ROUNDS):
            file_set = self._listed(prefix, names)
            if not file_set.count:
                return Result(prefix, EMPTY, file_set.digest, 0)
            try:
                return self._judge_once(file_set)
            except SetChangedError as error:
                changed = error
        raise changed

    def _listed(self, prefix, names):
        return list_set(self.requests, self.upload_bucket, prefix, names, limit=self.file_limit)

    def _judge_once(self, file_set):
        begun = []

        def judge():
            begun.append(True)
            return self._settle(file_set)

        deadline = self.requests.deadline
        kept = self.outcomes.judge(file_set.digest, judge, context=self.context, deadline=deadline)
        course = NEWS
        if not begun:
            course = ALREADY if self._is_in_place(file_set, kept["outcome"]) else AGAIN
        if course is AGAIN:
            # The set has come back to earlier content, or its bucket was changed. The notifications of this verdict
            # were sent, and publishing needs no lock: several workers that do it at a time come to the same.
            kept = self._settle(file_set)
        return Result(file_set.prefix, kept["outcome"], file_set.digest, file_set.count, kept["errors"], course)

    def _is_in_place(self, file_set, outcome):
        publisher = self.final if outcome == PUBLISHED else self._quarantine_for(file_set)
        return publisher is None or publisher.holds(file_set)

    def _settle(self, file_set):
        verdict = self._verdict(file_set)
        if verdict.valid:
            self._publish(verdict)
        else:
            self._reject(verdict)
        errors = sum(finding.problem_count for finding in verdict.findings)
        return {"outcome": PUBLISHED if verdict.valid else REJECTED, "errors": errors}

    def _quarantine_for(self, file_set):
        if self.quarantine and file_set.more_than:
            # Which of the files there are not of the set is not known.
            return replace(self.quarantine, removes=False)
        return self.quarantine

    def _verdict(self, file_set):
        findings = self._findings(file_set)
        code = file_set.names.get(self.profile.council, "")
        return Verdict(self.profile, file_set, tuple(findings), self.reporters.council_name(code) if code else "")

    def _findings(self, file_set):
        if file_set.more_than:
            text = f"{TOO_MANY_FILES} {file_set.more_than:,} files and folders: at least {file_set.count:,} were found"
            return [FileFinding(file_set.prefix, problems=(Problem(text),), problem_count=1)]
        findings, left = [], PROBLEMS_OF_A_SET
        for file in file_set.files:
            findings.append(self._check(file_set.bucket, file, limit=max(1, min(self.error_limit, left))))
            left -= len(findings[-1].problems)
        return self.profile.judge_set(findings)

    def _check(self, bucket, file, *, limit):
        if self.requests.deadline.has_passed():
            raise DeadlineException("no time was left to look at all files of the set", source=file.key)
        body = blocks(self.requests, S3Object(bucket, file.key), etag=file.etag, transfer=TRANSFER)
        try:
            with closing(body):
                return check_file(file.key, file.size, body, profile=self.profile, limit=limit)
        except (KeyNotFoundException, ObjectChangedException) as error:
            raise SetChangedError(str(error)) from error

    def _assure_unchanged(self, file_set):
        if self._listed(file_set.prefix, file_set.names).digest != file_set.digest:
            raise SetChangedError(f"files came or went while {file_set.prefix} was being judged")

    def _publish(self, verdict):
        report = self._place(self.final, verdict, issue=lambda: self._tell_issue(verdict))
        self._tell_webhook(report)

    def _reject(self, verdict):
        quarantine = self._quarantine_for(verdict.file_set)
        if quarantine:
            report = self._place(quarantine, verdict)
        else:
            self._assure_unchanged(verdict.file_set)
            report = verdict.report()
        doubt = None
        try:
            if not verdict.is_quiet:
                self._tell_mail(verdict)
        except UncertainError as error:
            # The others are told all the same.
            doubt = error
        self._tell_webhook(report)
        if doubt:
            raise doubt

    def _place(self, publisher, verdict, **how):
        return publisher.publish(verdict, assure_unchanged=lambda: self._assure_unchanged(verdict.file_set), **how)

    def _tell_issue(self, verdict):
        file_set = verdict.file_set
        return self.outcomes.tell(
            "issue",
            file_set.digest,
            lambda: self.reporters.issue.tell(issue_of(verdict), since=file_set.uploaded),
            repeatable=True,
        )

    def _tell_mail(self, verdict):
        mail = mail_of(verdict, page_of(verdict))
        self.outcomes.tell("email", verdict.file_set.digest, lambda: self.reporters.mail.tell(mail))

    def _tell_webhook(self, report):
        self.outcomes.tell("webhook", report["digest"], lambda: self.reporters.webhook.tell(report))
