"""The effects of a verdict: examples that read like the README, and the order that holds for all verdicts."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.upload_validate.effects import (
    CallWebhook,
    ConfirmUpload,
    CopyFiles,
    RaiseIssue,
    RemoveLeftOver,
    RetractReport,
    SendMail,
    WriteReport,
    bucket_of,
    effects_of,
    removes_left_over,
)
from tasks.upload_validate.file_sets import FileSet, UploadedFile
from tasks.upload_validate.findings import FileFinding, Problem
from tasks.upload_validate.messages import issue_of, mail_of
from tasks.upload_validate.page import page_of
from tasks.upload_validate.settings import KEEP, REMOVE, Buckets
from tasks.upload_validate.verdict import PUBLISHED, REJECTED, Verdict
from tests.upload_validate.conftest import PREFIX, polling_stations

PROFILE = polling_stations()
NAMES = {"gss": "E07000223", "election_date": "2025-05-01", "timestamp": "1"}
UPLOADED = datetime(2025, 3, 2, 10, tzinfo=UTC)
VALID = FileFinding(f"{PREFIX}a.csv")
WRONG = FileFinding(f"{PREFIX}b.csv", problems=(Problem("File is empty"),), problem_count=1)
# The profile expects a second file of this kind.
ALONE = FileFinding(f"{PREFIX}c.csv", kind="Democracy Counts").with_problem(Problem("Expected 2 files, found 1"))

FINAL = Buckets("uploads", "final")
QUARANTINE = Buckets("uploads", "final", "quarantine")
REMOVING = Buckets("uploads", "final", "quarantine", superseded=REMOVE)


def verdict_on(*findings, more_than=0):
    files = () if more_than else tuple(UploadedFile(each.key, "etag", 2_000, UPLOADED) for each in findings)
    return Verdict(PROFILE, FileSet("uploads", PREFIX, NAMES, files, more_than), findings, "Adur District Council")


def issue_on(verdict):
    return RaiseIssue(issue_of(verdict), UPLOADED)


def mail_on(verdict):
    return SendMail(mail_of(verdict, page_of(verdict)))


def test_valid_set_is_published_with_its_issue_and_then_the_webhook_is_called():
    verdict = verdict_on(VALID)
    assert effects_of(verdict, FINAL) == [
        RetractReport("final"),
        CopyFiles("final"),
        issue_on(verdict),
        WriteReport("final", names_left_over=True),
        ConfirmUpload(),
        CallWebhook(),
    ]


def test_valid_set_that_replaces_another_removes_its_files_if_the_setting_says_so():
    verdict = verdict_on(VALID)
    assert effects_of(verdict, REMOVING) == [
        RetractReport("final"),
        CopyFiles("final"),
        issue_on(verdict),
        WriteReport("final", names_left_over=False),
        RemoveLeftOver("final"),
        ConfirmUpload(),
        CallWebhook(),
    ]


def test_rejected_set_without_a_quarantine_bucket_is_only_notified():
    verdict = verdict_on(VALID, WRONG)
    assert effects_of(verdict, FINAL) == [ConfirmUpload(), mail_on(verdict), CallWebhook()]


def test_rejected_set_is_put_into_quarantine_and_then_notified():
    verdict = verdict_on(VALID, WRONG)
    assert effects_of(verdict, QUARANTINE) == [
        RetractReport("quarantine"),
        CopyFiles("quarantine"),
        WriteReport("quarantine", names_left_over=True),
        ConfirmUpload(),
        mail_on(verdict),
        CallWebhook(),
    ]


def test_incomplete_set_sends_no_mail():
    assert effects_of(verdict_on(ALONE), FINAL) == [ConfirmUpload(), CallWebhook()]


def test_lone_file_with_another_error_sends_a_mail():
    verdict = verdict_on(ALONE.with_problem(Problem("File is empty")))
    assert effects_of(verdict, FINAL) == [ConfirmUpload(), mail_on(verdict), CallWebhook()]


def test_set_with_too_many_files_removes_nothing_from_quarantine():
    verdict = verdict_on(WRONG, more_than=1_000)
    assert effects_of(verdict, REMOVING) == [
        RetractReport("quarantine"),
        CopyFiles("quarantine"),
        WriteReport("quarantine", names_left_over=True),
        ConfirmUpload(),
        mail_on(verdict),
        CallWebhook(),
    ]


@pytest.mark.parametrize("findings, recorded", [((VALID,), PUBLISHED), ((VALID, WRONG), REJECTED)])
def test_set_with_a_recorded_outcome_is_put_back_without_mail_and_webhook(findings, recorded):
    verdict = verdict_on(*findings)
    effects = effects_of(verdict, QUARANTINE)
    notifications = [effect for effect in effects if isinstance(effect, (SendMail, CallWebhook))]
    assert notifications
    assert effects_of(verdict, QUARANTINE, recorded=recorded) == effects[: -len(notifications)]


def test_set_with_another_recorded_outcome_is_notified():
    verdict = verdict_on(VALID)
    assert effects_of(verdict, FINAL, recorded=REJECTED) == effects_of(verdict, FINAL)


ORDER = (RetractReport, CopyFiles, RaiseIssue, WriteReport, RemoveLeftOver, ConfirmUpload, SendMail, CallWebhook)

FINDINGS = st.lists(st.sampled_from([VALID, WRONG, ALONE]), min_size=1, max_size=4)
VERDICTS = st.builds(
    lambda findings, more_than: verdict_on(*([WRONG] if more_than else findings), more_than=more_than),
    FINDINGS,
    st.sampled_from([0, 0, 3]),
)
BUCKETS = st.builds(Buckets, st.just("uploads"), st.just("final"), st.sampled_from(["", "quarantine"])).flatmap(
    lambda buckets: st.sampled_from([KEEP, REMOVE]).map(
        lambda superseded: Buckets(buckets.upload, buckets.final, buckets.quarantine, superseded=superseded)
    )
)
RECORDED = st.sampled_from(["", PUBLISHED, REJECTED])


@given(verdict=VERDICTS, buckets=BUCKETS, recorded=RECORDED)
def test_equal_verdicts_have_equal_effects(verdict, buckets, recorded):
    again = Verdict(verdict.profile, verdict.file_set, verdict.findings, verdict.council_name)
    assert effects_of(verdict, buckets, recorded=recorded) == effects_of(again, buckets, recorded=recorded)


@given(verdict=VERDICTS, buckets=BUCKETS, recorded=RECORDED)
def test_each_effect_occurs_once_and_in_the_order_that_survives_a_crash(verdict, buckets, recorded):
    kinds = [type(effect) for effect in effects_of(verdict, buckets, recorded=recorded)]
    assert kinds == [kind for kind in ORDER if kind in kinds]
    # The set is confirmed before any notification, and a report is written only between a retraction and that.
    assert ConfirmUpload in kinds
    assert (WriteReport in kinds) == (RetractReport in kinds) == (CopyFiles in kinds)
    assert not {RaiseIssue, RemoveLeftOver} & {*kinds} or WriteReport in kinds


@given(verdict=VERDICTS, buckets=BUCKETS, recorded=RECORDED)
def test_bucket_of_each_effect_is_that_of_the_outcome(verdict, buckets, recorded):
    effects = effects_of(verdict, buckets, recorded=recorded)
    used = {getattr(effect, "bucket") for effect in effects if hasattr(effect, "bucket")}
    expected = bucket_of(verdict.outcome, buckets)
    assert used == ({expected} if expected else set())
    assert ("final" in used) == verdict.valid


@given(verdict=VERDICTS, buckets=BUCKETS)
def test_files_are_either_removed_or_named_in_the_report(verdict, buckets):
    effects = effects_of(verdict, buckets)
    removes = removes_left_over(verdict.file_set, buckets)
    for effect in effects:
        if isinstance(effect, WriteReport):
            assert effect.names_left_over != removes
            assert (RemoveLeftOver(effect.bucket) in effects) == removes


@given(verdict=VERDICTS, buckets=BUCKETS)
def test_issue_is_raised_for_valid_sets_and_mail_sent_for_others_that_are_complete(verdict, buckets):
    kinds = {type(effect) for effect in effects_of(verdict, buckets)}
    assert (RaiseIssue in kinds) == verdict.valid
    assert (SendMail in kinds) == (not verdict.valid and not verdict.is_incomplete)
    assert CallWebhook in kinds
