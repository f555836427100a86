"""The deployment of the project's own Terraform in the embedded AWS, with functions that have no code."""

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import terraform
from local.demo import archive_copy, mirror_check, partition_replicate
from local.deployment import Deployment
from local.embedded_aws import EmbeddedAws
from ops.deployment import Deployment as Deployed

SENDER, RECIPIENT = "uploads@example.org", "data@example.org"
AN_EMPTY_ZIP = b"PK\x05\x06" + bytes(18)
TASKS = "archive_copy", "mirror_check", "partition_replicate", "upload_validate"
VARIABLES = {
    **partition_replicate.VARIABLES,
    **mirror_check.VARIABLES,
    "archive_copy_archives": archive_copy.VARIABLES["archive_copy_archives"] | {"late": {"extensions": [".iso"]}},
    "upload_validate_enabled": True,
    "upload_validate_quarantine_enabled": True,
    "upload_validate_github_repo": "octocat/hello-world",
    "upload_validate_github_key_name": "/demo/github-token",
    "upload_validate_webhook_url": "https://example.org/hook",
    "upload_validate_webhook_key_name": "secretsmanager:demo/webhook#key",
    "upload_validate_error_report_email": RECIPIENT,
    "upload_validate_sender_email": SENDER,
    "upload_validate_ses_identity_enabled": True,
}
VARIABLES["archive_copy_archives"].pop(archive_copy.LATE_ARCHIVE, None)


@dataclass(frozen=True)
class Stage:
    """The deployment.

    Attributes:
        aws: the embedded AWS.
        terraform: Terraform's working folder.
    """

    aws: EmbeddedAws
    terraform: terraform.Terraform

    @property
    def outputs(self) -> Path:
        """A file with Terraform's outputs."""
        file = self.terraform.folder / "outputs.json"
        file.write_text(self.terraform.run("output", "-json"), encoding="utf-8")
        return file

    def deployed(self):
        """Return the deployment as `brigade` sees it."""
        values = json.loads(self.outputs.read_bytes())
        return Deployed.of({name: each["value"] for name, each in values.items()}, "here")

    def planned(self, **variables: Any) -> dict[str, dict[str, Any]]:
        """Return the values of each resource in a plan with other variables, by address."""
        flags = [
            f"-var={name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in variables.items()
        ]
        plan = str(self.terraform.folder.resolve() / "plan")
        self.terraform.run("plan", "-input=false", "-refresh=false", f"-out={plan}", *flags)
        return dict(_resources(json.loads(self.terraform.run("show", "-json", plan))["planned_values"]["root_module"]))


def _resources(module):
    for resource in module.get("resources", []):
        yield resource["address"], resource["values"]
    for child in module.get("child_modules", []):
        yield from _resources(child)


@contextmanager
def deployed(folder: Path):
    """Deploy until the block ends; yield the `Stage`."""
    for task in TASKS:
        (folder / f"{task}.zip").write_bytes(AN_EMPTY_ZIP)
    with EmbeddedAws() as aws:
        own = {"package_dir": str(folder), **partition_replicate.prepare(aws)}
        made = terraform.initialise(aws, folder / "work", {**VARIABLES, **own})
        with Deployment(made, lambda progress: None) as deployment:
            deployment.wait()
        prepare(aws)
        yield Stage(aws, made)


def prepare(aws):
    """Do what Terraform leaves to people: keys, verified addresses, and the source's own settings."""
    aws.client("ssm").put_parameter(Name="/demo/github-token", Value="hidden", Type="SecureString")
    aws.client("secretsmanager").create_secret(Name="demo/webhook", SecretString='{"key": "hidden"}')
    aws.client("ses").verify_email_identity(EmailAddress=RECIPIENT)
    blocked = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    source = VARIABLES["partition_replicate_source_bucket"]
    aws.client("s3").put_public_access_block(Bucket=source, PublicAccessBlockConfiguration=blocked)
