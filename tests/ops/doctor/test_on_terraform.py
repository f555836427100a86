"""`brigade doctor` on the real Terraform: it finds nothing, then each planted fault; and `needs.py` is complete."""

import json
import os
import shutil

import boto3
import pytest

from local.demo.mirror import DESTINATION_REGION, SOURCE
from local.terraform import profiles
from ops.doctor.names import names_of, names_of_destination
from ops.doctor.needs import needs_of
from ops.doctor.subjects import functions, identities, writers
from tests.ops.conftest import Run
from tests.ops.doctor.on_terraform import deployed

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not shutil.which("terraform") and os.environ.get("CI") != "true", reason="no Terraform"),
]

KEYS = [f"arn:aws:kms:eu-west-1:123456789012:key/{name}" for name in ("own", "read", "archive", "final")]
OWN, READ, ARCHIVE, FINAL = KEYS
KMS = {
    "kms_key_arn": OWN,
    "archive_copy_source_kms_key_arns": [READ],
    "partition_replicate_source_kms_key_arns": [READ],
    "upload_validate_upload_kms_key_arns": [READ],
    "upload_validate_final_kms_key_arns": [FINAL],
    "upload_validate_quarantine_kms_key_arns": [FINAL],
    "partition_replicate_destination_kms_key_arn": ARCHIVE,
}
WRITE_KEYS = {"upload_validate": [FINAL]}
OTHERS = {
    "archive_copy_annotations": "ignore",
    "archive_copy_older_versions": "allow",
    "partition_replicate_annotations": "ignore",
    "partition_replicate_versions": "current",
    "upload_validate_superseded_files": "remove",
    "upload_validate_profile": "table-schema",
    "upload_validate_table_schema": "s3://bucket-brigade-demo-measurements/schema.json",
    "upload_validate_webhook_url": "ssm:hook",
}


@pytest.fixture(name="stage", scope="module")
def deployed_stage(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("doctor")) as stage:
        yield stage


@pytest.fixture(name="doctor")
def command_on_the_stage(stage, capsys, monkeypatch):
    """Return a function that runs the command, and returns the status, and the (check, verdict) of what is not ok."""
    # A shared session keeps the credentials of other tests.
    monkeypatch.setattr("ops.aws.boto3.Session", boto3.session.Session)
    keys = stage.aws.admin_credentials
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["aws_secret_access_key"])
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profiles(stage.terraform.folder)))
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    brigade = Run(capsys, ["--outputs", str(stage.outputs), "--region", stage.aws.region])

    def run(*options):
        status = brigade("doctor", "--json", "--endpoint-url", stage.aws.endpoint_url, *options)
        assert brigade.err == ""
        found = [each for each in brigade.records if each["verdict"] != "ok"]
        return status, {(each["check"], each["verdict"], each["sentence"], each["command"]) for each in found}

    return run


PROFILE = ("--destination-profile", "mirror")


def pairs_of_policy(policy):
    return {
        (action, resource)
        for statement in json.loads(policy)["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def pairs_of_needs(kind, names):
    return {(action, arn) for need, arns in needs_of(kind, names) for action in need.actions for arn in arns}


def configuration_in(plan, function):
    """Return the configuration that a function would have."""
    made = plan[f"{function.module}.aws_lambda_function.this"]
    return {
        "FunctionArn": f"arn:aws:lambda:eu-west-1:123456789012:function:{function.label}",
        "Environment": {"Variables": made["environment"][0]["variables"]},
        "LoggingConfig": {"LogGroup": made["logging_config"][0]["log_group"]},
        "KMSKeyArn": made["kms_key_arn"],
    }


@pytest.mark.parametrize("variables", [{}, KMS, OTHERS], ids=["default", "keys", "other settings"])
def test_needs_are_what_terraform_allows(stage, variables):
    plan = stage.planned(**variables)
    reads = [READ] if variables is KMS else []
    for function in functions(stage.deployed()):
        names = names_of(function, configuration_in(plan, function))
        names |= {"read_keys": reads if function.kind != "partition_replicate_enqueue" else []}
        names |= {"write_keys": WRITE_KEYS.get(function.kind, []) if reads else []}
        allowed = pairs_of_policy(plan[f"{function.module}.aws_iam_role_policy.this"]["policy"])
        assert pairs_of_needs(function.kind, names) == allowed, function.kind
    key = variables.get("partition_replicate_destination_kms_key_arn")
    for identity in identities(stage.deployed()):
        names = names_of_destination(identity, configuration_in(plan, identity.function), "aws-us-gov", key)
        allowed = pairs_of_policy(plan[f"aws_iam_role_policy.{identity.kind}[0]"]["policy"])
        assert pairs_of_needs(identity.kind, names) == allowed, identity.kind


def test_needs_are_what_terraform_allows_the_user(stage):
    plan = stage.planned(partition_replicate_credentials="access_key")
    (writer,) = writers(stage.deployed())
    configuration = stage.aws.client("lambda").get_function_configuration(FunctionName=writer.label)
    names = names_of_destination(writer, configuration, "aws-us-gov", None)
    allowed = pairs_of_policy(plan["aws_iam_user_policy.partition_replicate[0]"]["policy"])
    assert pairs_of_needs(writer.kind, names) == allowed


def test_doctor_finds_nothing_wrong_with_a_fresh_deployment(doctor):
    status, found = doctor(*PROFILE)
    assert (status, {each[:2] for each in found}) == (0, {("conditional requests", "unknown")})


def test_each_planted_fault_is_found_and_nothing_else(stage, doctor):
    plant(stage)
    plant_at_destination(stage)
    status, found = doctor(*PROFILE)
    commands = {check: command for check, verdict, _, command in found if verdict != "unknown"}
    assert status == 1 and {each[:2] for each in found} == {
        ("conditional requests", "unknown"),
        ("destination permissions", "problem"),
        ("destination role", "problem"),
        ("entries", "problem"),
        ("eventbridge", "problem"),
        ("mapping", "problem"),
        ("permissions", "problem"),
        ("versioning", "warning"),
    }
    assert commands["permissions"] == "terraform apply -target='module.archive_copy[0].aws_iam_role_policy.this'"
    assert commands["destination permissions"].endswith("'aws_iam_role_policy.mirror_check_destination[0]'")
    assert commands["destination role"] == "terraform apply -target='aws_iam_role.mirror_check_destination[0]'"
    assert commands["mapping"].startswith("aws lambda update-event-source-mapping --enabled --uuid ")
    assert "lacks s3:PutObject on" in next(each[2] for each in found if each[0] == "permissions")


def plant(stage):
    """Turn EventBridge off, disable a mapping, and take a permission, versioning and a secret away."""
    aws, deployment = stage.aws, stage.deployed()
    archive = deployment.archives[0]
    aws.client("s3").put_bucket_notification_configuration(Bucket=SOURCE, NotificationConfiguration={})
    aws.client("s3").put_bucket_versioning(Bucket=archive.archives[0], VersioningConfiguration={"Status": "Suspended"})
    lambda_ = aws.client("lambda")
    name = deployment.uploads[0].function
    mapping = lambda_.list_event_source_mappings(FunctionName=name)["EventSourceMappings"][0]
    lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    aws.client("secretsmanager").delete_secret(SecretId="demo/webhook", ForceDeleteWithoutRecovery=True)
    role = lambda_.get_function_configuration(FunctionName=archive.function)["Role"].rpartition("/")[2]
    policy = aws.client("iam").get_role_policy(RoleName=role, PolicyName="task")["PolicyDocument"]
    for statement in policy["Statement"]:
        statement["Action"] = [action for action in statement["Action"] if action != "s3:PutObject"]
    aws.client("iam").put_role_policy(RoleName=role, PolicyName="task", PolicyDocument=json.dumps(policy))


def plant_at_destination(stage):
    """Let the role of the scheduled check trust the mirror's function, and take a permission away."""
    lambda_, deployment = stage.aws.client("lambda"), stage.deployed()
    mirror, check = (
        lambda_.get_function_configuration(FunctionName=name)
        for name in (deployment.mirrors[0].replicate, deployment.checks[0].function)
    )
    role = check["Environment"]["Variables"]["DEST_ROLE_ARN"].rpartition("/")[2]
    iam = stage.aws.client("iam", **stage.aws.administrator(DESTINATION_REGION))
    trust = json.dumps(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust.replace(check["Role"], mirror["Role"]))
    policy = json.dumps(iam.get_role_policy(RoleName=role, PolicyName="task")["PolicyDocument"])
    policy = policy.replace("s3:ListBucketMultipartUploads", "s3:GetBucketVersioning")
    iam.put_role_policy(RoleName=role, PolicyName="task", PolicyDocument=policy)
