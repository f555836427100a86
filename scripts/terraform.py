"""Terraform's own checks of `terraform/`: `python -m scripts.terraform fmt|validate`, in the checkout's folder.

Without Terraform or its AWS provider, the checks are skipped with a message; with `CI=true` they fail.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.errors import ScriptError, exit_status
from scripts.terraform_mirror import plugin_flags

# The error of `terraform init` if neither a mirror nor the registry has the provider.
_NO_PROVIDER = "Failed to query available provider packages"


class Unavailable(Exception):
    """A requirement of the check is missing on this machine; the message names it."""


def check_format() -> None:
    """Check that `terraform fmt` would change no file."""
    _run("fmt", "-check", "-diff", "-recursive")


def validate() -> None:
    """Validate the configuration and run its tests, with mocked providers and without a backend."""
    init = ["init", "-backend=false", "-input=false", "-lockfile=readonly", *plugin_flags(os.environ)]
    finished = subprocess.run([*_terraform(), *init], env=_environment(), capture_output=True, text=True, check=False)
    if _NO_PROVIDER in finished.stderr:
        raise Unavailable("Terraform finds no AWS provider, neither in a mirror nor in its registry")
    if finished.returncode:
        raise ScriptError(f"terraform init failed:\n{finished.stdout}{finished.stderr}")
    _run("validate")
    _run("test")


def _run(*command: str) -> None:
    finished = subprocess.run([*_terraform(), *command], env=_environment(), check=False)
    if finished.returncode:
        raise ScriptError(f"terraform {command[0]} failed")


def _terraform() -> list[str]:
    terraform = shutil.which("terraform")
    if not terraform:
        raise Unavailable("Terraform is not installed (`make terraform` installs it)")
    return [terraform, "-chdir=terraform"]


def _environment() -> dict[str, str]:
    # A separate folder, because `init -backend=false` would remove the backend of a deployment from this checkout.
    return {**os.environ, "TF_DATA_DIR": str(Path("build", "terraform").absolute()), "TF_IN_AUTOMATION": "1"}


def main() -> None:
    """Run the check that the command line names.

    Raises:
        ScriptError: The check failed, or it cannot run and `CI=true` requires it.
    """
    name = sys.argv[1]
    try:
        {"fmt": check_format, "validate": validate}[name]()
    except Unavailable as reason:
        if os.environ.get("CI") == "true":
            raise ScriptError(f"terraform {name} cannot run: {reason}") from reason
        print(f"SKIPPED terraform {name}: {reason}.")


if __name__ == "__main__":
    sys.exit(exit_status(main))
