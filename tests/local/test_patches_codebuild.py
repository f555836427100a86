from local.patches import codebuild
from tests.local.patching import ACCOUNT, patched


def make_project(stage):
    stage.client("codebuild").create_project(
        name="project",
        source={"type": "S3", "location": "sources/source.zip"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "image", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=f"arn:aws:iam::{ACCOUNT}:role/builder",
    )


@patched(codebuild.run_builds)
def test_started_build_is_passed_on_with_project_and_variables(stage):
    make_project(stage)
    started = []
    stage.hooks.build_starter = lambda *order: started.append(order)
    given = [{"name": "TASK", "value": "archive_copy"}]
    build = stage.client("codebuild").start_build(projectName="project", environmentVariablesOverride=given)["build"]
    passed_on = [(project["name"], record["id"], variables) for project, record, variables in started]
    assert passed_on == [("project", build["id"], {"TASK": "archive_copy"})]


@patched(codebuild.report_builds)
def test_build_has_the_state_that_its_record_has(stage):
    make_project(stage)
    client, records = stage.client("codebuild"), []
    stage.hooks.build_starter = lambda _project, record, _variables: records.append(record)
    build_id = client.start_build(projectName="project")["build"]["id"]
    assert client.batch_get_builds(ids=[build_id])["builds"][0]["buildStatus"] == "IN_PROGRESS"
    records[0]["buildStatus"] = "FAILED"
    assert client.batch_get_builds(ids=[build_id, "project:other"])["builds"][0]["buildStatus"] == "FAILED"
