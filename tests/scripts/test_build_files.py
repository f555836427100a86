"""buildspec.yml, .ci/run and docs/github-actions.yml: three places that build, with the commands of one Makefile."""

import re

import pytest
import yaml

from scripts.bytecode import RUNTIME_VERSION
from scripts.object_keys import package_prefix
from scripts.upload import destination
from tests.scripts.conftest import ROOT

BUILDSPEC = yaml.safe_load((ROOT / "buildspec.yml").read_text())
WORKFLOW = yaml.safe_load((ROOT / "docs" / "github-actions.yml").read_text())
JOBS = WORKFLOW["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
PHASES = ("install", "pre_build", "build", "post_build")


def commands_of_buildspec():
    return [command for phase in PHASES for command in BUILDSPEC["phases"][phase]["commands"]]


def commands_of_workflow():
    return [line for step in STEPS for line in step.get("run", "").splitlines()]


def targets(commands):
    """The targets of each call of make, without options."""
    calls = [re.search(r"\bmake( --silent)? ([a-z. -]+)", command) for command in commands]
    assert all(calls), "a command does not call make"
    return [call[2].strip() for call in calls]


class Recorder(dict):
    """An environment that records the requested names; all of them are set."""

    def get(self, key, default=None):
        self[key] = "x" if default is None else default
        return self[key]


def names_that_the_upload_reads():
    recorder = Recorder()
    package_prefix(recorder)
    destination(recorder, ROOT)
    return set(recorder) - {"CODEBUILD_RESOLVED_SOURCE_VERSION"}


def test_buildspec_runs_nothing_but_make():
    assert tuple(BUILDSPEC["phases"]) == PHASES
    for command in commands_of_buildspec():
        assert re.fullmatch(r'make [a-z. -]+|export [A-Z_]+="\$\(make --silent [a-z-]+\)"', command)


def test_workflow_runs_nothing_but_make():
    for command in commands_of_workflow():
        assert re.fullmatch(r'make [a-z. -]+|echo "[A-Z_]+=\$\(make --silent [a-z-]+\)" >> "\$GITHUB_OUTPUT"', command)


def test_workflow_has_the_targets_of_buildspec_in_the_same_order():
    assert targets(commands_of_workflow()) == targets(commands_of_buildspec())


def test_buildspec_checks_all_that_ci_checks():
    ci = re.findall(r"^make (\S+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert set(ci) <= {target.removesuffix("-report") for target in targets(commands_of_buildspec())}


def test_every_build_skips_nothing_and_first_installs_the_terraform_of_the_makefile():
    assert BUILDSPEC["env"]["variables"]["CI"] == WORKFLOW["env"]["CI"] == "true"
    assert re.search("^export CI=true$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert targets(commands_of_buildspec())[0] == targets(commands_of_workflow())[0] == "terraform"
    assert "hashicorp" not in (ROOT / "docs" / "github-actions.yml").read_text()


def test_every_build_has_the_python_of_the_functions():
    versions = [step["with"]["python-version"] for step in STEPS if "setup-python" in step.get("uses", "")]
    assert {*versions, str(BUILDSPEC["phases"]["install"]["runtime-versions"]["python"])} == {RUNTIME_VERSION}
    assert len(versions) == len(JOBS)


def test_workflow_uses_few_actions_each_pinned_by_its_commit():
    text = (ROOT / "docs" / "github-actions.yml").read_text()
    used = re.findall(r"uses: (\S+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$", text, re.MULTILINE)
    assert len(used) == text.count("uses:")
    assert len(dict(used)) == len(set(used))
    assert {name.partition("/")[0] for name, _ in used} == {"actions", "aws-actions"}


@pytest.mark.parametrize("name", sorted(JOBS))
def test_job_of_the_workflow_asks_for_aws_credentials_only_to_upload_what_has_passed(name):
    assert WORKFLOW["permissions"] == {}
    job, uploads = JOBS[name], name == "upload"
    assert job["permissions"] == {"contents": "read", **({"id-token": "write"} if uploads else {})}
    assert ("needs" in job, "refs/heads/main" in job.get("if", "")) == (uploads, uploads)
    assert all(step["with"]["persist-credentials"] is False for step in job["steps"] if "checkout" in str(step))


def test_workflow_passes_all_settings_of_the_upload():
    assert set(JOBS["upload"]["env"]) == names_that_the_upload_reads()


def test_comment_of_buildspec_names_all_settings_of_the_upload():
    comment = (ROOT / "buildspec.yml").read_text().partition("version:")[0]
    assert set(re.findall("[A-Z]+(?:_[A-Z]+)*", comment)) >= names_that_the_upload_reads()


def test_every_build_keeps_the_same_cache():
    (cached,) = [step["with"]["path"] for step in STEPS if "actions/cache" in step.get("uses", "")]
    assert BUILDSPEC["cache"]["paths"] == [f"{cached}/**/*"]


def test_build_exports_hash_and_key_under_the_same_names():
    exported = BUILDSPEC["env"]["exported-variables"]
    for commands in (commands_of_buildspec(), commands_of_workflow()):
        assert re.findall(r"\b(PACKAGE_\w+)=", "\n".join(commands)) == exported
    assert [expression.rpartition(".")[2].strip("} ") for expression in JOBS["upload"]["outputs"].values()] == exported
