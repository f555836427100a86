"""What is gone is one finding, however many checks would look at it."""

import json

import pytest

from ops.doctor.commands import apply
from ops.doctor.names import names_of
from tests.ops.conftest import ARCHIVE, MIRROR, REGION, RESTORED, SOURCE
from tests.ops.doctor.conftest import ROLES, policy_of, statements_of, statements_of_destination


def verdicts(run):
    """Return check and verdict of each finding; only a write shows whether the destination compares first."""
    return sorted((each["check"], each["verdict"]) for each in run.found if each["check"] != "conditional requests")


def delete_role_of(world, kind):
    """Delete the role of a function at the destination."""
    world.far_iam.delete_role_policy(RoleName=ROLES[kind], PolicyName="task")
    world.far_iam.delete_role(RoleName=ROLES[kind])


def test_what_is_gone_is_found_once(doctor, world):
    upload = world.functions["upload_validate"]
    world.lambda_.delete_function(FunctionName=upload.label)
    world.dynamodb.delete_table(TableName="outcomes")
    world.s3.delete_bucket(Bucket=RESTORED)
    letters = world.deployment.archives[0].queues[0].dead_letters
    world.sqs.delete_queue(QueueUrl=letters)
    world.events.remove_targets(Rule="mirror", Ids=["1"])
    delete_role_of(world, "partition_replicate")

    run = doctor("problem", "warning", "unknown")
    gone = "bucket", "destination role", "function", "queue", "rule", "table"
    assert verdicts(run) == [(check, "problem") for check in gone]
    commands = {each["check"]: each["command"] for each in run.found}
    assert commands["bucket"] == f"aws s3 mb s3://{RESTORED} --region {REGION}"
    assert commands["destination role"] == apply("aws_iam_role.partition_replicate_destination[0]")
    assert commands["function"] == "terraform apply -target='module.upload_validate[0]'"
    assert commands["queue"] == "terraform apply -target='module.archive_copy_queue[0].aws_sqs_queue.dead_letters'"


@pytest.mark.long
def test_bucket_of_another_account_and_role_that_is_gone(doctor, world):
    world.set("archive_copy", BUCKET_OWNERS=json.dumps({"*": "123456789012", ARCHIVE: "1" * 12}))
    name = world.functions["upload_validate"].label
    world.iam.delete_role_policy(RoleName=name, PolicyName="task")
    world.iam.delete_role(RoleName=name)
    run = doctor()
    assert verdicts(run) == [("bucket", "problem"), ("permissions", "problem")]
    said = {each["check"]: each["sentence"] for each in run.found}
    assert said["bucket"] == "it does not belong to account 111111111111, so every request is refused"
    assert said["permissions"].endswith(f":role/{name} does not exist")


def test_role_of_the_check_that_is_gone_is_found_once(doctor, world):
    delete_role_of(world, "mirror_check")
    run = doctor()
    assert verdicts(run) == [("destination role", "problem")]
    (found,) = run.found
    assert (found["task"], found["subject"]) == ("mirror_check", world.functions["mirror_check"].label)
    assert found["command"] == apply("aws_iam_role.mirror_check_destination[0]")


def test_key_of_the_mirror_is_needed_for_decryption_by_the_check(doctor, world):
    key = world.far_kms.create_key()["KeyMetadata"]["Arn"]
    world.set("partition_replicate", DEST_KMS_KEY=key)
    run = doctor()
    said = {each["task"]: each["sentence"] for each in run.found if each["check"] == "destination permissions"}
    assert len(run.found) == len(said) == 2
    assert said["partition_replicate"].endswith(f"lacks kms:Decrypt, kms:GenerateDataKey on {key}: no policy allows it")
    assert said["mirror_check"].endswith(f"lacks kms:Decrypt on {key}: no policy allows it")

    for kind, role in ROLES.items():
        policy = policy_of(*statements_of_destination(world, kind, key))
        world.far_iam.put_role_policy(RoleName=role, PolicyName="task", PolicyDocument=policy)
    assert not doctor().found


def test_key_of_the_source_is_needed_for_decryption_by_the_check(doctor, world):
    key = world.kms.create_key()["KeyMetadata"]["Arn"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    world.s3.put_bucket_encryption(Bucket=SOURCE, ServerSideEncryptionConfiguration=rules)
    run = doctor()
    kinds = "partition_replicate", "mirror_check"
    assert verdicts(run) == [("permissions", "problem")] * 2
    assert {each["subject"] for each in run.found} == {world.functions[kind].label for kind in kinds}
    assert all(each["sentence"].endswith(f"lacks kms:Decrypt on {key}: no policy allows it") for each in run.found)

    for kind in kinds:
        names = names_of(world.functions[kind], world.configuration(kind)) | {"read_keys": [key]}
        world.allow(kind, *statements_of(kind, names))
    assert not doctor().found


@pytest.mark.long
def test_account_that_issues_no_tokens_is_found(doctor, world):
    world.iam.disable_outbound_web_identity_federation()
    run = doctor()
    assert verdicts(run) == [("federation", "problem")]
    assert run.found[0]["command"] == "aws iam enable-outbound-web-identity-federation"


@pytest.mark.long
@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ('{"accesskey": "AKIAX"}', "has no secretaccesskey"),
        ("hidden", "has no accesskey and no secretaccesskey"),
    ],
)
def test_secret_without_a_field_is_never_shown(doctor, world, describe, value, sentence):
    secret = world.secretsmanager.create_secret(Name="mirror", SecretString=value)["ARN"]
    for kind in ROLES:
        use_secret(world, kind, secret)
    describe("partition_replicate", secret=secret)

    run = doctor("problem", "warning", "unknown")
    assert verdicts(run) == [("secret", "problem")]
    assert run.found[0]["sentence"].endswith(sentence)
    options = f"--secret-id {secret} --secret-string file://key.json --region {REGION}"
    assert run.found[0]["command"] == f"aws secretsmanager put-secret-value {options}"
    assert "AKIAX" not in run.out and "hidden" not in run.out


def use_secret(world, kind, secret):
    """Let a function enter the destination with a secret, and not with a role."""
    world.set(kind, DEST_ROLE_ARN="", DEST_TOKEN_AUDIENCE="", DEST_SECRET=secret)
    names = names_of(world.functions[kind], world.configuration(kind))
    world.allow(kind, *statements_of(kind, names))


def make_user(world, *denied):
    """Make the user of the mirror, with all permissions that it needs but some; return the text of its secret."""
    world.far_iam.create_user(UserName="mirror", Path="/mirrors/")
    statements = [*statements_of_destination(world, "partition_replicate")]
    for statement in statements:
        statement["Action"] = [action for action in statement["Action"] if action not in denied]
    world.far_iam.put_user_policy(UserName="mirror", PolicyName="task", PolicyDocument=policy_of(*statements))
    key = world.far_iam.create_access_key(UserName="mirror")["AccessKey"]
    return json.dumps({"accesskey": key["AccessKeyId"], "secretaccesskey": key["SecretAccessKey"]})


def enter_with(world, describe, text):
    """Let both functions enter the destination with the key in a new secret; return the secret's ARN."""
    secret = world.secretsmanager.create_secret(Name="mirror", SecretString=text)["ARN"]
    for kind in ROLES:
        use_secret(world, kind, secret)
    describe("partition_replicate", secret=secret)
    return secret


def test_user_that_lacks_a_permission_at_the_destination_is_found(doctor, world, describe):
    text = make_user(world, "s3:PutObject", "s3:PutObjectTagging")
    enter_with(world, describe, text)
    run = doctor()
    assert verdicts(run) == [("destination permissions", "problem")]
    (found,) = run.found
    lacking = f"its user lacks s3:PutObject, s3:PutObjectTagging on arn:aws-us-gov:s3:::{MIRROR}/brigade-doctor"
    assert found["sentence"] == f"{lacking}: no policy allows it"
    assert found["command"] == apply("aws_iam_user_policy.partition_replicate[0]")
    assert not [value for value in json.loads(text).values() if value in run.out]


@pytest.mark.parametrize("key", ["AKIAX" * 4, "AKIAX"])
def test_key_that_no_user_has_is_found(doctor, world, describe, key):
    secret = enter_with(world, describe, json.dumps({"accesskey": key, "secretaccesskey": "hidden"}))
    run = doctor("problem", "unknown")
    assert verdicts(run) == [("destination permissions", "problem")]
    found = next(each for each in run.found if each["check"] == "destination permissions")
    assert found["sentence"] == f"the key in the secret {secret} belongs to no user of the mirror's account"
    assert found["command"].startswith(f"aws secretsmanager put-secret-value --secret-id {secret} ")
    assert key not in run.out and "hidden" not in run.out


def test_secret_that_is_being_deleted_is_found_once(doctor, world, describe, tmp_path, monkeypatch):
    profiles = tmp_path / "credentials"
    profiles.write_text("[far]\naws_access_key_id = a\naws_secret_access_key = b\n", encoding="utf-8")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profiles))
    secret = enter_with(world, describe, make_user(world))
    world.secretsmanager.delete_secret(SecretId=secret)
    run = doctor("problem", "warning", "unknown", options=("--destination-profile", "far"))
    assert verdicts(run) == [("secret", "problem")]
    assert run.found[0]["sentence"] == f"the secret {secret} is being deleted"


def test_user_of_a_store_is_not_looked_up(doctor, world, describe):
    enter_with(world, describe, json.dumps({"accesskey": "AKIAX" * 4, "secretaccesskey": "hidden"}))
    world.set("partition_replicate", DEST_ENDPOINT_URL="https://store.example.org")
    assert "destination permissions" not in doctor("ok", "problem", "unknown").checks


def test_user_that_has_all_permissions_is_fine(doctor, world, describe):
    enter_with(world, describe, make_user(world))
    run = doctor("ok")
    assert "its user may do all that it needs" in {each["sentence"] for each in run.found}
    assert not doctor().found


def test_check_with_another_secret_than_the_mirror_is_found(doctor, world, describe):
    text = make_user(world)
    old, new = (world.secretsmanager.create_secret(Name=name, SecretString=text)["ARN"] for name in ("old", "new"))
    use_secret(world, "partition_replicate", new)
    use_secret(world, "mirror_check", old)
    describe("partition_replicate", secret=new)
    run = doctor()
    assert verdicts(run) == [("secret", "problem")]
    assert run.found[0]["sentence"] == f"it uses {old}, and the mirror's function uses {new}"
    assert run.found[0]["command"] == apply("module.mirror_check[0].aws_lambda_function.this")

    use_secret(world, "mirror_check", new)
    assert not doctor().found


@pytest.mark.long
def test_key_that_cannot_be_used_is_found(doctor, world):
    key, other = (world.kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    world.s3.put_bucket_encryption(Bucket=ARCHIVE, ServerSideEncryptionConfiguration=rules)
    queue = world.deployment.uploads[0].queues[0].url
    world.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"KmsMasterKeyId": other})

    run = doctor()
    assert verdicts(run) == [("permissions", "problem"), ("queue key", "problem")]
    said = {each["check"]: each["sentence"] for each in run.found}
    assert said["permissions"].endswith(f"lacks kms:Decrypt, kms:GenerateDataKey on {key}: no policy allows it")
    assert "does not let s3.amazonaws.com use it" in said["queue key"]

    names = names_of(world.functions["archive_copy"], world.configuration("archive_copy")) | {"write_keys": [key]}
    world.allow("archive_copy", *statements_of("archive_copy", names))
    world.kms.disable_key(KeyId=key.rpartition("/")[2])
    run = doctor()
    assert verdicts(run) == [("bucket key", "problem"), ("queue key", "problem")]
    assert run.found[0]["command"] == f"aws kms enable-key --key-id {key} --region {REGION}"
