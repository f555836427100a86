"""Buckets and their objects after a task is disabled or a deployment is destroyed."""

import os
import shutil

import pytest

from local import terraform
from local.deployment import PARALLELISM
from local.embedded_aws import EmbeddedAws
from local.terraform import DeploymentError

pytestmark = pytest.mark.skipif(
    not shutil.which("terraform") and os.environ.get("CI") != "true", reason="Terraform is not installed"
)

BUCKETS = ("module.archive_copy_source_bucket", "module.archive_copy_archive_bucket")
BUCKET = "module.archive_copy_source_bucket[0].aws_s3_bucket"
AN_EMPTY_ZIP = b"PK\x05\x06" + bytes(18)


@pytest.fixture(name="aws")
def started_aws():
    with EmbeddedAws() as aws:
        yield aws


def initialise(aws, folder, **variables):
    (folder / "archive_copy.zip").write_bytes(AN_EMPTY_ZIP)
    return terraform.initialise(aws, folder / "work", {"package_dir": str(folder), **variables})


def apply(deployment, *flags):
    return deployment.run("apply", "-auto-approve", "-input=false", "-no-color", f"-parallelism={PARALLELISM}", *flags)


def targets(*addresses):
    return [f"-target={address}" for address in addresses]


def planned(deployment, *flags):
    lines = list(deployment.stream("plan", "-input=false", "-json", *flags))
    return next(line["changes"] for line in lines if line["type"] == "change_summary")


def bucket_of(aws, use):
    return f"bucket-brigade-{aws.account_id}-{aws.region}-{use}"


def configuration(s3, bucket):
    """Return the configuration that a destroy removes before AWS refuses to delete the bucket."""
    return {
        "versioning": s3.get_bucket_versioning(Bucket=bucket)["Status"],
        "policy": s3.get_bucket_policy(Bucket=bucket)["Policy"],
        "access": s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
        "life cycle": s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"],
    }


def versions(s3, bucket):
    return [found["Key"] for found in s3.list_object_versions(Bucket=bucket).get("Versions", [])]


@pytest.mark.long
def test_buckets_of_a_disabled_task_keep_their_objects_and_configuration(aws, tmp_path):
    deployment, s3, bucket = initialise(aws, tmp_path), aws.client("s3"), bucket_of(aws, "source")
    apply(deployment, *targets(*BUCKETS))
    for body in (b"first", b"second"):
        s3.put_object(Bucket=bucket, Key="key", Body=body)
    before = configuration(s3, bucket)

    # A deployment from before the protection of buckets has another address for its bucket.
    deployment.run("state", "mv", f"{BUCKET}.protected[0]", f"{BUCKET}.this")
    assert planned(deployment, *targets(*BUCKETS)) | {"operation": None} == {
        "add": 0,
        "change": 0,
        "import": 0,
        "remove": 0,
        "operation": None,
    }
    for change in ("-var=archive_copy_enabled=false", "-destroy"):
        with pytest.raises(DeploymentError, match="prevent_destroy"):
            apply(deployment, change)
        assert (configuration(s3, bucket), versions(s3, bucket)) == (before, ["key", "key"])

    # The commands of terraform/README.md.
    deployment.run("state", "rm", *BUCKETS)
    apply(deployment, "-var=archive_copy_enabled=false")
    assert (configuration(s3, bucket), versions(s3, bucket)) == (before, ["key", "key"])


@pytest.mark.long
def test_disposable_deployment_is_destroyed_with_its_objects(aws, tmp_path):
    deployment = initialise(aws, tmp_path, disposable_buckets=True)
    s3, bucket = aws.client("s3"), bucket_of(aws, "source")
    # Without the life-cycle configuration, for which the provider waits a minute.
    apply(deployment, *targets(f"{BUCKET}.disposable", f"{BUCKET}_versioning.this"))
    for body in (b"first", b"second"):
        s3.put_object(Bucket=bucket, Key="key", Body=body)
    s3.delete_object(Bucket=bucket, Key="key")
    apply(deployment, "-destroy")
    assert s3.list_buckets()["Buckets"] == []
