"""Terraform, applied to the embedded AWS: the project's own files, with only the provider's address overridden."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.embedded_aws import EmbeddedAws
from scripts.terraform_mirror import plugin_flags

SOURCE = Path(__file__).parent.parent / "terraform"

# Merged into terraform/providers.tf. An IP address has no bucket subdomains, and no machine metadata is asked for here.
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

# Most of an apply is the provider waiting for AWS to settle, so everything may wait at the same time.
PARALLELISM = 30

# Of this machine's own settings for AWS and Terraform none may reach the embedded AWS.
FOREIGN = ("AWS_", "TF_")


class DeploymentError(Exception):
    """Terraform could not be run, or failed; the text holds what it said."""


@dataclass(frozen=True)
class Progress:
    """How far Terraform is.

    Attributes:
        done: resources that are made.
        planned: resources that will be made in all, 0 while that is not known.
        current: the address of the resource that was begun or finished last, or what else goes on.
    """

    done: int
    planned: int
    current: str


def apply(
    aws: EmbeddedAws, folder: Path, variables: Mapping[str, Any], *, on_progress: Callable[[Progress], None]
) -> dict[str, Any]:
    """Applies `terraform/` to an embedded AWS.

    Args:
        aws: a started one, with nothing in it that an earlier apply made.
        folder: where to work; what Terraform downloaded there is used again.
        variables: the values of Terraform's input variables.
        on_progress: is called whenever a resource is begun or finished, and every few seconds in between.

    Returns:
        The outputs, by name.

    Raises:
        DeploymentError: Terraform is not there, finds no provider, or fails.
    """
    on_progress(Progress(0, 0, "terraform init"))
    terraform = initialised(aws, folder, variables)
    planned = done = 0
    for line in terraform.stream("apply", "-auto-approve", "-input=false", "-json", f"-parallelism={PARALLELISM}"):
        if line["type"] == "planned_change":
            planned += 1
        if line["type"] == "apply_complete" and line["hook"].get("action") == "create":
            done += 1
        if line["type"] in ("planned_change", "apply_start", "apply_progress", "apply_complete"):
            on_progress(Progress(done, planned, _resource(line)))
    outputs = json.loads(terraform.run("output", "-json"))
    return {name: output["value"] for name, output in outputs.items()}


def profiles(folder: Path) -> Path:
    """Gives the file that has the keys of the destination's partition."""
    return folder.resolve() / "profiles"


def initialised(aws: EmbeddedAws, folder: Path, variables: Mapping[str, Any]) -> "Terraform":
    """Lays `terraform/` out in a folder for an embedded AWS and initialises it.

    Args:
        aws: a started one.
        folder: where to work; what Terraform downloaded there is used again.
        variables: the values of Terraform's input variables.

    Returns:
        The `Terraform` of that folder, which has no state yet.

    Raises:
        DeploymentError: Terraform is not there, or finds no provider.
    """
    _lay_out(folder, variables)
    terraform = Terraform(folder, _environment(aws, folder, variables))
    terraform.run("init", "-input=false", *plugin_flags(os.environ))
    return terraform


def _lay_out(folder: Path, variables: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*"):
        # What was downloaded stays; the state is of an AWS that is gone.
        if old.is_dir() and old.name != ".terraform":
            shutil.rmtree(old)
        elif old.is_file():
            old.unlink()
    ignored = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfvars", "tests", "backend.tf")
    shutil.copytree(SOURCE, folder, ignore=ignored, dirs_exist_ok=True)
    (folder / "embedded_override.tf").write_text(OVERRIDE, encoding="utf-8")
    (folder / "embedded.auto.tfvars.json").write_text(json.dumps(variables), encoding="utf-8")


def _environment(aws: EmbeddedAws, folder: Path, variables: Mapping[str, Any]) -> dict[str, str]:
    """Gives Terraform an administrator for each partition, whom no other partition knows."""
    source = aws.administrator(aws.region)
    region = variables.get("partition_replicate_destination_region") or aws.region
    profile = variables.get("partition_replicate_destination_profile")
    _write_profile(profiles(folder), profile, aws.administrator(region))
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {
        **own,
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


def _resource(line: Mapping[str, Any]) -> str:
    about = line.get("hook") or line.get("change") or {}
    return about.get("resource", {}).get("addr", "")


@dataclass(frozen=True)
class Terraform:
    """Terraform's commands in one folder.

    Attributes:
        folder: where it works.
        environment: what it runs with.
    """

    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> str:
        """Runs a command to its end and returns what it printed."""
        with self._started(*arguments) as process:
            said, complained = process.communicate()
        if process.returncode:
            raise DeploymentError(f"terraform {arguments[0]} failed:\n{(complained or said).strip()}")
        return said

    def stream(self, *arguments: str) -> Iterator[dict[str, Any]]:
        """Runs a command that prints JSON lines, and yields them as they come."""
        errors = []
        with self._started(*arguments, together=True) as process:
            for text in process.stdout:
                line = json.loads(text) if text.startswith("{") else {"type": "text", "@message": text}
                if line.get("@level") == "error":
                    errors.append(_diagnostic(line))
                yield line
        if process.returncode:
            raise DeploymentError(f"terraform {arguments[0]} failed:\n" + "\n".join(errors))

    @contextmanager
    def _started(self, *arguments: str, together: bool = False) -> Iterator[subprocess.Popen]:
        """Starts Terraform in a session of its own, so that Ctrl-C reaches it through us, in order, or not at all."""
        executable = shutil.which("terraform")
        if not executable:
            raise DeploymentError("Terraform is not installed; version 1.11 or newer is needed.")
        with subprocess.Popen(
            [executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if together else subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            except BaseException:
                # The provider's processes are in the same session; the state of an AWS that goes away is no loss.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise


def _diagnostic(line: Mapping[str, Any]) -> str:
    about = line.get("diagnostic", {})
    parts = (about.get("summary") or line.get("@message", ""), about.get("address"), about.get("detail"))
    return "  " + " · ".join(" ".join(str(part).split()) for part in parts if part)
