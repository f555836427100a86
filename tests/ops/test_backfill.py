"""`brigade backfill`. A callback stands in for the batch service: it ends each job at once."""

from datetime import UTC, datetime

import pytest

from local.batch_operations.report import write_report
from local.batch_operations.task import Result, Task
from local.patches.hooks import HOOKS
from ops import batch_progress
from tests.ops.conftest import ACCOUNT, NAME, REGION, REPORTS, SOURCE

MIRROR_JOB = f"brigade backfill {NAME}-partition-replicate"
HOSTILE = "[red]\x1b[31m\nforged"


class Batches:
    """Created jobs, each of which ends as its test says."""

    def __init__(self, aws):
        self.aws = aws
        self.jobs = []
        self.status = "Complete"
        self.results = {"a": Result("Succeeded", "copied")}
        self.reason = ""

    def end(self, job):
        self.jobs.append(job)
        done = [(Task(SOURCE, key), result) for key, result in self.results.items()]
        job.progress.total = len(done)
        job.progress.succeeded = sum(result.code == "Succeeded" for _, result in done)
        job.progress.failed = len(done) - job.progress.succeeded
        write_report(self.aws.client("s3"), job.id, job.request["Report"], done)
        if self.reason:
            job.details["FailureReasons"] = [{"FailureCode": "Code", "FailureReason": self.reason}]
        if self.status == "Active":
            job.move_to("Active")
        else:
            job.end(self.status)

    @property
    def prefixes(self):
        generators = [job.request["ManifestGenerator"]["S3JobManifestGenerator"] for job in self.jobs]
        return [one["Filter"].get("KeyNameConstraint", {}).get("MatchAnyPrefix") for one in generators]


@pytest.fixture(name="batches")
def ending_jobs(aws, monkeypatch):
    monkeypatch.setattr(batch_progress, "FIRST_WAIT", 0)
    batches = Batches(aws)
    monkeypatch.setattr(HOOKS, "job_starter", batches.end)
    return batches


START = ("backfill", "start", "--task", "partition_replicate")


def test_started_backfill_is_a_job_with_the_role_and_the_report_of_the_deployment(brigade, batches):
    assert brigade(*START, "--yes", "--since", "2026-05-07") == 0
    (job,) = batches.jobs
    assert job.request["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/{NAME}-partition-replicate-batch-{REGION}"
    assert job.request["Operation"]["LambdaInvoke"]["FunctionArn"].endswith(f":function:{NAME}-partition-replicate")
    assert (job.request["Report"]["Bucket"], job.request["Description"]) == (f"arn:aws:s3:::{REPORTS}", MIRROR_JOB)
    generator = job.request["ManifestGenerator"]["S3JobManifestGenerator"]
    assert (generator["SourceBucket"], generator["ExpectedBucketOwner"]) == (f"arn:aws:s3:::{SOURCE}", ACCOUNT)
    assert generator["Filter"]["CreatedAfter"].replace(tzinfo=UTC) == datetime(2026, 5, 7, tzinfo=UTC)
    assert brigade.out.splitlines() == [f"started {job.id}", f"{job.id}: Complete, 1 succeeded, 0 failed of 1"]
    assert f"gets every object of s3://{SOURCE}/ created after 2026-05-07 00:00 UTC" in brigade.err


def test_failed_objects_are_summed_up_by_reason_with_examples(brigade, batches):
    archived = {f"k %{number}": f"s3://{SOURCE}/k %{number} is archived" for number in range(5)}
    batches.results |= {
        key.replace("%", "%25").replace(" ", "%20"): Result("PermanentFailure", text) for key, text in archived.items()
    }
    batches.results["x"] = Result("PermanentFailure", HOSTILE)
    assert brigade(*START, "--yes") == 1
    assert f"  5 failed: s3://{SOURCE}/KEY is archived\n    for example k %0, k %1, k %2\n" in brigade.out
    assert "  1 failed: [red]\\x1b[31m\\nforged\n    for example x\n" in brigade.out
    assert brigade("--json", *START) == 1
    record = brigade.records[-1]
    assert (record["succeeded"], record["failed"], record["total"]) == (1, 6, 7)
    assert [(one["count"], len(one["examples"])) for one in record["reasons"]] == [(5, 3), (1, 1)]


def test_number_of_reasons_is_bounded(brigade, batches, monkeypatch):
    monkeypatch.setattr("ops.batch_report.REASONS", 2)
    batches.results = {str(number): Result("PermanentFailure", f"reason {number}") for number in range(9)}
    assert brigade("--json", *START) == 1
    reasons = {one["text"]: one["count"] for one in brigade.records[-1]["reasons"]}
    assert reasons == {"other reasons": 7, "reason 0": 1, "reason 1": 1}


def test_failed_job_is_a_failure_with_its_reason(brigade, batches):
    batches.status, batches.reason = "Failed", "More than 50% of the tasks failed."
    assert brigade(*START, "--yes") == 2
    assert "Failed, 1 succeeded" in brigade.out and "Code: More than 50% of the tasks failed." in brigade.out


def test_each_prefix_is_a_job_unless_another_includes_it(brigade, batches):
    assert brigade(*START, "--yes", "--prefix", "a/b/", "--prefix", "a/", "--prefix", "c/") == 0
    assert batches.prefixes == [["a/"], ["c/"]]
    assert [job.request["Description"] for job in batches.jobs] == [f"{MIRROR_JOB} a/", f"{MIRROR_JOB} c/"]


def test_interrupt_leaves_the_job_running_and_says_how_to_go_on(brigade, batches, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    batches.status = "Active"
    monkeypatch.setattr(batch_progress.time, "sleep", interrupt)
    assert brigade(*START, "--yes") == 130
    (job,) = batches.jobs
    assert job.status == "Active"
    assert f"`brigade backfill status {job.id} --wait`" in brigade.err
    assert f"`brigade backfill cancel {job.id}`" in brigade.err


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_ctrl_c_while_jobs_are_created_names_the_one_that_runs(brigade, batches, ctrl_c, form):
    batches.status = "Active"
    ctrl_c("CreateJob")
    assert brigade(*START, "--prefix", "a/", "--prefix", "b/", "--yes", *form) == 130
    (job,) = batches.jobs
    assert job.status == "Active"
    if form:
        assert [(one["id"], one["status"]) for one in brigade.records] == [(job.id, "Active")]
    else:
        assert brigade.out == f"started {job.id}\n" and f"`brigade backfill cancel {job.id}`" in brigade.err


def test_backfill_starts_only_after_a_confirmation(brigade, batches, monkeypatch):
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: "n")
    assert brigade(*START) == 130
    assert not batches.jobs


def test_dry_run_counts_the_objects_and_starts_nothing(brigade, batches, aws, monkeypatch):
    for key in ("a/1", "a/2", "b"):
        aws.client("s3").put_object(Bucket=SOURCE, Key=key, Body=b"123")
    assert brigade(*START, "--dry-run", "--prefix", "a/") == 0
    assert '"MatchAnyPrefix"' in brigade.out and "\n2 objects with 6 bytes, each one invocation" in brigade.out
    assert brigade("--json", *START, "--dry-run", "--since", "1d") == 0
    assert (brigade.records[0]["objects"], brigade.records[0]["exact"]) == (3, True)
    monkeypatch.setattr(batch_progress, "COUNTED", 2)
    assert brigade(*START, "--dry-run") == 0 and "at least 2 objects" in brigade.out
    assert not batches.jobs


def test_status_lists_the_jobs_of_this_deployment_only(brigade, batches):
    assert brigade(*START, "--no-wait", "--yes") == 0
    assert brigade("backfill", "start", "--task", "archive_copy", "--yes", "--no-wait") == 0
    request = {**batches.jobs[0].request, "ClientRequestToken": "other", "Description": f"{MIRROR_JOB}-of-another"}
    other = batches.aws.client("s3control").create_job(**request)["JobId"]
    assert brigade("--json", "backfill", "status") == 0
    assert [one["id"] for one in brigade.records] == [job.id for job in reversed(batches.jobs[:2])]
    assert brigade("backfill", "status") == 0 and brigade.out.count("Complete") == 2
    assert brigade("backfill", "status", batches.jobs[0].id) == 0 and "1 succeeded, 0 failed of 1" in brigade.out
    for command in ("status", "cancel"):
        assert brigade("backfill", command, other) == 2 and "no backfill of this deployment" in brigade.err
        assert brigade("backfill", command, "unknown") == 2 and "there is no job unknown" in brigade.err


def test_cancel_ends_a_running_job_and_refuses_one_that_has_ended(brigade, batches):
    batches.status = "Active"
    brigade(*START, "--no-wait", "--yes")
    (job,) = batches.jobs
    assert brigade("backfill", "cancel", job.id, "--dry-run") == 0 and job.status == "Active"
    assert brigade("backfill", "cancel", job.id) == 0 and job.status == "Cancelling"
    assert brigade.out == f"cancels {job.id} after 1 object\n"
    job.end("Cancelled")
    assert brigade("backfill", "cancel", job.id) == 2 and "has ended already" in brigade.err
    assert brigade("backfill", "status", job.id) == 2


@pytest.mark.parametrize("text", ["2026-05-07T10:00:00+02:00", "2d", "12h", "30m", "1w"])
def test_time_is_a_date_or_an_age(brigade, batches, text):
    assert brigade(*START, "--yes", "--since", text) == 0
    assert "created after" in brigade.err and len(batches.jobs) == 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--since", "yesterday"], "'yesterday' is neither a date such as 2026-05-07 nor an age such as 2d"),
        (["--task", "upload_validate"], "--task should be one of these: archive_copy, partition_replicate"),
        (
            ["--mirror", "nowhere"],
            "--mirror should be the destination bucket of a mirror: mirror-bucket; it is nowhere",
        ),
    ],
)
def test_mistake_of_the_user_is_one_sentence(brigade, batches, arguments, part):
    assert brigade("backfill", "start", *arguments) == 2
    assert part in brigade.err and brigade.err.count("\n") == 1
    assert not batches.jobs


def test_mirror_is_chosen_by_its_destination(brigade, batches):
    assert brigade("backfill", "start", "--mirror", "mirror-bucket", "--yes") == 0
    assert batches.jobs[0].request["Description"] == MIRROR_JOB
