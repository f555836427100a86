"""The commands of buildspec.yml, run in order in a copy of the project, with moto's server as S3."""

import json
import os
import shutil
import subprocess
from xml.etree import ElementTree

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from scripts.dist_index import read_index
from scripts.sources import SHARED
from tests.scripts.conftest import ROOT

pytestmark = pytest.mark.long

BUILDSPEC = yaml.safe_load((ROOT / "buildspec.yml").read_text())
PHASES = ("install", "pre_build", "build", "post_build")
GENERATED = (".git", ".venv", "build", "dist", "reports", ".terraform", "__pycache__", ".pytest_cache", ".hypothesis")
# This includes Terraform's tests, which `make validate` runs.
NOT_PACKAGED = ("bench", "local", "tests")
OTHER_TASKS = {path.name for path in (ROOT / "tasks").glob("*/") if path.name not in ("archive_copy", *SHARED)}
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "eu-west-1"}
# A few tests instead of all, because all would include this one.
FEW_TESTS = "archive_copy/test_bucket_map.py"
NEEDED = ("__init__.py", "archive_copy/__init__.py", "support/__init__.py", "support/keys.py", FEW_TESTS)


def commands_of(*phases):
    return [command for phase in phases for command in BUILDSPEC["phases"][phase]["commands"]]


@pytest.fixture(scope="module", name="server")
def moto_server():
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture(scope="module", name="client")
def server_client(server):
    return boto3.client(
        "s3",
        endpoint_url=server,
        region_name=KEYS["AWS_DEFAULT_REGION"],
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )


@pytest.fixture(scope="module", name="copy")
def clean_copy(tmp_path_factory):
    """Copy one task and a few of its tests, with links to the installed tools and libraries."""
    copy = tmp_path_factory.mktemp("code build") / "src"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*GENERATED, *NOT_PACKAGED, *OTHER_TASKS))
    for file in NEEDED:
        (copy / "tests" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / "tests" / file, copy / "tests" / file)
    for generated in (".venv", "build/.cache"):
        (ROOT / generated).mkdir(parents=True, exist_ok=True)
        (copy / generated).parent.mkdir(exist_ok=True)
        (copy / generated).symlink_to(ROOT / generated)
    return copy


def run(commands, copy, server, **settings):
    """Run commands in one shell up to the first failure, as CodeBuild does; return the exported variables."""
    exported = BUILDSPEC["env"]["exported-variables"]
    script = "\n".join(["set -e", *commands, *(f'echo "{name}=${{{name}:-}}"' for name in exported)])
    not_inherited = ("AWS_", "CODEBUILD_", "ENVIRONMENT", "MAKE", "PACKAGE_", "PYTEST_", "TASK")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(not_inherited)}
    environ = {**inherited, **KEYS, "AWS_ENDPOINT_URL": server, "TASK": "archive_copy", "WORKERS": "1", **settings}
    finished = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=copy,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    return dict(line.split("=", 1) for line in finished.stdout.splitlines()[-len(exported) :])


@pytest.fixture(scope="module", name="build")
def whole_build(copy, server, client):
    """Run all commands for one task, with an environment and a bucket."""
    client.create_bucket(Bucket="packages", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    settings = {
        "ENVIRONMENT": "qa",
        "PACKAGE_BUCKET": "packages",
        "PACKAGE_PREFIX": "builds/",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": "c0ffee",
    }
    return run(commands_of(*PHASES), copy, server, **settings)


def test_buildspec_builds_the_zips(build, copy):
    index = read_index(copy / "dist")
    assert build["PACKAGE_BUILD_HASH"] == index.hash
    assert [package.task for package in index.packages] == ["archive_copy"]
    assert all((copy / "dist" / package.zip).stat().st_size == package.bytes for package in index.packages)


def test_buildspec_exports_hash_and_key_of_the_upload(build, client):
    uploaded = client.head_object(Bucket="packages", Key=build["PACKAGE_KEY"])
    assert uploaded["Metadata"]["hash"] == build["PACKAGE_BUILD_HASH"]
    assert uploaded["Metadata"]["commit"] == "c0ffee"
    assert uploaded["ServerSideEncryption"] == "aws:kms"


def test_buildspec_uploads_each_zip_for_its_hash_and_for_the_environment(build, client, copy):
    uploaded = {item["Key"] for item in client.list_objects_v2(Bucket="packages")["Contents"]}
    packages = json.loads((copy / "dist" / "packages.json").read_text())["tasks"]
    zips = {f"builds/{task}/{label}.zip" for task, built in packages.items() for label in (built["hash"], "qa")}
    assert zips <= uploaded
    assert build["PACKAGE_KEY"] in uploaded


@pytest.mark.parametrize("name", ["pylint.xml", "checkov.xml", "tests.xml"])
@pytest.mark.usefixtures("build")
def test_buildspec_writes_the_reports_that_it_names(copy, name):
    (group,) = BUILDSPEC["reports"].values()
    assert group["file-format"] == "JUNITXML"
    reports = {file.name: file for pattern in group["files"] for file in (copy / group["base-directory"]).glob(pattern)}
    suites = list(ElementTree.parse(reports[name]).getroot().iter("testsuite"))
    assert sum(int(suite.get("tests")) for suite in suites) > 0
    assert sum(int(suite.get("failures")) for suite in suites) == 0


@pytest.mark.parametrize("missing", ["ENVIRONMENT", "PACKAGE_BUCKET"])
@pytest.mark.usefixtures("build")
def test_buildspec_without_environment_or_bucket_uploads_nothing(copy, server, client, missing):
    bucket = f"empty-{missing.lower().replace('_', '-')}"
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    settings = {"ENVIRONMENT": "qa", "PACKAGE_BUCKET": bucket}
    before = client.list_objects_v2(Bucket="packages")["KeyCount"]
    # Without the phases of the reports, which take most of the time and upload nothing.
    exports = run(commands_of("build", "post_build"), copy, server, **{**settings, missing: ""})
    assert exports["PACKAGE_BUILD_HASH"]
    assert (copy / "dist" / "archive_copy.zip").is_file()
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert client.list_objects_v2(Bucket="packages")["KeyCount"] == before
