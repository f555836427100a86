"""The effects of a verdict: a pure function returns what is to be done, in order; `validator.py` does it.

The order is a promise. The report is retracted before bytes that it describes are replaced. It is written after the
files and the issue that it names, and it is confirmed against the upload before any notification describes it. So a
crash between two effects leaves no report on other bytes, and the next delivery begins with the first effect again.
"""

from dataclasses import dataclass
from datetime import datetime

from tasks.upload_validate.file_sets import FileSet
from tasks.upload_validate.messages import Issue, Mail, issue_of, mail_of
from tasks.upload_validate.page import page_of
from tasks.upload_validate.settings import REMOVE, Buckets
from tasks.upload_validate.verdict import PUBLISHED, Verdict


@dataclass(frozen=True)
class RetractReport:
    """Write a report without files into a bucket, if a file that its report names is about to be replaced."""

    bucket: str


@dataclass(frozen=True)
class CopyFiles:
    """Copy each file of the set into a bucket, pinned to the ETag that was checked."""

    bucket: str


@dataclass(frozen=True)
class RaiseIssue:
    """Raise the GitHub issue, or find the one of an earlier delivery; the report names its address.

    Attributes:
        issue: the `Issue`.
        since: when the set was uploaded, or None; no issue on it is older.
    """

    issue: Issue
    since: datetime | None


@dataclass(frozen=True)
class WriteReport:
    """Write `report.html` and then `report.json` into a bucket.

    Attributes:
        bucket: the bucket's name.
        names_left_over: whether the report names the files of earlier sets beside the set's own.
    """

    bucket: str
    names_left_over: bool


@dataclass(frozen=True)
class RemoveLeftOver:
    """Remove the files of earlier sets from a bucket."""

    bucket: str


@dataclass(frozen=True)
class ConfirmUpload:
    """Confirm that the upload bucket still holds the set that was checked."""


@dataclass(frozen=True)
class SendMail:
    """Send the e-mail on the errors of a set."""

    mail: Mail


@dataclass(frozen=True)
class CallWebhook:
    """Post the report to the webhook: the one in the bucket, or one without a bucket."""


Effect = RetractReport | CopyFiles | RaiseIssue | WriteReport | RemoveLeftOver | ConfirmUpload | SendMail | CallWebhook


def effects_of(verdict: Verdict, buckets: Buckets, *, recorded: str = "") -> list[Effect]:
    """Return the effects of a verdict in their order.

    Args:
        verdict: the `Verdict`.
        buckets: the final bucket, the quarantine bucket and what happens to superseded files.
        recorded: the outcome of this content in the table of outcomes, or "". If it is the verdict's own, the set is
            put back without a second notification.
    """
    effects = _placement(verdict, buckets)
    return effects if recorded == verdict.outcome else [*effects, *_notifications(verdict)]


def bucket_of(outcome: str, buckets: Buckets) -> str:
    """Return the bucket for the sets of an outcome, or "" if there is none."""
    return buckets.final if outcome == PUBLISHED else buckets.quarantine


def removes_left_over(file_set: FileSet, buckets: Buckets) -> bool:
    """Return whether files of earlier sets are removed.

    They are kept beside a set with too many files: its own files are not listed, so all files would look left over.
    """
    return buckets.superseded == REMOVE and not file_set.more_than


def _placement(verdict: Verdict, buckets: Buckets) -> list[Effect]:
    bucket = bucket_of(verdict.outcome, buckets)
    if not bucket:
        return [ConfirmUpload()]
    removes = removes_left_over(verdict.file_set, buckets)
    issue = [RaiseIssue(issue_of(verdict), verdict.file_set.uploaded)] if verdict.valid else []
    removal = [RemoveLeftOver(bucket)] if removes else []
    return [
        RetractReport(bucket),
        CopyFiles(bucket),
        *issue,
        WriteReport(bucket, names_left_over=not removes),
        *removal,
        ConfirmUpload(),
    ]


def _notifications(verdict: Verdict) -> list[Effect]:
    if verdict.valid or verdict.is_incomplete:
        return [CallWebhook()]
    return [SendMail(mail_of(verdict, page_of(verdict))), CallWebhook()]
