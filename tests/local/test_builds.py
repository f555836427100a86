"""Builds in the embedded AWS: the demo of a build, and the commands of docs/codebuild.md."""

import io
import json
import os
import shutil
from dataclasses import replace
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
import yaml
from rich.console import Console

from local.build_service import BuildService
from local.demo import build
from local.demo.access_keys import PEOPLE
from local.demo.screen import Screen
from local.embedded_aws import EmbeddedAws
from scripts.sources import zipped_tasks
from tests.permissions.comparison import problems
from tests.permissions.grants import grants_of
from tests.permissions.unused import UNUSED_BY_BUILDS
from tests.support.snippets import ROOT, Terminal, shell_snippets

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not shutil.which("terraform") and os.environ.get("CI") != "true", reason="Terraform is not installed"
    ),
]

BUILDSPEC = yaml.safe_load((ROOT / "buildspec.yml").read_text())
DOCUMENT = "docs/codebuild.md"
# The zip of the sources, as the documentation makes it of the last commit.
MAKES_ZIP = "git -C .. archive --format=zip --output=build/source.zip HEAD"


def links_with_reports(reports):
    """Return the demo's `link_tools` that also keeps the reports of a build."""

    def link(folder, original=build.link_tools):
        original(folder)
        reports.mkdir()
        (folder / "reports").symlink_to(reports)

    return link


def test_demo_tests_a_package_and_deploys_it_by_its_hash(tmp_path, monkeypatch):
    reports, output = tmp_path / "reports", io.StringIO()
    monkeypatch.setattr(build, "link_tools", links_with_reports(reports))
    status = build.show(Screen(Console(file=output, width=200)), tmp_path / "demo")
    assert status == 0, output.getvalue()
    last_line = output.getvalue().splitlines()[-1]
    assert last_line.startswith("the package builds/archive_copy/")
    assert last_line.endswith("is tested, uploaded, deployed by this hash, and has archived an object")
    (group,) = BUILDSPEC["reports"].values()
    assert (group["file-format"], group["base-directory"]) == ("JUNITXML", "reports")
    assert {"pylint.xml", "checkov.xml", "tests.xml"} <= {path.name for path in reports.iterdir()}
    for report in (path for pattern in group["files"] for path in reports.glob(pattern)):
        suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
        assert sum(int(suite.get("failures", 0)) for suite in suites) == 0
        assert sum(int(suite.get("tests")) for suite in suites) > 0 or report.name == "ruff.xml"


def sources_without_checks():
    """Zip the sources of all tasks, with a buildspec without the phases that check, which take most of the time."""
    phases = {name: phase for name, phase in BUILDSPEC["phases"].items() if name in ("build", "post_build")}
    content = io.BytesIO(build.zipped(path for path in build.files_without({"tests"}) if path.name != "buildspec.yml"))
    with ZipFile(content, "a") as archive:
        archive.writestr("buildspec.yml", yaml.safe_dump({**BUILDSPEC, "phases": phases}))
    return content.getvalue()


@pytest.fixture(name="folder")
def folder_of_the_deployment(tmp_path):
    return tmp_path / "checkout" / "terraform"


@pytest.fixture(name="decisions")
def decisions_on_permissions():
    return set()


@pytest.fixture(name="deployed")
def deployed_build(folder, decisions):
    """Deploy the build alone; yield the embedded AWS, the running build service, and Terraform's output."""
    with EmbeddedAws() as aws, BuildService(aws, provision=build.link_tools) as service:
        aws.hooks.on_decision = decisions.add
        screen = Screen(Console(file=io.StringIO()))
        yield aws, service, build.applied(aws, folder, build.BUILD_VARIABLES, screen)["build"]


def run_documentation(aws, folder, tools):
    """Run the commands of the page with other sources, and return their output."""
    (tools.parent / "source.zip").write_bytes(sources_without_checks())
    assert MAKES_ZIP in (ROOT / DOCUMENT).read_text()
    snippets = [text.replace(MAKES_ZIP, f"cp {tools.parent}/source.zip ../build/") for text in shell_snippets(DOCUMENT)]
    keys = {name.upper(): value for name, value in aws.admin_credentials.items() if name != "region_name"}
    environment = {**keys, "AWS_ENDPOINT_URL": aws.endpoint_url, "AWS_DEFAULT_REGION": aws.region}
    exports = [f"export {name}={value}" for name, value in environment.items()]
    return Terminal(folder, tools, exports).run(*snippets)


def test_documented_commands_build_all_tasks_and_print_their_hashes(deployed, folder, tmp_path, decisions):
    aws, service, outputs = deployed
    output = run_documentation(aws, folder, tmp_path / "tools")
    manifest = json.loads((folder / "manifest.json").read_text())
    tasks = manifest["tasks"]
    assert set(tasks) == set(zipped_tasks(ROOT))
    assert manifest["hash"] in output.splitlines()
    assert output.endswith(json.dumps(tasks, indent=2) + "\n")
    check_uploads(aws, outputs, manifest)
    for missing in ("ENVIRONMENT", "PACKAGE_BUCKET"):
        check_that_nothing_is_uploaded_without(missing, aws, service, outputs)
    check_permissions(list(grants_of(aws, aws.region)), decisions)


def check_uploads(aws, outputs, manifest):
    """Check that each package is there under its hash and its label, encrypted, and names its hash and its sources."""
    s3, address = aws.client("s3"), {"Bucket": outputs["package_bucket"]}
    hashes = {**{task: found["hash"] for task, found in manifest["tasks"].items()}, "manifest": manifest["hash"]}
    keys = {item["Key"] for item in s3.list_objects_v2(**address)["Contents"]}
    (source,) = s3.list_object_versions(**address, Prefix="source/")["Versions"]
    endings = {folder: "json" if folder == "manifest" else "zip" for folder in hashes}
    packages = {
        f"builds/{folder}/{label}.{endings[folder]}": package_hash
        for folder, package_hash in hashes.items()
        for label in (package_hash, "main")
    }
    assert keys == {*packages, source["Key"]}
    for key, package_hash in packages.items():
        uploaded = s3.head_object(**address, Key=key)
        assert (uploaded["Metadata"]["hash"], uploaded["Metadata"]["commit"]) == (package_hash, source["VersionId"])
        assert uploaded["ServerSideEncryption"] == "aws:kms"


def check_that_nothing_is_uploaded_without(variable, aws, service, outputs):
    s3, client, address = aws.client("s3"), aws.client("codebuild"), {"Bucket": outputs["package_bucket"]}
    before = s3.list_object_versions(**address)["Versions"]
    given = [{"name": variable, "value": ""}, {"name": "TASK", "value": "archive_copy"}]
    started = client.start_build(projectName=outputs["project"], environmentVariablesOverride=given)["build"]
    service.join()
    (ended,) = client.batch_get_builds(ids=[started["id"]])["builds"]
    assert ended["buildStatus"] == "SUCCEEDED"
    assert build.exported(ended)["PACKAGE_BUILD_HASH"]
    assert s3.list_object_versions(**address)["Versions"] == before


def check_permissions(grants, decisions):
    """Compare the policy of the build's role with its use, and with a policy that has one action less or more."""
    # S3 asks for s3:ListBucket to choose its answer on a key that is absent; `make upload` takes its 403 for absent.
    used = {each for each in decisions if f":user/{PEOPLE}" not in each.principal and each.action != "s3:ListBucket"}
    assert problems(grants, used, UNUSED_BY_BUILDS) == []
    assert {grant.sid for grant in grants} == {
        "WriteLog",
        "WriteReports",
        "ReadAndWritePackages",
        "ReadSource",
        "IdentifyBucket",
    }
    for grant in grants:
        others = [other for other in grants if other is not grant]
        for action in grant.actions:
            narrower = replace(grant, actions=tuple(other for other in grant.actions if other != action))
            assert any(action in problem for problem in problems([narrower, *others], used, UNUSED_BY_BUILDS))
        wider = replace(grant, actions=(*grant.actions, "s3:DeleteObject"))
        (problem,) = problems([wider, *others], used, UNUSED_BY_BUILDS)
        assert "s3:DeleteObject is allowed, and the run did not use it" in problem
