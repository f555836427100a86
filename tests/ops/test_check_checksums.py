"""`brigade check --checksums`. The jobs of the embedded AWS run at once, when they are created."""

import json
import signal

import pytest

from local.batch_operations.run import JobRun
from local.patches.hooks import HOOKS
from ops import batch_progress
from ops.batch_report import Row
from ops.checking.reported_checksums import temporary_checksums
from tasks.mirror_check.findings import Pair, Sign
from tasks.mirror_check.pages import Listed
from tasks.utils.key_state import KeyState, Origin, ReplicaVersion
from tasks.utils.mirror_items import key_row
from tests.ops.conftest import ACCOUNT, DESTINATION_REGION, MIRROR, NAME, REGION, REPORTS, SOURCE
from tests.ops.test_check import Buckets

ROLE_HERE = f"{NAME}-partition-replicate-verify-{REGION}"
ROLE_THERE = f"arn:aws-us-gov:iam::{ACCOUNT}:role/checksums"
REPORTS_THERE = "reports-there"
THERE = ("--destination-job-role", ROLE_THERE, "--destination-reports", REPORTS_THERE)
CHECK = ("check", "--json", "--checksums", *THERE)
ODD = "odd key+é%20/\n🪣"

TRUST = {"Effect": "Allow", "Principal": {"Service": "batchoperations.s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
ALL_OF_S3 = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


def policy_of(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def create_role(aws, name, region):
    iam = aws.client("iam", region_name=region)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy_of(TRUST))
    iam.put_role_policy(RoleName=name, PolicyName="job", PolicyDocument=policy_of(ALL_OF_S3))


class Started(list):
    """The jobs; each runs to its end when it is created, or stays active."""

    def __init__(self, aws):
        super().__init__()
        self.aws = aws
        self.stay_active = False

    def start(self, job):
        self.append(job)
        if self.stay_active:
            job.move_to("Active")
        else:
            JobRun(self.aws, job).run()

    @property
    def option(self):
        """The jobs as the option takes them; that of the destination was started first."""
        there, here = self
        return "--checksum-jobs", f"{here.id},{there.id}"


@pytest.fixture(name="jobs")
def jobs_that_run_at_once(aws, outputs, monkeypatch):
    assert outputs
    monkeypatch.setattr(batch_progress, "FIRST_WAIT", 0)
    create_role(aws, ROLE_HERE, REGION)
    create_role(aws, "checksums", DESTINATION_REGION)
    place = {"LocationConstraint": DESTINATION_REGION}
    aws.client("s3", region_name=DESTINATION_REGION).create_bucket(
        Bucket=REPORTS_THERE, CreateBucketConfiguration=place
    )
    started = Started(aws)
    monkeypatch.setattr(HOOKS, "job_starter", started.start)
    return started


@pytest.fixture(name="buckets")
def both_buckets(aws, jobs):
    assert jobs == []
    return Buckets(aws)


def differences(brigade):
    return {each["key"]: (each["result"], each["cause"]) for each in brigade.records if each["type"] == "difference"}


def record_as_mirrored(aws, buckets, outputs, key):
    """Record that the mirror made the destination's object from the source's."""
    near, far = buckets.etags(key)
    state = KeyState(Origin("", near), ReplicaVersion("", far))
    aws.client("dynamodb").put_item(TableName=outputs["partition_replicate"]["table"], Item=key_row(key, state))


def test_bytes_that_differ_although_the_mirror_recorded_them_are_found_by_checksums_only(
    aws, brigade, buckets, outputs
):
    for key in ("equal", ODD):
        buckets.put(key, b"1", b"1")
    buckets.put("damaged", b"1", b"2")
    record_as_mirrored(aws, buckets, outputs, "damaged")
    assert brigade("check", "--json") == 0

    assert brigade(*CHECK) == 1, brigade.err
    assert differences(brigade) == {"damaged": ("different", "damaged")}
    (difference,) = (each for each in brigade.records if each["type"] == "difference")
    assert "the checksum is a4ayc/80" in difference["reason"] and "at the destination" in difference["reason"]
    assert [(each["side"], each["succeeded"]) for each in brigade.records[2:4]] == [("source", 3), ("destination", 3)]
    assert brigade.records[-1]["equal"] == 2


def test_jobs_have_the_roles_the_reports_and_the_objects_of_their_sides(brigade, buckets, jobs):
    buckets.put("a/1", b"1", b"1")
    buckets.put("b/1", b"1", b"2")
    assert brigade(*CHECK, "--prefix", "a/") == 0, brigade.err
    there, here = jobs
    role = f"arn:aws:iam::{ACCOUNT}:role/{ROLE_HERE}"
    assert (here.request["RoleArn"], there.request["RoleArn"]) == (role, ROLE_THERE)
    assert here.request["Report"]["Bucket"] == f"arn:aws:s3:::{REPORTS}"
    assert there.request["Report"]["Bucket"] == f"arn:aws-us-gov:s3:::{REPORTS_THERE}"
    assert here.request["Report"]["ExpectedBucketOwner"] == there.request["Report"]["ExpectedBucketOwner"] == ACCOUNT
    assert (here.scope.region, there.scope.region) == (REGION, DESTINATION_REGION)
    assert here.progress.total == there.progress.total == 1
    assert [job.request["Description"] for job in jobs] == [
        f"brigade checksums SHA256 s3://{bucket}/a/" for bucket in (MIRROR, SOURCE)
    ]


def test_missing_extra_and_other_sizes_are_named_with_their_causes(brigade, buckets, jobs):
    buckets.put("missing", b"1")
    buckets.put("extra", None, b"1")
    buckets.put("size", b"1", b"22")
    assert brigade(*CHECK, "--lag", "0") == 1
    assert differences(brigade) == {
        "missing": ("missing", "never seen"),
        "extra": ("extra", "other writer"),
        "size": ("different", "never seen"),
    }
    assert len(jobs) == 2


def test_object_that_changed_after_its_job_is_compared_as_without_checksums(brigade, buckets, jobs):
    buckets.put("a", b"1", b"1")
    buckets.put("b", b"1", b"1")
    assert brigade(*CHECK) == 0
    buckets.put("a", b"3", b"3")
    assert brigade("check", *THERE, *jobs.option) == 0
    assert len(jobs) == 2
    assert "1 key without checksums in the reports" in brigade.err
    assert "both sides are equal: 2 keys (2 equal)" in brigade.out


def test_versions_with_the_same_etag_and_other_bytes_are_not_taken_for_equal():
    def row(checksum):
        return Row("k", True, "200", json.dumps({"etag": "e", "checksum_base64": checksum}))

    pair = Pair(Listed("k", 1, "e"), Listed("k", 1, "e"))
    with temporary_checksums() as reported:
        reported.add("source", [row("one"), row("other")])
        reported.add("destination", [row("one")])
        verdict = reported.verdict(pair)
    assert (verdict.sign, verdict.reason) == (
        Sign.UNKNOWN,
        "not compared: two versions of it have the same ETag and other bytes",
    )


@pytest.mark.parametrize("message", ["no JSON", "[]", "{}", '{"etag": 1}'])
def test_row_of_another_form_is_a_failure_of_its_object(message):
    with temporary_checksums() as reported:
        reported.add("destination", [Row("k", True, "200", message)])
        verdict = reported.verdict(Pair(Listed("k", 1, "e"), Listed("k", 1, "e")))
    assert verdict.is_error and verdict.reason.endswith(f"its row in the report has no checksum: {message}")


def test_object_whose_task_failed_is_unknown_and_a_failure(brigade, buckets, monkeypatch):
    buckets.put("a", b"1", b"1")
    monkeypatch.setattr("local.batch_operations.checksums.permits", lambda role, action, address: False)
    assert brigade(*CHECK) == 2
    assert differences(brigade) == {"a": ("unknown", "unknown")}
    assert "the job at the source failed for it: error details:" in brigade.records[-2]["reason"]


def test_repair_says_why_it_does_not_copy_a_damaged_object(aws, brigade, buckets, outputs, sqs):
    buckets.put("damaged", b"1", b"2")
    record_as_mirrored(aws, buckets, outputs, "damaged")
    assert brigade(*CHECK, "--repair", "--no-wait") == 1
    (repair,) = (each for each in brigade.records if each["type"] == "repair")
    assert repair["repair"] == "none" and "if the copy is damaged, remove its version for good" in repair["reason"]
    queue = outputs["partition_replicate"]["queue_url"]
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


def test_download_names_a_damaged_object_too(aws, brigade, buckets, outputs):
    buckets.put("damaged", b"1", b"2")
    record_as_mirrored(aws, buckets, outputs, "damaged")
    assert brigade("check", "--json", "--download") == 1
    assert differences(brigade) == {"damaged": ("different", "damaged")}


def test_dry_run_shows_requests_and_price_and_starts_nothing(brigade, buckets, jobs):
    buckets.put("a", b"1" * 100, b"1" * 100)
    assert brigade(*CHECK, "--dry-run") == 0
    assert [(each["side"], each["objects"], each["bytes"]) for each in brigade.records] == [
        ("source", 1, 100),
        ("destination", 1, 100),
    ]
    assert all(0.25 < each["dollars"] < 0.26 for each in brigade.records)
    assert brigade("check", *CHECK[2:], "--dry-run") == 0
    assert "source: 1 object with 100 bytes, $0.25 at the prices of us-east-1" in brigade.out
    assert jobs == []


def test_interrupt_leaves_the_jobs_running_and_says_how_to_go_on(brigade, buckets, jobs, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    buckets.put("a", b"1", b"1")
    jobs.stay_active = True
    monkeypatch.setattr(batch_progress.time, "sleep", interrupt)
    assert brigade("check", *CHECK[2:]) == 130
    assert [job.status for job in jobs] == ["Active", "Active"]
    assert f"the same command with {' '.join(jobs.option)} waits for them" in brigade.err
    assert f"--account-id {ACCOUNT} --job-id {jobs[0].id} --requested-job-status Cancelled" in brigade.err

    monkeypatch.setattr(batch_progress.time, "sleep", lambda seconds: [JobRun(jobs.aws, job).run() for job in jobs])
    assert brigade("check", *THERE, *jobs.option) == 0, brigade.err


def test_interrupt_between_two_starts_leaves_both_jobs_with_their_names(brigade, buckets, jobs, monkeypatch):
    def start_and_interrupt(job):
        if not jobs:
            signal.raise_signal(signal.SIGINT)
        jobs.start(job)

    buckets.put("a", b"1", b"1")
    monkeypatch.setattr(HOOKS, "job_starter", start_and_interrupt)
    assert brigade("check", *CHECK[2:]) == 130
    assert len(jobs) == 2 and f"{' '.join(jobs.option)} takes the reports of these jobs again" in brigade.err


def test_report_that_is_not_there_is_a_failure_and_no_equality(aws, brigade, buckets, jobs):
    buckets.put("a", b"1", b"1")
    assert brigade(*CHECK) == 0
    elsewhere = ("--destination-job-role", ROLE_THERE, "--destination-reports", MIRROR)
    assert brigade("check", *elsewhere, *jobs.option) == 2
    folder = f"checksums/job-{jobs[0].id}"
    assert f"the report in s3://{MIRROR}/{folder} has 0 rows, and its job had 1 object" in brigade.err
    near = aws.client("s3")
    for each in near.list_objects_v2(Bucket=REPORTS)["Contents"]:
        if each["Key"].endswith(".csv"):
            near.put_object(Bucket=REPORTS, Key=each["Key"], Body=b"")
    assert brigade("check", *THERE, *jobs.option) == 2
    assert f"the report in s3://{REPORTS}/checksums/job-{jobs[1].id} has 0 rows" in brigade.err


def test_job_that_failed_is_a_failure_with_its_reason(aws, brigade, buckets, jobs):
    buckets.put("a", b"1", b"1")
    aws.client("iam").delete_role_policy(RoleName=ROLE_HERE, PolicyName="job")
    assert brigade(*CHECK) == 2
    assert f"the job {jobs[1].id} at the source is Failed: AccessDenied: " in brigade.err


def test_refused_job_at_the_source_cancels_that_of_the_destination(brigade, buckets, jobs, outputs, outputs_file):
    buckets.put("a", b"1", b"1")
    outputs["partition_replicate"]["checksum_role_arn"] = "arn:aws:iam::210987654321:role/of-another-account"
    outputs_file.write_text(json.dumps({name: {"value": value} for name, value in outputs.items()}))
    jobs.stay_active = True
    assert brigade(*CHECK) == 2
    assert "AWS refuses CreateJob" in brigade.err and brigade.err.count("\n") == 1
    assert [job.status for job in jobs] == ["Cancelling"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--checksums"], "--checksums needs --destination-job-role and --destination-reports: a role and a bucket"),
        (["--checksums", *THERE, "--deep", "--versions"], "leave out --versions and --deep"),
        (["--checksums", "--destination-job-role", "me", *THERE[2:]], "--destination-job-role should be the ARN of a"),
        (["--checksum-jobs", "one", *THERE], "should be the ids of two jobs, SOURCE,DESTINATION; it is one"),
        (
            ["--checksum-jobs", "first,second", *THERE],
            "--checksum-jobs: first is no job at the source with the description",
        ),
        (["--checksums", *THERE, "--task", "archive_copy"], "--checksums: not with --task archive_copy"),
    ],
)
def test_mistake_of_the_user_is_one_sentence(brigade, jobs, arguments, part):
    assert brigade("check", *arguments) == 2
    assert part in brigade.err and brigade.err.count("\n") == 1
    assert jobs == []


def test_destination_outside_aws_is_refused_with_the_way_out(aws, brigade, jobs, outputs):
    functions, name = aws.client("lambda"), outputs["partition_replicate"]["replicate_function_name"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    changed = {"Variables": {**variables, "DEST_ENDPOINT_URL": "https://store.example.org"}}
    functions.update_function_configuration(FunctionName=name, Environment=changed)
    assert brigade(*CHECK) == 2
    assert "https://store.example.org is not AWS" in brigade.err and "--download reads instead" in brigade.err
    assert jobs == []
