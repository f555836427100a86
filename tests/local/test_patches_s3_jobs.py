from local.patches import s3_jobs
from tests.local.patching import ACCOUNT, FAILURES_OF_BARE_MOTO, REGION, patched

# moto raises this for an unknown action; the embedded AWS answers it with an error.
RAISES = (*FAILURES_OF_BARE_MOTO, NotImplementedError)

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
MANIFEST = {
    "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key"]},
    "Location": {"ObjectArn": "arn:aws:s3:::manifests/manifest.csv", "ETag": "etag"},
}
GENERATOR = {"S3JobManifestGenerator": {"SourceBucket": "arn:aws:s3:::source", "EnableManifestOutput": False}}


def request(**changes):
    plain = {
        "AccountId": ACCOUNT,
        "ConfirmationRequired": False,
        "Operation": {"LambdaInvoke": {"FunctionArn": FUNCTION}},
        "Report": {"Enabled": False},
        "Manifest": MANIFEST,
        "Priority": 10,
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/job",
        "Description": "a job",
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not None}


def create(stage, **changes):
    stage.hooks.job_starter = lambda job: None
    return stage.client("s3control").create_job(**request(**changes))["JobId"]


def described(stage, job):
    return stage.client("s3control").describe_job(AccountId=ACCOUNT, JobId=job)["Job"]


@patched(s3_jobs.serve_jobs, s3_jobs.create_job, s3_jobs.describe_job, raises=RAISES)
def test_job_is_described_as_it_was_created(stage):
    job = described(stage, create(stage))
    assert (job["Status"], job["Priority"], job["Description"]) == ("New", 10, "a job")
    assert job["JobArn"] == f"arn:aws:s3:{REGION}:{ACCOUNT}:job/{job['JobId']}"
    assert (job["Operation"], job["Manifest"]) == (request()["Operation"], MANIFEST)
    assert job["ProgressSummary"]["NumberOfTasksSucceeded"] == 0
    assert "TotalNumberOfTasks" not in job["ProgressSummary"]
    control = stage.client("s3control")
    _, missing = stage.refusal(control.describe_job, AccountId=ACCOUNT, JobId="another")
    assert missing == "NotFoundException"


@patched(s3_jobs.create_job, raises=RAISES)
def test_job_without_a_batch_service_fails(stage):
    job = described(stage, stage.client("s3control").create_job(**request())["JobId"])
    assert job["Status"] == "Failed"
    assert job["FailureReasons"][0]["FailureReason"] == "No batch service is running."


@patched(s3_jobs.create_job, raises=RAISES)
def test_same_token_creates_one_job(stage):
    first = create(stage, ClientRequestToken="token")
    assert create(stage, ClientRequestToken="token") == first
    control = stage.client("s3control")
    changed = request(ClientRequestToken="token", Priority=11)
    assert stage.refusal(control.create_job, **changed) == (400, "IdempotencyException")


@patched(s3_jobs.create_job, raises=RAISES)
def test_wrong_requests_are_refused(stage):
    generator = GENERATOR["S3JobManifestGenerator"]
    two_prefixes = {**generator, "Filter": {"KeyNameConstraint": {"MatchAnyPrefix": ["a", "b"]}}}
    arguments = {"FunctionArn": FUNCTION, "UserArguments": {"a": "b"}, "InvocationSchemaVersion": "1.0"}
    wrong = [
        {"ManifestGenerator": GENERATOR},
        {"Manifest": None},
        {"Manifest": None, "ManifestGenerator": {"S3JobManifestGenerator": two_prefixes}},
        {"Operation": {"LambdaInvoke": arguments}},
        {"Report": {"Enabled": True, "Bucket": "arn:aws:s3:::reports"}},
    ]
    control = stage.client("s3control")
    for changes in wrong:
        assert stage.refusal(control.create_job, **request(**changes)) == (400, "BadRequestException"), changes
    other = request(RoleArn="arn:aws:iam::210987654321:role/job")
    assert stage.refusal(control.create_job, **other) == (400, "BadRequestException")


@patched(s3_jobs.list_jobs, raises=RAISES)
def test_jobs_are_listed_in_pages_and_by_status(stage):
    ids = [create(stage, Description=str(number)) for number in range(3)]
    control = stage.client("s3control")
    control.update_job_status(AccountId=ACCOUNT, JobId=ids[0], RequestedJobStatus="Cancelled")
    first = control.list_jobs(AccountId=ACCOUNT, MaxResults=2)
    second = control.list_jobs(AccountId=ACCOUNT, MaxResults=2, NextToken=first["NextToken"])
    assert [job["Description"] for page in (first, second) for job in page["Jobs"]] == ["2", "1", "0"]
    assert "NextToken" not in second
    (cancelling,) = control.list_jobs(AccountId=ACCOUNT, JobStatuses=["Cancelling"])["Jobs"]
    assert (cancelling["JobId"], cancelling["Operation"]) == (ids[0], "LambdaInvoke")
    wrong = stage.refusal(control.list_jobs, AccountId=ACCOUNT, NextToken="wrong")
    assert wrong == (400, "InvalidNextTokenException")


@patched(s3_jobs.update_job_status, raises=RAISES)
def test_status_changes_only_where_s3_allows_it(stage):
    job = create(stage)
    control = stage.client("s3control")
    update = {"AccountId": ACCOUNT, "JobId": job}
    ready = {**update, "RequestedJobStatus": "Ready"}
    assert stage.refusal(control.update_job_status, **ready) == (400, "JobStatusException")
    cancelled = control.update_job_status(**update, RequestedJobStatus="Cancelled", StatusUpdateReason="not needed")
    assert (cancelled["Status"], cancelled["StatusUpdateReason"]) == ("Cancelling", "not needed")


@patched(s3_jobs.update_job_priority, raises=RAISES)
def test_priority_changes(stage):
    job = create(stage)
    stage.client("s3control").update_job_priority(AccountId=ACCOUNT, JobId=job, Priority=42)
    assert described(stage, job)["Priority"] == 42
