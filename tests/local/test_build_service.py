import io
import json
import os
from pathlib import Path
from zipfile import ZipFile

import pytest

from local.build_service import BuildService
from local.embedded_aws import EmbeddedAws

ACCOUNT = "123456789012"
TRUST = {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}
PERMISSIONS = [
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::sources/source.zip"},
    {"Effect": "Allow", "Action": "logs:*", "Resource": f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:builds:*"},
]
# Every phase leaves a trace. A phase fails if the sources have a file of its name.
BUILDSPEC = """
version: 0.2
env:
  variables:
    OF_BUILDSPEC: from the buildspec
    OF_PROJECT: from the buildspec
    OF_REQUEST: from the buildspec
  exported-variables: [TRACE, SAID, UNSET]
phases:
  install:
    commands:
      - TRACE="install" && export TRACE
      - "[ ! -e install ]"
  pre_build:
    commands:
      - TRACE="$TRACE pre_build"
      - "[ ! -e pre_build ]"
  build:
    commands:
      - TRACE="$TRACE build"
      - "[ ! -e build ]"
      - echo "the build says $OF_PROJECT"
  post_build:
    commands:
      - TRACE="$TRACE post_build:$CODEBUILD_BUILD_SUCCEEDING"
      - export SAID="$OF_BUILDSPEC, $OF_PROJECT, $OF_REQUEST"
      - "[ ! -e post_build ]"
"""


@pytest.fixture(name="aws", scope="module")
def embedded_aws():
    with EmbeddedAws() as aws:
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="sources", CreateBucketConfiguration={"LocationConstraint": aws.region})
        s3.put_bucket_versioning(Bucket="sources", VersioningConfiguration={"Status": "Enabled"})
        aws.client("logs").create_log_group(logGroupName="builds")
        for name, trust in (("builder", TRUST), ("stranger", {**TRUST, "Principal": {"Service": "ec2.amazonaws.com"}})):
            make_project(aws, name, trust)
        yield aws


def make_project(aws, name, trust):
    """Create a project and its role."""
    iam = aws.client("iam")
    policies = ({"Version": "2012-10-17", "Statement": statement} for statement in ([trust], PERMISSIONS))
    trusted, permitted = map(json.dumps, policies)
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=permitted)
    aws.client("codebuild").create_project(
        name=name,
        source={"type": "S3", "location": "sources/source.zip"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "an-image",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [
                {"name": name, "value": "from the project"} for name in ("OF_PROJECT", "OF_REQUEST")
            ],
        },
        logsConfig={"cloudWatchLogs": {"status": "ENABLED", "groupName": "builds"}},
        serviceRole=role,
    )


def upload(aws, **files):
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return aws.client("s3").put_object(Bucket="sources", Key="source.zip", Body=content.getvalue())["VersionId"]


def start(aws, project="builder", **variables):
    given = [{"name": name, "value": value} for name, value in variables.items()]
    started = aws.client("codebuild").start_build(projectName=project, environmentVariablesOverride=given)
    return started["build"]["id"]


def state(aws, build_id):
    (build,) = aws.client("codebuild").batch_get_builds(ids=[build_id])["builds"]
    return build


def built(aws, *files, project="builder", **variables):
    """Upload sources with these empty files, and return their build after its end."""
    upload(aws, **{"buildspec.yml": BUILDSPEC, **dict.fromkeys(files, "")})
    return build_of_uploaded(aws, project, **variables)


def build_of_uploaded(aws, project="builder", *, provision=lambda sources: None, **variables):
    with BuildService(aws, provision=provision) as service:
        build_id = start(aws, project, **variables)
        service.join()
    return state(aws, build_id)


def exported(build):
    return {item["name"]: item["value"] for item in build["exportedEnvironmentVariables"]}


def phases(build):
    return {phase["phaseType"]: phase.get("phaseStatus") for phase in build["phases"]}


def messages(build):
    return [context["message"] for phase in build["phases"] for context in phase.get("contexts", [])]


def test_build_runs_the_phases_in_order_and_exports_variables(aws):
    build = built(aws, OF_REQUEST="from the request")
    assert (build["buildStatus"], build["currentPhase"]) == ("SUCCEEDED", "COMPLETED")
    assert exported(build) == {
        "TRACE": "install pre_build build post_build:1",
        "SAID": "from the buildspec, from the project, from the request",
    }
    assert set(phases(build)) >= {"DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD"}


def test_build_has_a_log(aws):
    logs = built(aws)["logs"]
    lines = aws.client("logs").get_log_events(logGroupName=logs["groupName"], logStreamName=logs["streamName"])
    texts = [event["message"] for event in lines["events"]]
    assert "the build says from the project" in texts
    assert "[Container] Phase complete: POST_BUILD State: SUCCEEDED" in texts


@pytest.mark.parametrize(
    "failing, trace",
    [
        ("install", "install"),
        ("pre_build", "install pre_build"),
        ("build", "install pre_build build post_build:0"),
        ("post_build", "install pre_build build post_build:1"),
    ],
)
def test_failed_phase_ends_the_build_except_that_post_build_follows_build(aws, failing, trace):
    build = built(aws, failing)
    assert build["buildStatus"] == "FAILED"
    assert exported(build)["TRACE"] == trace
    assert phases(build)[failing.upper()] == "FAILED"
    assert messages(build) == [f"Error while executing commands of {failing}. Reason: exit status 1"]


def test_build_without_a_buildspec_fails_with_the_reason(aws):
    upload(aws, readme="nothing to build")
    build = build_of_uploaded(aws)
    assert build["buildStatus"] == phases(build)["DOWNLOAD_SOURCE"] == "FAILED"
    assert messages(build) == ["YAML_FILE_ERROR: the sources have no buildspec.yml"]


def test_build_whose_sources_are_no_zip_fails_with_the_reason(aws):
    aws.client("s3").put_object(Bucket="sources", Key="source.zip", Body=b"no zip")
    assert messages(build_of_uploaded(aws)) == ["File is not a zip file"]


def test_build_whose_role_codebuild_may_not_assume_fails_with_the_reason(aws):
    assert messages(built(aws, project="stranger")) == [
        f"The role cannot be assumed by CodeBuild: arn:aws:iam::{ACCOUNT}:role/stranger."
    ]


def test_build_resolves_the_version_of_its_sources_and_is_provisioned_before_the_first_command(aws):
    spec = 'version: 0.2\nphases: {build: {commands: ["cat tool", "echo $CODEBUILD_RESOLVED_SOURCE_VERSION"]}}\n'
    version = upload(aws, **{"buildspec.yml": spec})
    build = build_of_uploaded(aws, provision=lambda sources: Path(sources, "tool").write_text("a tool\n", "utf-8"))
    logs = {"logGroupName": "builds", "logStreamName": build["logs"]["streamName"]}
    texts = [event["message"] for event in aws.client("logs").get_log_events(**logs)["events"]]
    assert {"a tool", version} <= set(texts)


def test_service_that_ends_stops_its_builds(aws, tmp_path):
    # A read of the pipe waits for the command that writes to it.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    spec = f'version: 0.2\nphases: {{build: {{commands: ["echo begun > {pipe}", "sleep 300"]}}}}\n'
    upload(aws, **{"buildspec.yml": spec})
    with BuildService(aws):
        build_id = start(aws)
        assert pipe.read_text() == "begun\n"
        assert (state(aws, build_id)["buildStatus"], state(aws, build_id)["currentPhase"]) == ("IN_PROGRESS", "BUILD")
    assert state(aws, build_id)["buildStatus"] == "STOPPED"


def test_build_without_a_service_is_a_fault(aws):
    assert state(aws, start(aws))["buildStatus"] == "FAULT"
