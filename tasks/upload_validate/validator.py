"""The loop of the task: from the events of one invocation to settled sets.

A set is listed and checked, a pure function returns the effects of the verdict (`effects.effects_of`), and the loop
performs each of them once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tasks.upload_validate.effects import (
    CallWebhook,
    ConfirmUpload,
    CopyFiles,
    Effect,
    RaiseIssue,
    RemoveLeftOver,
    RetractReport,
    SendMail,
    WriteReport,
    bucket_of,
    effects_of,
    removes_left_over,
)
from tasks.upload_validate.errors import SetChangedError, UncertainError
from tasks.upload_validate.file_sets import FileSet, UploadBucket
from tasks.upload_validate.idempotency import Outcomes
from tasks.upload_validate.outcome_log import AGAIN, ALREADY, NEWS, OutcomeLog, Result
from tasks.upload_validate.profile import Layout
from tasks.upload_validate.publisher import Progress, Publisher
from tasks.upload_validate.reporters.github_issues import GithubIssues
from tasks.upload_validate.reporters.ses_mail import SesMail
from tasks.upload_validate.reporters.webhook import Webhook
from tasks.upload_validate.set_check import SetCheck
from tasks.upload_validate.settings import Buckets
from tasks.upload_validate.verdict import Verdict
from tasks.utils.errors import EventError
from tasks.utils.events import Kind, ObjectEvent, Unreadable

# A set that changes more often during the check is still being uploaded; its next event is on its way.
ROUNDS = 3

# An event without a name, and a task of S3 Batch Operations, ask for the object that they name.
HANDLED = (Kind.CREATED, Kind.UNNAMED, Kind.REQUESTED)

EMPTY = "empty"


@dataclass(frozen=True)
class Reporters:
    """The reporters that send notifications."""

    issues: GithubIssues
    mail: SesMail
    webhook: Webhook


@dataclass(frozen=True)
class Validator:
    """Settles sets: checks them and performs the effects of the verdict.

    Attributes:
        uploads: the `UploadBucket`.
        set_check: the `SetCheck`.
        buckets: the settings of the buckets.
        publisher: the `Publisher`.
        outcomes: the `Outcomes`.
        reporters: the `Reporters`.
    """

    uploads: UploadBucket
    set_check: SetCheck
    buckets: Buckets
    publisher: Publisher
    outcomes: Outcomes
    reporters: Reporters

    def settle(self, prefix: str, names: Mapping[str, str]) -> Result:
        """Settle the set under a prefix as it is now.

        Args:
            prefix: the prefix of the set.
            names: the parts of the prefix by their names in the layout.

        Raises:
            BucketBrigadeError: the set could not be checked or published, or a notification was not sent.
        """
        changed = None
        for _ in range(ROUNDS):
            file_set = self.uploads.list_set(prefix, names)
            if not file_set.count:
                return Result(file_set, EMPTY)
            try:
                return self._settle_once(file_set)
            except SetChangedError as error:
                changed = error
        assert changed
        raise changed

    def _settle_once(self, file_set: FileSet) -> Result:
        begun = False

        def settle() -> dict[str, Any]:
            nonlocal begun
            begun = True
            return self._check_and_perform(file_set)

        kept = self.outcomes.settle_once(file_set.digest, settle)
        if begun:
            return Result(file_set, kept["outcome"], kept["errors"], NEWS)
        if self._is_in_place(file_set, kept["outcome"]):
            return Result(file_set, kept["outcome"], kept["errors"], ALREADY)
        # The set returned to earlier content, or its bucket was changed. This needs no lock: the notifications of this
        # outcome were sent, and several workers that put the same set back write the same.
        kept = self._check_and_perform(file_set, recorded=kept["outcome"])
        return Result(file_set, kept["outcome"], kept["errors"], AGAIN)

    def _is_in_place(self, file_set: FileSet, outcome: str) -> bool:
        bucket = bucket_of(outcome, self.buckets)
        keeps = not removes_left_over(file_set, self.buckets)
        return not bucket or self.publisher.holds(bucket, file_set, keeps_left_over=keeps)

    def _check_and_perform(self, file_set: FileSet, *, recorded: str = "") -> dict[str, Any]:
        verdict = self.set_check.verdict_on(file_set)
        progress = Progress()
        doubts = []
        for effect in effects_of(verdict, self.buckets, recorded=recorded):
            try:
                self._perform(effect, verdict, progress)
            except UncertainError as error:
                # The other notifications are sent nevertheless.
                doubts.append(error)
        if doubts:
            raise doubts[-1]
        return {"outcome": verdict.outcome, "errors": verdict.error_count}

    def _perform(self, effect: Effect, verdict: Verdict, progress: Progress) -> None:
        notify, digest = self.outcomes.notify_once, verdict.file_set.digest
        match effect:
            case RetractReport(bucket):
                self.publisher.retract_report(bucket, verdict)
            case CopyFiles(bucket):
                progress.etags = self.publisher.copy_files(bucket, verdict.file_set)
            case RaiseIssue(issue, since):
                call = partial(self.reporters.issues.report, issue, since=since)
                progress.issue = notify("issue", digest, call, repeatable=True)
            case WriteReport(bucket, names_left_over):
                self.publisher.write_report(bucket, verdict, progress, names_left_over=names_left_over)
            case RemoveLeftOver(bucket):
                self.publisher.remove(bucket, progress.left_over)
            case ConfirmUpload():
                self.uploads.confirm_unchanged(verdict.file_set)
            case SendMail(mail):
                notify("email", digest, partial(self.reporters.mail.send, mail))
            case CallWebhook():
                notify("webhook", digest, partial(self.reporters.webhook.post, progress.report or verdict.report()))


@dataclass(frozen=True)
class Intake:
    """Handles the events of one invocation.

    Attributes:
        layout: the `Layout` of the keys in the upload bucket.
        validator: the `Validator`.
        outcome_log: the `OutcomeLog`.
    """

    layout: Layout
    validator: Validator
    outcome_log: OutcomeLog
    _settled: dict[str, Result] = field(default_factory=dict)

    def handle_all(self, events: Iterable[ObjectEvent | Unreadable]) -> list[dict[str, Any]]:
        """Settle the set of each event; a failure does not prevent the next event from being handled.

        Returns:
            The result of each set as a dict of JSON values.

        Raises:
            Exception: the first failure that another try may cure, or else the first failure.
        """
        results: dict[str, Result] = {}
        errors: list[Exception] = []
        for event in events:
            try:
                result = self._handle(event)
                if result:
                    results[result.file_set.prefix] = result
            except Exception as error:  # pylint: disable=broad-exception-caught  # raised after the last event
                errors.append(error)
        if errors:
            raise min(errors, key=lambda error: not getattr(error, "transient", True))
        return list(map(Result.as_json, results.values()))

    def _handle(self, event: ObjectEvent | Unreadable) -> Result | None:
        if isinstance(event, Unreadable):
            raise EventError(event.reason)
        result = self._settle(event)
        self.outcome_log.count_done(event)
        return result

    def _settle(self, event: ObjectEvent) -> Result | None:
        if event.kind not in HANDLED:
            self.outcome_log.ignored(event, "this event is no upload")
            return None
        bucket = self.validator.uploads.name
        if event.object.bucket != bucket:
            raise EventError(f"the event is of the bucket {event.object.bucket}, uploads are in {bucket}")
        place = self.layout.place_of(event.object.key)
        if place is None:
            self.outcome_log.ignored(event, f"its key is not of the form {self.layout.form}")
            return None
        prefix, names = place
        if prefix not in self._settled:
            # The other events of this invocation are about objects that were uploaded before the set is listed here.
            self._settled[prefix] = self.validator.settle(prefix, names)
            self.outcome_log.result(self._settled[prefix])
        return self._settled[prefix]
