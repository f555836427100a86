"""A mirror on the real Terraform, and `brigade` pointed at it."""

import json
from contextlib import contextmanager
from pathlib import Path

from local import stack, terraform
from local.demo import partition_replicate as demo
from local.demo.mirror import Mirror
from tests.ops.conftest import Run

DIST = Path(__file__).parents[2] / "dist"


@contextmanager
def deployed_mirror(folder, monkeypatch, **variables):
    """Deploy the mirror of the demo, with the keys of both administrators in the environment; yield the mirror."""
    variables = {**demo.VARIABLES, "package_dir": str(DIST), "archive_copy_enabled": False, **variables}
    with stack.running(variables, folder=folder, prepare=demo.prepare) as running:
        keys = running.aws.admin_credentials
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["aws_access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["aws_secret_access_key"])
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(terraform.profiles(folder)))
        yield Mirror.of(running)


def command_for(mirror, folder, capsys):
    """Return `brigade --json` for a mirror; its outputs go to a file in the folder."""
    file = folder / "outputs.json"
    outputs = {name: {"value": value} for name, value in mirror.stack.outputs.items()}
    file.write_text(json.dumps(outputs), encoding="utf-8")
    aws = mirror.stack.aws
    where = ["--outputs", str(file), "--region", aws.region, "--endpoint-url", aws.endpoint_url]
    return Run(capsys, [*where, "--destination-profile", "mirror", "--json"])
