"""Jobs of S3 Batch Operations. A callback stands in for the Lambda service, so no function starts."""

import base64
import csv
import hashlib
import io
import json
import threading
import zlib

import pytest
from botocore.exceptions import ClientError

from local.batch_operations import BatchOperations, run
from local.embedded_aws import EmbeddedAws
from local.patches.s3_jobs import ENDED
from ops.aws import Account
from tests.local.lambda_deployment import ACCOUNT, eventually, zipped

JOB_ROLE = f"arn:aws:iam::{ACCOUNT}:role/job"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"
TRUST = {
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Condition": {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}},
}
PERMISSIONS = {
    "lambda:InvokeFunction": FUNCTION,
    "s3:PutInventoryConfiguration": "arn:aws:s3:::source*",
    "s3:GetObject": ["arn:aws:s3:::manifests/*", "arn:aws:s3:::source/*"],
    "s3:GetObjectVersion": "arn:aws:s3:::source*",
    "s3:RestoreObject": "arn:aws:s3:::source*",
    "kms:Decrypt": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd",
    "s3:PutObject": "arn:aws:s3:::reports/*",
}
KEYS = ("a b+c", "folder/ü%", "folder/x")


class Jobs:
    """Jobs of an embedded AWS, and the events that its function gets."""

    def __init__(self, aws):
        self.aws = aws
        self.s3 = aws.client("s3")
        keys = aws.admin_credentials["aws_access_key_id"], aws.admin_credentials["aws_secret_access_key"]
        self.control = Account(aws.region, endpoint_url=aws.endpoint_url).client("s3control", keys=keys)
        self.events = []
        self.answers = {}
        self.invoke = self.answer

    def answer(self, event):
        """Answer an invocation as `answers` says for the key, or with a success."""
        task = event["tasks"][0]
        codes = self.answers.get(task["s3Key"], ["Succeeded"])
        code = codes.pop(0) if len(codes) > 1 else codes[0]
        if code == "error":
            return 200, {"X-Amz-Function-Error": "Unhandled"}, b'{"errorMessage": "broken"}'
        if code == "throttled":
            return 429, {}, b'{"message": "Rate Exceeded."}'
        result = {"taskId": task["taskId"], "resultCode": code, "resultString": f"{code} of {task['s3Key']}"}
        answer = {"treatMissingKeysAs": "PermanentFailure", "results": [] if code == "none" else [result]}
        return 200, {}, json.dumps(answer).encode()

    def invoker(self, _function, payload, _invocation_type):
        self.events.append(json.loads(payload))
        return self.invoke(self.events[-1])

    def role(self, name, *, service="batchoperations.s3.amazonaws.com", without=()):
        iam = self.aws.client("iam")
        trusted = json.dumps({"Version": "2012-10-17", "Statement": [{**TRUST, "Principal": {"Service": service}}]})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
        allowed = [
            {"Effect": "Allow", "Action": action, "Resource": resource}
            for action, resource in PERMISSIONS.items()
            if action not in without
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        iam.put_role_policy(RoleName=name, PolicyName="job", PolicyDocument=policy)
        return arn

    def create(self, *, source="source", role=JOB_ROLE, wanted=None, operation=None, **more):
        generator = {"SourceBucket": f"arn:aws:s3:::{source}", "EnableManifestOutput": False, "Filter": wanted or {}}
        place = {"Bucket": "arn:aws:s3:::reports", "Prefix": "backfill"}
        form = {"Format": "Report_CSV_20180820", "ReportScope": "AllTasks"}
        objects = {} if "Manifest" in more else {"ManifestGenerator": {"S3JobManifestGenerator": generator}}
        return self.control.create_job(
            AccountId=ACCOUNT,
            ConfirmationRequired=more.pop("ConfirmationRequired", False),
            Operation=operation or {"LambdaInvoke": {"FunctionArn": FUNCTION}},
            Report={"Enabled": True, **place, **form, **more.pop("report", {})},
            Priority=1,
            RoleArn=role,
            **objects,
            **more,
        )["JobId"]

    def describe(self, job):
        return self.control.describe_job(AccountId=ACCOUNT, JobId=job)["Job"]

    def update(self, job, status):
        self.control.update_job_status(AccountId=ACCOUNT, JobId=job, RequestedJobStatus=status)

    def in_status(self, job, *statuses):
        return eventually(lambda: (found := self.describe(job))["Status"] in statuses and found)

    def ended(self, **request):
        """Create a job, and return its description after its end."""
        return self.in_status(self.create(**request), *ENDED)

    def report(self, job):
        """Return the rows of a job's report, by the key in them."""
        folder = f"backfill/job-{job['JobId']}"
        manifest = self.read("reports", f"{folder}/manifest.json")
        texts = [self.read("reports", part["Key"], raw=True) for part in manifest["Results"]]
        return {row[1]: row for text in texts for row in csv.reader(io.StringIO(text))}

    def read(self, bucket, key, raw=False):
        text = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        return text if raw else json.loads(text)


@pytest.fixture(name="running", scope="module")
def running_jobs():
    with EmbeddedAws() as aws, BatchOperations(aws):
        jobs = Jobs(aws)
        aws.lambda_invoker = jobs.invoker
        for bucket in ("source", "source-with-versions", "manifests", "reports"):
            jobs.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
        for key in KEYS:
            jobs.s3.put_object(Bucket="source", Key=key, Body=key.encode())
        aws.client("lambda").create_function(
            FunctionName="f",
            Runtime="python3.13",
            Handler="m.handler",
            Role=jobs.role("function", service="lambda.amazonaws.com"),
            Code={"ZipFile": zipped("")},
        )
        jobs.role("job")
        yield jobs


@pytest.fixture(name="jobs")
def unused_jobs(running, monkeypatch):
    monkeypatch.setattr(run, "REDRIVE_SECONDS", 0)
    running.events, running.answers, running.invoke = [], {}, running.answer
    return running


def counts(job):
    progress = job["ProgressSummary"]
    return progress["TotalNumberOfTasks"], progress["NumberOfTasksSucceeded"], progress["NumberOfTasksFailed"]


def test_job_invokes_the_function_once_for_each_object_of_its_generated_manifest(jobs):
    job = jobs.ended()
    assert (job["Status"], counts(job)) == ("Complete", (3, 3, 0))
    assert {event["job"]["id"] for event in jobs.events} == {job["JobId"]}
    assert all(event["invocationSchemaVersion"] == "1.0" and len(event["tasks"]) == 1 for event in jobs.events)
    tasks = [event["tasks"][0] for event in jobs.events]
    assert {task["s3Key"] for task in tasks} == {"a%20b%2Bc", "folder/%C3%BC%25", "folder/x"}
    assert all((task["s3VersionId"], task["s3BucketArn"]) == (None, "arn:aws:s3:::source") for task in tasks)
    row = jobs.report(job)["a%20b%2Bc"]
    assert row == ["source", "a%20b%2Bc", "", "succeeded", "200", "", "Succeeded of a%20b%2Bc"]


def test_generated_manifest_holds_every_version_that_matches_the_filter(jobs):
    place = {"Bucket": "source-with-versions", "Key": "folder/x"}
    jobs.s3.put_object(**place, Body=b"before versioning")
    jobs.s3.put_bucket_versioning(Bucket=place["Bucket"], VersioningConfiguration={"Status": "Enabled"})
    new = [jobs.s3.put_object(**place, Body=b"12345")["VersionId"] for _ in range(2)]
    jobs.s3.put_object(**{**place, "Key": "elsewhere"})
    jobs.s3.delete_object(**place)
    job = jobs.ended(source=place["Bucket"], wanted={"KeyNameConstraint": {"MatchAnyPrefix": ["folder/"]}})
    tasks = [event["tasks"][0] for event in jobs.events]
    assert {(task["s3Key"], task["s3VersionId"]) for task in tasks} == {("folder/x", one) for one in (None, *new)}
    assert counts(job) == (3, 3, 0)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"CreatedAfter": "2000-01-01T00:00:00Z"}, 3),
        ({"CreatedBefore": "2000-01-01T00:00:00Z"}, 0),
        ({"MatchAnyStorageClass": ["GLACIER"]}, 0),
        ({"ObjectSizeGreaterThanBytes": 8}, 1),
        ({"KeyNameConstraint": {"MatchAnySuffix": ["x"]}}, 1),
        ({"KeyNameConstraint": {"MatchAnySubstring": ["old"]}}, 2),
    ],
)
def test_each_filter_selects_objects(jobs, wanted, found):
    assert counts(jobs.ended(wanted=wanted)) == (found, found, 0)


def test_second_schema_names_the_bucket_and_carries_arguments(jobs):
    invoke = {"FunctionArn": FUNCTION, "InvocationSchemaVersion": "2.0", "UserArguments": {"by": "hand"}}
    jobs.ended(operation={"LambdaInvoke": invoke}, wanted={"ObjectSizeGreaterThanBytes": 8})
    (event,) = jobs.events
    assert (event["invocationSchemaVersion"], event["job"]["userArguments"]) == ("2.0", {"by": "hand"})
    assert event["tasks"][0]["s3Bucket"] == "source" and "s3BucketArn" not in event["tasks"][0]


def csv_manifest(jobs, text, *fields):
    etag = jobs.s3.put_object(Bucket="manifests", Key="list.csv", Body=text.encode())["ETag"]
    spec = {"Format": "S3BatchOperations_CSV_20180820", "Fields": list(fields)}
    return {"Spec": spec, "Location": {"ObjectArn": "arn:aws:s3:::manifests/list.csv", "ETag": etag}}


def test_csv_manifest_is_read_with_the_permissions_of_the_role(jobs):
    manifest = csv_manifest(jobs, "source,a%20b,v1\nsource,x,v2\n", "Bucket", "Key", "VersionId")
    assert counts(jobs.ended(Manifest=manifest)) == (2, 2, 0)
    tasks = [event["tasks"][0] for event in jobs.events]
    assert {(task["s3Key"], task["s3VersionId"]) for task in tasks} == {("a%20b", "v1"), ("x", "v2")}
    blind = jobs.ended(Manifest=manifest, role=jobs.role("blind", without=["s3:GetObject"]))
    assert (blind["Status"], blind["FailureReasons"][0]["FailureCode"]) == ("Failed", "ManifestNotAccessible")


def test_csv_manifest_without_a_field_fails_the_job(jobs):
    job = jobs.ended(Manifest=csv_manifest(jobs, "source,x\nsource\n", "Bucket", "Key"))
    assert (job["Status"], job["FailureReasons"][0]["FailureCode"]) == ("Failed", "InvalidManifestContent")
    assert not jobs.events


@pytest.mark.parametrize(
    ("answers", "invocations", "row"),
    [
        (["TemporaryFailure", "Succeeded"], 2, ["succeeded", "200", "", "Succeeded of folder/x"]),
        (["throttled", "Succeeded"], 2, ["succeeded", "200", "", "Succeeded of folder/x"]),
        (["TemporaryFailure"], 3, ["failed", "200", "PermanentFailure", "TemporaryFailure of folder/x"]),
        (["PermanentFailure"], 1, ["failed", "200", "PermanentFailure", "PermanentFailure of folder/x"]),
        (["none"], 1, ["failed", "200", "PermanentFailure", ""]),
        (
            ["error"],
            3,
            ["failed", "200", "PermanentFailure", 'Lambda returned function error: {"errorMessage": "broken"}'],
        ),
    ],
)
def test_answer_decides_whether_a_task_is_repeated_and_what_the_report_says(jobs, answers, invocations, row):
    jobs.answers["folder/x"] = answers
    job = jobs.ended(wanted={"KeyNameConstraint": {"MatchAnySuffix": ["x"]}})
    assert (job["Status"], len(jobs.events)) == ("Complete", invocations)
    assert jobs.report(job)["folder/x"][3:] == row


def test_job_fails_if_more_than_half_of_many_tasks_failed(jobs, monkeypatch):
    monkeypatch.setattr(run, "THRESHOLD_TASKS", 4)
    monkeypatch.setattr(run, "CONCURRENCY", 1)
    rows = "".join(f"source,{number}\n" for number in range(200))
    jobs.answers.update({str(number): ["PermanentFailure"] for number in range(1, 200)})
    job = jobs.ended(Manifest=csv_manifest(jobs, rows, "Bucket", "Key"))
    assert (job["Status"], job["FailureReasons"][0]["FailureCode"]) == ("Failed", "FailureThresholdExceeded")
    assert counts(job)[1] == 1 and 3 <= counts(job)[2] < 199
    assert len(jobs.report(job)) == sum(counts(job)[1:])


@pytest.mark.parametrize(
    ("missing", "status", "reason"),
    [
        ("s3:PutInventoryConfiguration", "Failed", "s3:PutInventoryConfiguration"),
        ("s3:PutObject", "Failed", "AccessDenied"),
        ("lambda:InvokeFunction", "Complete", None),
    ],
)
def test_job_has_only_the_permissions_of_its_role(jobs, missing, status, reason):
    job = jobs.ended(role=jobs.role(f"without-{missing.replace(':', '-')}", without=[missing]))
    assert job["Status"] == status
    if reason:
        assert reason in job["FailureReasons"][0]["FailureReason"]
    else:
        assert counts(job) == (3, 0, 3)
        assert jobs.report(job)["folder/x"][3:6] == ["failed", "403", "AccessDenied"]


def test_role_of_another_service_fails_the_job(jobs):
    job = jobs.ended(role=jobs.role("other", service="lambda.amazonaws.com"))
    assert job["Status"] == "Failed" and "cannot be assumed" in job["FailureReasons"][0]["FailureReason"]


def test_job_waits_for_its_confirmation(jobs):
    job = jobs.create(ConfirmationRequired=True)
    assert counts(jobs.in_status(job, "Suspended")) == (3, 0, 0)
    assert not jobs.events
    jobs.update(job, "Ready")
    assert counts(jobs.in_status(job, "Complete")) == (3, 3, 0)


def test_cancelled_job_starts_no_more_tasks_and_reports_those_that_ran(jobs, monkeypatch):
    monkeypatch.setattr(run, "CONCURRENCY", 1)
    released = threading.Event()
    jobs.invoke = lambda event: released.wait(10) and jobs.answer(event)
    job = jobs.create()
    eventually(lambda: jobs.events)
    assert jobs.describe(job)["Status"] == "Active"
    jobs.update(job, "Cancelled")
    assert jobs.describe(job)["Status"] == "Cancelling"
    released.set()
    cancelled = jobs.in_status(job, "Cancelled")
    assert counts(cancelled) == (3, 1, 0) and len(jobs.report(cancelled)) == 1


def checksum(algorithm):
    operation = {"S3ComputeObjectChecksum": {"ChecksumAlgorithm": algorithm, "ChecksumType": "FULL_OBJECT"}}
    return {"operation": operation, "report": {"ExpectedBucketOwner": ACCOUNT}}


@pytest.mark.parametrize("algorithm", ["CRC32", "MD5", "SHA1", "SHA256"])
def test_checksum_of_each_object_is_in_the_report_in_the_form_of_aws(jobs, algorithm):
    """Amazon S3 User Guide, "Examples: S3 Batch Operations completion reports", Compute checksum task report."""
    job = jobs.ended(**checksum(algorithm))
    assert (job["Status"], counts(job), jobs.events) == ("Complete", (3, 3, 0), [])
    body = b"folder/x"
    digest = zlib.crc32(body).to_bytes(4, "big") if algorithm == "CRC32" else hashlib.new(algorithm, body).digest()
    text = base64.b64encode(digest).decode().replace("=", r"\u003d")
    assert jobs.report(job)["folder/x"] == [
        *("source", "folder/x", "", "succeeded", "200", ""),
        f'{{"checksum_base64":"{text}","etag":"{hashlib.md5(body).hexdigest()}","checksumAlgorithm":"{algorithm}",'
        f'"checksumType":"FULL_OBJECT","checksum_hex":"{digest.hex().upper()}"}}',
    ]


def test_checksum_of_an_archived_object_needs_no_restore(jobs):
    place = {"Bucket": "source", "Key": "archived"}
    jobs.s3.put_object(**place, Body=b"1", StorageClass="GLACIER")
    job = jobs.ended(**checksum("SHA256"), wanted={"MatchAnyStorageClass": ["GLACIER"]})
    jobs.s3.delete_object(**place)
    assert json.loads(jobs.report(job)["archived"][-1])["checksum_hex"] == hashlib.sha256(b"1").hexdigest().upper()


def test_object_that_is_gone_is_a_failed_task_in_the_form_of_aws(jobs):
    job = jobs.ended(Manifest=csv_manifest(jobs, "source,gone\n", "Bucket", "Key"), **checksum("SHA256"))
    *row, message = jobs.report(job)["gone"]
    assert row == ["source", "gone", "", "failed", "200", "PermanentFailure"]
    assert message.startswith('error details: {"failureMessage":"Task ')
    assert message.endswith(' Key not found", "errorCode": "404"}')


@pytest.mark.parametrize("missing", ["s3:GetObject", "s3:RestoreObject", "kms:Decrypt"])
def test_checksum_needs_each_permission_of_the_documentation(jobs, missing):
    place, key = {"Bucket": "source", "Key": "key"}, PERMISSIONS["kms:Decrypt"]
    jobs.s3.put_object(**place, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    role = jobs.role(f"no-checksum-{missing.replace(':', '-')}", without=[missing])
    job = jobs.ended(role=role, **checksum("SHA256"))
    jobs.s3.delete_object(**place)
    assert f"does not permit {missing} on arn:aws:" in jobs.report(job)["key"][-1]


def test_checksums_without_an_expected_owner_of_the_report_are_refused(jobs):
    with pytest.raises(ClientError, match="needs an expected bucket owner"):
        jobs.create(**{**checksum("SHA256"), "report": {}})
