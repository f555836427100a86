"""An apply in the background, with a script in the place of Terraform."""

import json
import os
import re

import pytest

from local.deployment import NEEDED_LATER, Deployment
from local.terraform import SOURCE, DeploymentError, Terraform
from tests.support import subreaper

TASK = "module.archive_copy[0].aws_lambda_function.this"
LATER = 'module.archive_copy_archive_bucket["a"].aws_s3_bucket_lifecycle_configuration.this'
OTHER = "module.upload_validate[0].aws_lambda_function.this"
STATE = json.dumps({"outputs": {"archive_copy": {"value": {"function_name": "f"}}}})


def planned(*addresses):
    return [{"type": "planned_change", "change": {"resource": {"addr": address}}} for address in addresses]


def made(address):
    return {"type": "apply_complete", "hook": {"action": "create", "resource": {"addr": address}}}


@pytest.fixture(name="deployed")
def deployment_by_a_script(tmp_path, monkeypatch):
    """Return a function that makes a `Deployment` whose Terraform prints lines, writes a state and runs a command."""

    def deployment(lines, state, command, on_progress=lambda progress: None):
        script = tmp_path / "terraform"
        texts = "\n".join(json.dumps(line) for line in lines)
        script.write_text(
            f"#!/bin/sh\ncat > terraform.tfstate <<'END'\n{state}\nEND\ncat <<'END'\n{texts}\nEND\n{command}\n",
            encoding="utf-8",
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return Deployment(Terraform(tmp_path, dict(os.environ)), on_progress)

    return deployment


def test_task_can_be_used_while_terraform_waits_for_others_and_is_killed_at_the_end(deployed):
    before = dict(subreaper.children())
    seen = []
    lines = [*planned(TASK, LATER, OTHER), made(TASK)]
    with deployed(lines, STATE, "exec sleep 1000", seen.append) as deployment:
        deployment.wait_for("archive_copy")
        assert deployment.outputs == {"archive_copy": {"function_name": "f"}}
        progress = seen[-1]
        assert (progress.done, progress.planned, progress.current) == (1, 3, TASK)
    assert dict(subreaper.children()).keys() <= before.keys()


def test_end_of_terraform_ends_every_wait(deployed):
    with deployed([*planned(TASK, LATER), made(TASK), made(LATER)], STATE, "exit 0") as deployment:
        deployment.wait()
        deployment.wait_for("archive_copy")
        assert deployment.outputs["archive_copy"]


@pytest.mark.parametrize("wait", [Deployment.wait, lambda deployment: deployment.wait_for("archive_copy")])
def test_failure_of_terraform_is_raised_by_each_wait(deployed, wait):
    error = {"type": "diagnostic", "@level": "error", "diagnostic": {"summary": "No buckets for you."}}
    with deployed([*planned(TASK), error], "{", "exit 1") as deployment:
        for _ in range(2):
            with pytest.raises(DeploymentError, match="terraform apply failed:\n.*No buckets for you"):
                wait(deployment)


def test_resources_that_are_needed_later_are_in_the_configuration():
    # A new name of one of them would make the demo wait for it.
    texts = "\n".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.tf"))
    assert set(NEEDED_LATER) <= set(re.findall(r'^resource "(\w+)"', texts, re.MULTILINE))
