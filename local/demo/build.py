"""The demo of a build: a zip of the sources goes in, CodeBuild tests it, and the package is deployed by its hash.

It builds one task with a part of its tests. A build of everything takes as long as all tests together.
"""

import base64
import hashlib
import io
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

from local.build_service import BuildService
from local.demo.screen import Headings, Screen
from local.deployment import Deployment
from local.embedded_aws import EmbeddedAws
from local.lambda_service import LambdaService
from local.terraform import initialise
from scripts.sources import SHARED

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).parent.parent.parent

TASK = "archive_copy"

# The only tests of the demo's sources, and what they import.
TESTS = (f"{TASK}/test_bucket_map.py", "__init__.py", f"{TASK}/__init__.py", "support/__init__.py", "support/keys.py")

# Folders that the build of one task does not need, Terraform's tests among them.
LEFT_OUT = frozenset({"bench", "local", "tests"})
GENERATED = frozenset({"build", "dist", "reports", "__pycache__"})

# A deployment of the build alone, and then one of the task: each has its own state.
BUILD_VARIABLES = {"build_enabled": True, "archive_copy_enabled": False, "package_prefix": "builds/"}

HEADINGS: Headings = {"phase": "left", "status": "left", "seconds": "right"}

# Interval of the look at the running build.
POLL_SECONDS = 0.2

# An object that has not arrived by this time is lost.
TIMEOUT_SECONDS = 60

# Existing buckets, because an apply that creates a bucket takes almost a minute longer.
SOURCE_BUCKET, ARCHIVE_BUCKET = "bucket-brigade-demo-frozen", "bucket-brigade-demo-archive"

FROZEN = {"Key": "documents/built and deployed.txt", "Body": b"by a package that CodeBuild has tested\n"}


def show(screen: Screen, folder: Path) -> int:
    """Build the package, deploy it, and let it archive an object.

    Args:
        screen: The output.
        folder: The working folder.

    Returns:
        The exit status: 0 if everything went as expected.

    Raises:
        DeploymentError: Terraform is not installed, finds no provider, or fails.
    """
    screen.title("A build in CodeBuild, and a deployment by its hash")
    with EmbeddedAws() as aws, BuildService(aws, provision=link_tools):
        outputs = applied(aws, folder / "build", BUILD_VARIABLES, screen)["build"]
        build = run_build(aws, outputs, screen)
        if build["buildStatus"] != "SUCCEEDED":
            for line in log_of(aws, build):
                screen.say(line)
            screen.verdict(f"the build has the status {build['buildStatus']}", passed=False)
            return 1
        variables = deployment(aws, outputs, exported(build)["PACKAGE_BUILD_HASH"])
        task = applied(aws, folder / "tasks", variables, screen)[TASK]
        passed = is_deployed(aws, outputs, build, task) and archives(aws)
    result = "tested, uploaded, deployed by this hash, and has archived an object" if passed else "does not work"
    screen.verdict(f"the package {exported(build)['PACKAGE_KEY']} is {result}", passed=passed)
    return 0 if passed else 1


def applied(aws: EmbeddedAws, folder: Path, variables: Mapping[str, Any], screen: Screen) -> dict[str, Any]:
    """Apply Terraform in a working folder, show its progress, and return its outputs."""
    terraform = initialise(aws, folder, variables)
    with screen.waiting("everything is up"), Deployment(terraform, screen.progress) as running:
        running.wait()
    return running.outputs


def sources() -> bytes:
    """Return a zip of the sources of one task and of a part of its tests."""
    other_tasks = {path.name for path in (ROOT / "tasks").iterdir()} - {TASK, "__init__.py", *SHARED}
    return zipped([*files_without(LEFT_OUT | other_tasks), *(Path("tests", name) for name in TESTS)])


def zipped(files: Iterable[Path]) -> bytes:
    """Return a zip of files of the checkout."""
    content = io.BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as archive:
        for file in sorted(files):
            archive.write(ROOT / file, file.as_posix())
    return content.getvalue()


def files_without(folders: Collection[str]) -> Iterator[Path]:
    """Yield the files of the checkout that are not generated, except those in folders of these names."""
    for folder, names, files in os.walk(ROOT):
        names[:] = [name for name in names if name not in {*folders, *GENERATED} and name[0] != "."]
        yield from (Path(folder, file).relative_to(ROOT) for file in files)


def link_tools(folder: Path) -> None:
    """Link the installed tools and libraries into the sources, as if the image of the build had them."""
    for name in (".venv", "build/.cache"):
        (ROOT / name).mkdir(parents=True, exist_ok=True)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(ROOT / name)
    # `make` installs the tools again if the pins are newer than the tools.
    for pins in folder.glob("requirements*.txt"):
        os.utime(pins, (0, 0))


def run_build(aws: EmbeddedAws, outputs: Mapping[str, Any], screen: Screen) -> dict[str, Any]:
    """Upload the sources, start their build, show its phases, and return the build after its end.

    Args:
        aws: The embedded AWS.
        outputs: Terraform's output `build`.
        screen: The output.
    """
    bucket, _, key = outputs["source"].removeprefix("s3://").partition("/")
    aws.client("s3").put_object(Bucket=bucket, Key=key, Body=sources())
    screen.title(f"{outputs['project']}: build of {outputs['source']}")
    client, shown = aws.client("codebuild"), 0
    given = [{"name": "TASK", "value": TASK}]
    build = client.start_build(projectName=outputs["project"], environmentVariablesOverride=given)["build"]
    with screen.table(HEADINGS) as show_phase:
        while not build["buildComplete"]:
            time.sleep(POLL_SECONDS)
            (build,) = client.batch_get_builds(ids=[build["id"]])["builds"]
            for phase in build["phases"][shown:]:
                status, seconds = phase["phaseStatus"], str(phase.get("durationInSeconds", 0))
                show_phase((phase["phaseType"], status, seconds), colour="red" if status == "FAILED" else "green")
            shown = len(build["phases"])
    finished: dict[str, Any] = build
    return finished


def exported(build: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that a build exports."""
    return {item["name"]: item["value"] for item in build["exportedEnvironmentVariables"]}


def log_of(aws: EmbeddedAws, build: Mapping[str, Any]) -> list[str]:
    """Return the lines of a build's log."""
    logs = build["logs"]
    stream = {"logGroupName": logs["groupName"], "logStreamName": logs["streamName"]}
    return [event["message"] for event in aws.client("logs").get_log_events(**stream, startFromHead=True)["events"]]


def deployment(aws: EmbeddedAws, outputs: Mapping[str, Any], package_hash: str) -> dict[str, Any]:
    """Create the buckets of the task, and return the variables of a deployment of the built package."""
    s3: S3Client = aws.client("s3")
    for bucket in (SOURCE_BUCKET, ARCHIVE_BUCKET):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})  # type: ignore[typeddict-item]  # any region
    return {
        "archive_copy_source_bucket": SOURCE_BUCKET,
        "archive_copy_archives": {"all": {"extensions": ["other"], "bucket": ARCHIVE_BUCKET}},
        "package_bucket": outputs["package_bucket"],
        "package_prefix": outputs["package_prefix"],
        "package_hashes": {TASK: package_hash},
    }


def is_deployed(
    aws: EmbeddedAws, outputs: Mapping[str, Any], build: Mapping[str, Any], task: Mapping[str, Any]
) -> bool:
    """Return whether the function has the code of the package that the build uploaded."""
    address = {"Bucket": outputs["package_bucket"], "Key": exported(build)["PACKAGE_KEY"]}
    package = aws.client("s3").get_object(**address)["Body"].read()
    function = aws.client("lambda").get_function_configuration(FunctionName=task["function_name"])
    return bool(function["CodeSha256"] == base64.b64encode(hashlib.sha256(package).digest()).decode())


def archives(aws: EmbeddedAws) -> bool:
    """Return whether the function copies a restored object to its archive."""
    s3, archived = aws.client("s3"), Event()
    with LambdaService(aws) as functions:
        functions.on_log = lambda _, line: archived.set() if '"archived"' in line else None
        s3.put_object(Bucket=SOURCE_BUCKET, StorageClass="GLACIER", **FROZEN)
        s3.restore_object(Bucket=SOURCE_BUCKET, Key=FROZEN["Key"], RestoreRequest={"Days": 1})
        if not archived.wait(TIMEOUT_SECONDS):
            return False
    return bool(s3.get_object(Bucket=ARCHIVE_BUCKET, Key=FROZEN["Key"])["Body"].read() == FROZEN["Body"])
