"""Terraform, applied to the embedded AWS: the project's own files, with only the provider's options overridden."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.embedded_aws import EmbeddedAws
from scripts.terraform_mirror import plugin_flags

SOURCE = Path(__file__).parent.parent / "terraform"

# Merged into terraform/providers.tf. An IP address has no bucket subdomains, and this machine has no EC2 metadata.
OVERRIDE = """\
provider "aws" {
  s3_use_path_style        = true
  skip_metadata_api_check  = true
  skip_region_validation   = true
}

provider "aws" {
  alias                    = "destination"
  s3_use_path_style        = true
  skip_metadata_api_check  = true
  skip_region_validation   = true
}
"""

# Prefixes of this machine's settings for AWS and Terraform, which must not reach the embedded AWS.
HIDDEN_PREFIXES = ("AWS_", "TF_")


class DeploymentError(Exception):
    """Terraform could not be run, or failed; the message holds its output."""


def profiles(folder: Path) -> Path:
    """Return the file with the keys of the destination's partition."""
    return folder.resolve() / "profiles"


def initialise(aws: EmbeddedAws, folder: Path, variables: Mapping[str, Any]) -> "Terraform":
    """Copy `terraform/` into a folder and run `terraform init` there.

    Args:
        aws: A started AWS.
        folder: The working folder; Terraform reuses its earlier downloads there.
        variables: The values of Terraform's input variables.

    Returns:
        The `Terraform` of that folder, without state.

    Raises:
        DeploymentError: Terraform is not installed, or finds no provider.
    """
    _copy_configuration(folder, variables)
    terraform = Terraform(folder, _environment(aws, folder, variables))
    terraform.run("init", "-input=false", *plugin_flags(os.environ))
    return terraform


def _copy_configuration(folder: Path, variables: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*"):
        # Downloads stay. An old state describes an AWS that no longer exists.
        if old.is_dir() and old.name != ".terraform":
            shutil.rmtree(old)
        elif old.is_file():
            old.unlink()
    ignored = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfvars", "tests", "backend.tf")
    shutil.copytree(SOURCE, folder, ignore=ignored, dirs_exist_ok=True)
    (folder / "embedded_override.tf").write_text(OVERRIDE, encoding="utf-8")
    (folder / "embedded.auto.tfvars.json").write_text(json.dumps(variables), encoding="utf-8")


def _environment(aws: EmbeddedAws, folder: Path, variables: Mapping[str, Any]) -> dict[str, str]:
    """Return Terraform's environment, with a separate administrator for each partition."""
    source = aws.administrator(aws.region)
    region = variables.get("partition_replicate_destination_region") or aws.region
    profile = variables.get("partition_replicate_destination_profile")
    _write_profile(profiles(folder), profile, aws.administrator(region))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN_PREFIXES)}
    return {
        **inherited,
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": source["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": source["aws_secret_access_key"],
        "AWS_REGION": aws.region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": str(profiles(folder)),
        "TF_DATA_DIR": str(folder.resolve() / ".terraform"),
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
    }


def _write_profile(file: Path, name: str | None, credentials: Mapping[str, str]) -> None:
    keys = "".join(f"{key} = {value}\n" for key, value in credentials.items() if key != "region_name")
    file.write_text(f"[{name}]\n{keys}" if name else "", encoding="utf-8")


def resource_of(line: Mapping[str, Any]) -> str:
    """Return the address of the resource that a JSON line of Terraform is about, or ""."""
    details = line.get("hook") or line.get("change") or {}
    return str(details.get("resource", {}).get("addr", ""))


@dataclass(frozen=True)
class Terraform:
    """Terraform's commands in one folder.

    Attributes:
        folder: The working folder.
        environment: The environment of the commands.
        running: The processes of the running commands.
    """

    folder: Path
    environment: Mapping[str, str]
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def kill(self) -> None:
        """Kill the running commands, with the provider's processes, which are in the same session."""
        for process in list(self.running):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def run(self, *arguments: str) -> str:
        """Run a command to its end and return its output."""
        with self._start(*arguments) as process:
            output, errors = process.communicate()
        if process.returncode:
            raise DeploymentError(f"terraform {arguments[0]} failed:\n{(errors or output).strip()}")
        return output

    def stream(self, *arguments: str) -> Iterator[dict[str, Any]]:
        """Run a command that prints JSON lines, and yield each line as it is printed."""
        errors = []
        with self._start(*arguments, merge_errors=True) as process:
            for text in process.stdout or ():
                line = json.loads(text) if text.startswith("{") else {"type": "text", "@message": text}
                if line.get("@level") == "error":
                    errors.append(_diagnostic(line))
                yield line
        if process.returncode:
            raise DeploymentError(f"terraform {arguments[0]} failed:\n" + "\n".join(errors))

    @contextmanager
    def _start(self, *arguments: str, merge_errors: bool = False) -> Iterator[subprocess.Popen[str]]:
        """Start Terraform in its own session, out of reach of the terminal's Ctrl-C; kill it after an error here."""
        executable = shutil.which("terraform")
        if not executable:
            raise DeploymentError("Terraform is not installed; version 1.11 or newer is needed: run `make terraform`.")
        with subprocess.Popen(
            [executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge_errors else subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            self.running.append(process)
            try:
                yield process
            except BaseException:
                self.kill()
                raise
            finally:
                self.running.remove(process)


def _diagnostic(line: Mapping[str, Any]) -> str:
    diagnostic = line.get("diagnostic", {})
    parts = (diagnostic.get("summary") or line.get("@message", ""), diagnostic.get("address"), diagnostic.get("detail"))
    return "  " + " · ".join(" ".join(str(part).split()) for part in parts if part)
