"""A key in place of its name, or a URL with a user, is refused without being shown."""

import os
import shutil
import subprocess

import pytest

from local import terraform
from local.embedded_aws import EmbeddedAws

CANARY = "canary-0123456789"
AN_EMPTY_ZIP = b"PK\x05\x06" + bytes(18)
PASTED = {
    "upload_validate_github_key_name": f"ghp_{CANARY}",
    "upload_validate_webhook_key_name": CANARY,
    "upload_validate_sentry_dsn_name": f"https://{CANARY}@sentry.example/1",
    "upload_validate_github_api_url": f"https://user:{CANARY}@api.example",
    "upload_validate_webhook_url": f"https://user:{CANARY}@hook.example",
    "upload_validate_council_api_url": f"https://user:{CANARY}@councils.example",
    "partition_replicate_destination_endpoint_url": f"https://{CANARY}:{CANARY}@store.example",
}

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not shutil.which("terraform") and os.environ.get("CI") != "true", reason="Terraform is not installed"
    ),
]


def test_plan_refuses_each_pasted_secret_without_showing_it(tmp_path):
    for task in ("archive_copy", "upload_validate"):
        (tmp_path / f"{task}.zip").write_bytes(AN_EMPTY_ZIP)
    variables = {
        "package_dir": str(tmp_path),
        "upload_validate_enabled": True,
        "upload_validate_github_repo": "owner/repo",
        **PASTED,
    }
    with EmbeddedAws() as aws:
        deployment = terraform.initialise(aws, tmp_path / "work", variables)
        command = ["terraform", "plan", "-input=false", "-no-color"]
        finished = subprocess.run(
            command, cwd=deployment.folder, env=deployment.environment, capture_output=True, text=True, check=False
        )
    output = finished.stdout + finished.stderr
    assert finished.returncode
    assert [name for name in PASTED if name not in output] == []
    assert CANARY not in output
    assert not list(deployment.folder.glob("*.tfstate"))
