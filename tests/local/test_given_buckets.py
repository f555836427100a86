"""Existing buckets that are given to Terraform: it looks them up before it creates anything."""

import pytest

from local.terraform import DeploymentError
from tests.local.test_protected_buckets import initialise, planned, pytestmark, started_aws

__all__ = ["pytestmark", "started_aws"]

ARCHIVE = "bucket-of-my-own"
ARCHIVES = {"all": {"extensions": ["other"], "bucket": ARCHIVE}}


@pytest.mark.long
def test_plan_requires_an_existing_bucket_unless_its_owner_is_given(aws, tmp_path):
    deployment, s3 = initialise(aws, tmp_path, archive_copy_archives=ARCHIVES), aws.client("s3")
    with pytest.raises(DeploymentError, match=rf"S3 Bucket \({ARCHIVE}\)[\s\S]*archive_copy_archives.all"):
        deployment.run("apply", "-auto-approve", "-input=false", "-no-color")
    assert s3.list_buckets()["Buckets"] == []
    assert planned(deployment, f'-var=bucket_owners={{ {ARCHIVE} = "{aws.account_id}" }}')["add"] > 0

    s3.create_bucket(Bucket=ARCHIVE, CreateBucketConfiguration={"LocationConstraint": aws.region})
    assert planned(deployment)["add"] > 0
