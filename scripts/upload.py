"""Upload the packages of `make dist`: `python -m scripts.upload [TASK]`, in the checkout's folder."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts.dist_index import Index, Package, read_index
from scripts.errors import ScriptError, exit_status
from scripts.object_keys import manifest_key, package_prefix, zip_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The AWS-managed key for S3, which every account has.
DEFAULT_KMS_KEY = "alias/aws/s3"


@dataclass(frozen=True)
class Destination:
    """The destination of packages.

    Attributes:
        bucket: The S3 bucket.
        prefix: The prefix of the keys; "" or ending with "/".
        environment: The label of the newest build, as in "prod".
        kms_key_id: The encryption key: its id, alias or ARN.
        commit: The revision of the sources, for the objects' metadata.
    """

    bucket: str
    prefix: str
    environment: str
    kms_key_id: str
    commit: str


def destination(environ: Mapping[str, str], root: Path) -> Destination | None:
    """Read the destination from the environment; None if `ENVIRONMENT` or `PACKAGE_BUCKET` is not set.

    Raises:
        ScriptError: `PACKAGE_PREFIX` is not a valid prefix.
    """
    prefix = package_prefix(environ)
    bucket, environment = environ.get("PACKAGE_BUCKET"), environ.get("ENVIRONMENT")
    if not bucket or not environment:
        return None
    kms_key_id = environ.get("PACKAGE_KMS_KEY_ID") or DEFAULT_KMS_KEY
    return Destination(bucket, prefix, environment, kms_key_id, _commit(environ, root))


def upload(s3: "S3Client", *, dist: Path, to: Destination, task: str = "") -> None:
    """Upload each zip of `dist/`, and the manifest of several zips, under its hash and under the environment.

    Args:
        s3: A boto3 S3 client.
        dist: The folder with `packages.json` and the zips.
        to: The destination.
        task: The only task that `dist/` should hold, or "" for any.

    Raises:
        ScriptError: Nothing is built, other tasks are, or a zip differs from `packages.json`.
    """
    index = read_index(dist, task)
    for package in index.packages:
        keys = [zip_key(to.prefix, package.task, label) for label in (package.hash, to.environment)]
        _publish(s3, keys, _zip_bytes(dist, package), to=to, build_hash=package.hash)
    if len(index.packages) > 1:
        keys = [manifest_key(to.prefix, label) for label in (index.hash, to.environment)]
        _publish(s3, keys, _manifest(index, to.prefix), to=to, build_hash=index.hash)


def _commit(environ: Mapping[str, str], root: Path) -> str:
    # CodeBuild may fetch the sources without the Git history.
    resolved = environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION")
    if resolved:
        return resolved
    git = ["git", "rev-parse", "--quiet", "--verify", "HEAD"]
    try:
        finished = subprocess.run(git, cwd=root, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return finished.stdout.strip() or "unknown"


def _zip_bytes(dist: Path, package: Package) -> bytes:
    file = dist / package.zip
    content = file.read_bytes() if file.is_file() else b""
    if hashlib.sha256(content).hexdigest() != package.sha256:
        raise ScriptError(f"dist/{package.zip} is not the zip that packages.json names: run `make dist` again")
    return content


def _manifest(index: Index, prefix: str) -> bytes:
    tasks = {
        item.task: {"hash": item.hash, "key": zip_key(prefix, item.task, item.hash), "sha256": item.sha256}
        for item in index.packages
    }
    return (json.dumps({"hash": index.hash, "tasks": tasks}, indent=2) + "\n").encode()


def _publish(s3: "S3Client", keys: list[str], content: bytes, *, to: Destination, build_hash: str) -> None:
    by_hash, by_environment = keys
    sha256 = hashlib.sha256(content)
    # The hash ignores bytecode, so two zips of one hash may differ. The first one stays: deployments use it.
    exists = _exists(s3, to.bucket, by_hash, build_hash=build_hash)
    for key in [by_environment] if exists else [by_hash, by_environment]:
        s3.put_object(
            Bucket=to.bucket,
            Key=key,
            Body=content,
            ContentType="application/json" if key.endswith(".json") else "application/zip",
            ChecksumSHA256=base64.b64encode(sha256.digest()).decode(),
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=to.kms_key_id,
            Metadata={"hash": build_hash, "commit": to.commit, "sha256": sha256.hexdigest()},
        )
        print(f"s3://{to.bucket}/{key}")


def _exists(s3: "S3Client", bucket: str, key: str, *, build_hash: str) -> bool:
    try:
        return s3.head_object(Bucket=bucket, Key=key)["Metadata"].get("hash") == build_hash
    except ClientError as error:
        # S3 answers 403 for an absent key if the role may not list the bucket.
        if error.response["Error"]["Code"] in ("403", "404"):
            return False
        raise


def main() -> None:
    """Upload the packages if the environment names a destination.

    Raises:
        ScriptError: The upload failed.
    """
    root = Path.cwd()
    to = destination(os.environ, root)
    if to is None:
        print("Nothing is uploaded: ENVIRONMENT and PACKAGE_BUCKET are not both set.")
        return
    try:
        upload(boto3.client("s3"), dist=root / "dist", to=to, task="".join(sys.argv[1:]))
    except (BotoCoreError, ClientError) as error:
        raise ScriptError(f"the upload to s3://{to.bucket}/{to.prefix} failed: {error}") from error


if __name__ == "__main__":
    sys.exit(exit_status(main))
