"""The bucket of packages: the demo deploys the zips by their hashes, as from a build."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from local.embedded_aws import EmbeddedAws
from scripts.dist_index import read_index
from scripts.upload import DEFAULT_KMS_KEY, Destination, upload

BUCKET = "bucket-brigade-demo-packages"


def prepare(aws: EmbeddedAws, dist: Path) -> dict[str, Any]:
    """Upload the zips of `make dist`.

    With zips in S3, the provider makes all functions at once; from files, it makes one after the other.

    Returns:
        The Terraform variables that name them.

    Raises:
        ScriptError: Nothing is built.
    """
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": aws.region})
    with redirect_stdout(io.StringIO()):
        upload(s3, dist=dist, to=Destination(BUCKET, "", "demo", DEFAULT_KMS_KEY, "demo"))
    return {
        "package_bucket": BUCKET,
        "package_hashes": {package.task: package.hash for package in read_index(dist).packages},
    }
