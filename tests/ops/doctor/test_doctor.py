import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ops.brigade import Brigade
from ops.commands.doctor import summary_of
from ops.doctor.checks import account
from ops.doctor.facts import Facts, permission_of
from ops.doctor.findings import Finding, Result, Verdict
from tests.ops.conftest import REGION
from tests.ops.doctor import faults
from tests.ops.doctor.test_documentation import documented_permissions

READS = re.compile(r"(Get|List|Describe|Head|Simulate)[A-Z]")
ONLY_WITH_SECRETS_AND_KEYS = {
    "iam:GetAccessKeyLastUsed",
    "iam:GetUser",
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "s3:GetObject",
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
}


@pytest.fixture(name="hear")
def listener_to_every_call(monkeypatch):
    """Return a function whose argument is called before each call: service as requests are signed for it, and name."""

    def hear(listener):
        original = boto3.session.Session.client

        def client(session, *arguments, **options):
            made = original(session, *arguments, **options)
            service = made.meta.service_model.signing_name
            made.meta.events.register("before-call", lambda model, **_: listener(service, model.name))
            return made

        monkeypatch.setattr(boto3.session.Session, "client", client)

    return hear


@pytest.mark.usefixtures("world")
def test_healthy_deployment_has_no_problem_and_is_only_read(doctor, hear):
    calls = set()
    hear(lambda *call: calls.add(call))
    run = doctor("problem", "warning", "unknown")
    # Only a write shows whether the destination compares before it copies.
    assert (run.status, run.checks) == (0, ["conditional requests"])
    assert run.found[0]["command"] == "brigade prove"
    assert all(READS.match(name) for _, name in calls), calls
    needed = {permission_of(*call) for call in calls if call != ("sts", "GetCallerIdentity")}
    assert needed == documented_permissions() - ONLY_WITH_SECRETS_AND_KEYS


def test_each_fault_gives_its_own_finding_with_its_command(doctor, world):
    wanted = [fault(world) for fault in faults.ALL]
    run = doctor()
    assert run.status == 1
    for check, verdict, sentence, command in wanted:
        same = [each for each in run.found if each["check"] == check and sentence in each["sentence"]]
        assert [each["verdict"] for each in same] == [verdict], (check, sentence, run.found)
        if isinstance(command, tuple):
            start, configuration = command
            assert same[0]["command"].startswith(start)
            assert json.loads(same[0]["command"].removeprefix(start).strip("'")) == configuration
        else:
            assert same[0]["command"] == command
    assert sorted(run.checks) == sorted(check for check, *_ in wanted)


@pytest.mark.usefixtures("world")
def test_check_that_may_not_look_is_unknown_and_names_its_permission(doctor, hear, brigade):
    def deny(service, name):
        if (service, name) not in {("sts", "GetCallerIdentity"), ("lambda", "GetFunctionConfiguration")}:
            denied = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
            raise ClientError(denied, name)

    hear(deny)
    run = doctor("problem", "warning", "unknown")
    assert run.status == 0 and {each["verdict"] for each in run.found} == {"unknown"}
    needed = {each["command"].removeprefix("allow ") for each in run.found if each["command"].startswith("allow ")}
    assert needed > {
        "s3:ListBucket",
        "s3:GetEncryptionConfiguration",
        "iam:SimulatePrincipalPolicy",
        "sqs:GetQueueAttributes",
    }
    assert needed <= documented_permissions()
    assert "Traceback" not in brigade.out


@pytest.mark.usefixtures("world")
def test_check_that_fails_leaves_the_others_alone(doctor, hear):
    def fail(_service, name):
        if name == "GetBucketEncryption":
            raise KeyError("an answer without a field")
        if name == "DescribeTable":
            raise EndpointConnectionError(endpoint_url="https://dynamodb")

    hear(fail)
    run = doctor("unknown", "ok")
    said = {each["check"]: each["sentence"] for each in run.found if each["verdict"] == "unknown"}
    assert said["encryption"].startswith("the check itself fails with KeyError: 'an answer without a field'")
    assert said["table"].startswith("Could not connect to the endpoint")
    assert len(run.found) - len(said) > 60


@pytest.mark.usefixtures("world")
def test_action_that_iam_cannot_simulate_leaves_the_others_alone(doctor, hear):
    refused = []

    def refuse(_service, name):
        if name == "SimulatePrincipalPolicy" and not refused:
            refused.append(name)
            raise ClientError({"Error": {"Code": "InvalidInput", "Message": "Invalid action"}}, name)

    hear(refuse)
    unknown = [each["sentence"] for each in doctor("unknown").found if each["check"] == "permissions"]
    assert unknown == [
        "IAM cannot simulate logs:CreateLogStream, logs:PutLogEvents: "
        "AWS refuses SimulatePrincipalPolicy with InvalidInput: Invalid action"
    ]


def test_caller_without_credentials_is_one_sentence_and_status_2(brigade, hear):
    def expire(service, name):
        if service == "sts":
            raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "The token is expired"}}, name)

    hear(expire)
    assert brigade("doctor") == 2
    assert brigade.err == "error: AWS refuses GetCallerIdentity with ExpiredToken: The token is expired\n"


@pytest.mark.parametrize(("seconds", "verdict"), [(10, "ok"), (200, "warning"), (400, "problem")])
def test_clock_is_compared_with_that_of_s3(monkeypatch, seconds, verdict):
    late = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    monkeypatch.setattr(Facts, "date_of_s3", lambda facts: late)
    (result,) = account.clock(Facts(Brigade()), None)
    assert result.verdict == verdict and bool(result.command) == (verdict != "ok")


def test_counts_of_the_last_line_agree_with_their_nouns():
    def summary(*verdicts):
        return summary_of([Finding("", "", "", Result(each, "")) for each in verdicts])

    several = (Verdict.WARNING, Verdict.WARNING, Verdict.UNKNOWN, Verdict.UNKNOWN, Verdict.OK)
    assert summary(*several) == "0 problems, 2 warnings, 2 unknown, 1 ok"
    assert summary(Verdict.PROBLEM) == "1 problem, 0 warnings, 0 unknown, 0 ok"


@pytest.mark.long
def test_table_shows_problems_first_and_hides_what_is_right(world, brigade):
    faults.no_recovery(world)
    faults.rule_disabled(world)
    assert brigade("doctor") == 1
    lines = brigade.out.splitlines()
    assert lines.index("partition_replicate") < lines.index("upload_validate") < len(lines) - 1
    assert [line.split()[0] for line in lines if ": archive-x-partition-replicate-enqueue: " in line] == ["problem"]
    assert f"           aws events enable-rule --name mirror --region {REGION}" in lines
    assert lines[-1].startswith("1 problem, 1 warning, 1 unknown, ")
