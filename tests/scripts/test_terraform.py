import os
import subprocess
import sys

import pytest

from tests.scripts.conftest import ROOT

# The output of Terraform 1.11 without a mirror and network; the exit status of init is 1.
NO_PROVIDER = """
╷
│ Error: Failed to query available provider packages
│
│ Could not retrieve the list of available versions for provider hashicorp/aws: could not connect
╵
"""


@pytest.fixture(name="tools")
def empty_tools(tmp_path):
    """The only folder on the command's PATH."""
    folder = tmp_path / "tools"
    folder.mkdir()
    return folder


def add_terraform(tools, script):
    (tools / "terraform").write_text(f"#!/bin/sh\n{script}\n")
    (tools / "terraform").chmod(0o755)


def run(name, tools, **environ):
    return subprocess.run(
        [sys.executable, "-m", "scripts.terraform", name],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tools), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["fmt", "validate"])
def test_check_without_terraform_is_skipped_visibly(tools, name):
    finished = run(name, tools)
    assert finished.returncode == 0
    assert finished.stdout == f"SKIPPED terraform {name}: Terraform is not installed (`make terraform` installs it).\n"


@pytest.mark.parametrize("name", ["fmt", "validate"])
def test_check_without_terraform_fails_in_ci(tools, name):
    finished = run(name, tools, CI="true")
    assert finished.returncode == 1
    assert (
        finished.stderr
        == f"error: terraform {name} cannot run: Terraform is not installed (`make terraform` installs it)\n"
    )


def test_validate_without_a_provider_is_skipped_visibly(tools):
    add_terraform(tools, f"echo '{NO_PROVIDER}' >&2; exit 1")
    finished = run("validate", tools)
    assert finished.returncode == 0
    assert finished.stdout.startswith("SKIPPED terraform validate: Terraform finds no AWS provider")


def test_validate_without_a_provider_fails_in_ci(tools):
    add_terraform(tools, f"echo '{NO_PROVIDER}' >&2; exit 1")
    finished = run("validate", tools, CI="true")
    assert finished.returncode == 1
    assert finished.stderr.startswith("error: terraform validate cannot run: Terraform finds no AWS provider")


def test_validate_fails_with_the_error_of_terraform_init(tools):
    add_terraform(tools, "echo 'Error: Unsupported Terraform Core version' >&2; exit 1")
    finished = run("validate", tools)
    assert finished.returncode == 1
    assert "Unsupported Terraform Core version" in finished.stderr


@pytest.mark.parametrize("failing", ["validate", "test"])
def test_validate_fails_if_a_step_fails(tools, failing):
    add_terraform(tools, f'[ "$2" != {failing} ]')
    finished = run("validate", tools)
    assert finished.returncode == 1
    assert finished.stderr == f"error: terraform {failing} failed\n"


def test_validate_does_not_change_the_backend_of_a_deployment(tools):
    """Terraform stores the backend in TF_DATA_DIR, by default terraform/.terraform."""
    add_terraform(tools, 'echo "$2 $TF_DATA_DIR"')
    finished = run("validate", tools)
    assert finished.stdout == "".join(f"{step} {ROOT}/build/terraform\n" for step in ("validate", "test"))


def test_fmt_of_an_unformatted_file_fails(tools):
    add_terraform(tools, '[ "$2" = fmt ] && exit 3')
    finished = run("fmt", tools)
    assert finished.returncode == 1
    assert finished.stderr == "error: terraform fmt failed\n"
