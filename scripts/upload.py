"""Upload what `make dist` built: `python -m scripts.upload`, in the checkout's folder."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts.dist_index import Index, Package, read_index
from scripts.errors import ScriptError, exit_status
from scripts.object_keys import manifest_key, package_prefix, zip_key

# The key that AWS itself keeps for S3 in every account.
DEFAULT_KMS_KEY = "alias/aws/s3"


@dataclass(frozen=True)
class Destination:
    """Where packages go and under which labels.

    Attributes:
        bucket: the S3 bucket.
        prefix: what its keys begin with; "" or ending with "/".
        environment: the label of the newest build, as in "prod".
        kms_key_id: what encrypts the objects: a key's id, alias or ARN.
        commit: the source's revision, for the objects' metadata.
    """

    bucket: str
    prefix: str
    environment: str
    kms_key_id: str
    commit: str


def destination(environ: Mapping[str, str], root: Path) -> Destination | None:
    """Read where to upload to; None where `ENVIRONMENT` or `PACKAGE_BUCKET` is not set.

    Raises:
        ScriptError: `PACKAGE_PREFIX` is no prefix.
    """
    prefix = package_prefix(environ)
    bucket, environment = environ.get("PACKAGE_BUCKET"), environ.get("ENVIRONMENT")
    if not bucket or not environment:
        return None
    kms_key_id = environ.get("PACKAGE_KMS_KEY_ID") or DEFAULT_KMS_KEY
    return Destination(bucket, prefix, environment, kms_key_id, _commit(environ, root))


def upload(s3, *, dist: Path, to: Destination) -> None:
    """Upload each zip of `dist/`, and with several of them their manifest, under its hash and under the environment.

    Args:
        s3: a boto3 S3 client.
        dist: the folder with `packages.json` and the zips.
        to: where they go.

    Raises:
        ScriptError: nothing was built, or a zip is not the one that was built.
    """
    index = read_index(dist)
    for package in index.packages:
        keys = [zip_key(to.prefix, package.task, label) for label in (package.hash, to.environment)]
        _publish(s3, keys, _zip_bytes(dist, package), to=to, build_hash=package.hash)
    if len(index.packages) > 1:
        keys = [manifest_key(to.prefix, label) for label in (index.hash, to.environment)]
        _publish(s3, keys, _manifest(index, to.prefix), to=to, build_hash=index.hash)


def _commit(environ: Mapping[str, str], root: Path) -> str:
    # CodeBuild may fetch the sources without their history.
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


def _publish(s3, keys: list[str], content: bytes, *, to: Destination, build_hash: str) -> None:
    by_hash, by_environment = keys
    sha256 = hashlib.sha256(content)
    # The same content may have been zipped with bytecode or without; what deployments use already stays as it is.
    already_there = _is_there(s3, to.bucket, by_hash, build_hash=build_hash)
    for key in [by_environment] if already_there else [by_hash, by_environment]:
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


def _is_there(s3, bucket: str, key: str, *, build_hash: str) -> bool:
    try:
        return s3.head_object(Bucket=bucket, Key=key)["Metadata"].get("hash") == build_hash
    except ClientError as error:
        # 403 is also the answer for an absent key to a role that may not list the bucket.
        if error.response["Error"]["Code"] in ("403", "404"):
            return False
        raise


def main() -> None:
    """Upload, if the environment says where to.

    Raises:
        ScriptError: the upload failed.
    """
    root = Path.cwd()
    to = destination(os.environ, root)
    if to is None:
        print("Nothing is uploaded: ENVIRONMENT and PACKAGE_BUCKET are not both set.")
        return
    try:
        upload(boto3.client("s3"), dist=root / "dist", to=to)
    except (BotoCoreError, ClientError) as error:
        raise ScriptError(f"the upload to s3://{to.bucket}/{to.prefix} failed: {error}") from error


if __name__ == "__main__":
    sys.exit(exit_status(main))
