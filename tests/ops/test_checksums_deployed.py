"""`brigade check --checksums` on the real Terraform, with the role that it makes and one of the other partition."""

import pytest
from moto.s3.models import s3_backends

from local.demo.mirror import DESTINATION_REGION, SOURCE
from tests.local.lambda_deployment import eventually
from tests.ops.deployed import command_for, deployed_mirror
from tests.support.snippets import blocks

REPORTS = "reports-of-checksums"
KEYS = ("equal", "odd key+é%20/\n🪣", "damaged")


@pytest.fixture(name="mirror")
def mirror_of_all_keys(tmp_path, monkeypatch):
    with deployed_mirror(tmp_path, monkeypatch, upload_validate_enabled=False) as mirror:
        yield mirror


@pytest.fixture(name="brigade")
def command(mirror, tmp_path, capsys):
    return command_for(mirror, tmp_path, capsys)


def prepare_destination(mirror):
    """Create the role and the bucket as the page says; return the options that name them."""
    aws, there = mirror.stack.aws, mirror.stack.aws.administrator(DESTINATION_REGION)
    place = {"LocationConstraint": DESTINATION_REGION}
    mirror.destination.create_bucket(Bucket=REPORTS, CreateBucketConfiguration=place)
    names = {"ACCOUNT": aws.account_id, "MIRROR": mirror.outputs["destination_bucket"], "REPORTS": REPORTS}
    trust, policy = (text for language, text in blocks("docs/brigade.md") if language == "json")
    for placeholder, name in names.items():
        trust, policy = trust.replace(placeholder, name), policy.replace(placeholder, name)
    iam = aws.client("iam", **there)
    role = iam.create_role(RoleName="checksums", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="checksums", PolicyName="job", PolicyDocument=policy)
    return "--destination-job-role", role, "--destination-reports", REPORTS


def damage(mirror, key):
    """Change a byte of the mirror's object beneath its ETag, as no request can."""
    backend = s3_backends[mirror.stack.aws.account_id]["aws-us-gov"]
    backend.get_object(mirror.outputs["destination_bucket"], key).value = b"DAMAGED"


def differences(brigade):
    return {each["key"]: (each["result"], each["cause"]) for each in brigade.records if each["type"] == "difference"}


@pytest.mark.long
def test_damaged_bytes_are_found_on_the_deployed_mirror_and_copied_again(mirror, brigade):
    for key in KEYS:
        mirror.source.put_object(Bucket=SOURCE, Key=key, Body=key.encode())
    eventually(lambda: brigade("check") == 0, 120)
    there = prepare_destination(mirror)
    assert brigade("check", "--checksums", *there, "--dry-run") == 0, brigade.err
    assert [each["objects"] for each in brigade.records] == [len(KEYS), len(KEYS)]
    assert brigade("check", "--checksums", *there) == 0, brigade.err
    ended = [(each["side"], each["status"], each["succeeded"], each["failed"]) for each in brigade.records[2:4]]
    assert ended == [("source", "Complete", 3, 0), ("destination", "Complete", 3, 0)]

    damage(mirror, "damaged")
    assert brigade("check", "--deep") == 0
    assert brigade("check", "--checksums", *there) == 1
    assert differences(brigade) == {"damaged": ("different", "damaged")}

    place = {"Bucket": mirror.outputs["destination_bucket"], "Key": "damaged"}
    version = mirror.destination.head_object(**place)["VersionId"]
    mirror.destination.delete_object(**place, VersionId=version)
    assert brigade("check", "--lag", "0", "--repair") == 0, brigade.out + brigade.err
    assert brigade("check", "--checksums", *there) == 0, brigade.out + brigade.err
