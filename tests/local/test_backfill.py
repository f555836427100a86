"""`brigade backfill` on the real Terraform: objects that were there before the mirror reach it, with progress."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local import stack
from local.demo import partition_replicate as demo
from local.demo.comparison import differences, history_differences
from local.demo.mirror import SOURCE, Mirror
from ops.cli import main

ROOT = Path(__file__).parents[2]

# Far more than the job passes on at once.
OBJECTS = 200
ODD_KEYS = ("before/a b+c%2F.txt", "before/déjà vu/🪣.txt", "before/new\nline")
OVERWRITTEN, DELETED = "before/overwritten", "before/deleted"


def write_objects(aws):
    """Write the objects that exist before the deployment."""
    s3 = aws.client("s3")
    keys = [*(f"before/{number:04}" for number in range(OBJECTS)), *ODD_KEYS, OVERWRITTEN, OVERWRITTEN, DELETED]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=SOURCE, Key=key, Body=key.encode()), keys))
    s3.delete_object(Bucket=SOURCE, Key=DELETED)
    s3.put_object(Bucket=SOURCE, Key="elsewhere", Body=b"not below the prefix")


def prepare(aws):
    variables = demo.prepare(aws)
    write_objects(aws)
    return variables


@pytest.mark.long
def test_objects_from_before_the_mirror_are_backfilled(tmp_path, monkeypatch, capsys):
    disabled = {"archive_copy_enabled": False, "upload_validate_enabled": False}
    variables = {"package_dir": str(ROOT / "dist"), **disabled, **demo.VARIABLES}
    with stack.deploying(variables, folder=tmp_path / "terraform", prepare=prepare) as (running, deployment):
        deployment.wait_for("partition_replicate")
        mirror = Mirror.of(running)
        outputs = tmp_path / "outputs.json"
        outputs.write_text(json.dumps({name: {"value": value} for name, value in running.outputs.items()}))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", running.aws.admin_credentials["aws_access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", running.aws.admin_credentials["aws_secret_access_key"])
        options = [
            "--outputs",
            str(outputs),
            "--region",
            running.aws.region,
            "--endpoint-url",
            running.aws.endpoint_url,
        ]
        sides = (mirror.source, SOURCE, mirror.destination, mirror.outputs["destination_bucket"])
        assert len(list(differences(*sides))) > OBJECTS

        assert main([*options, "--json", "backfill", "start", "--prefix", "before/"]) == 0
        record = json.loads(capsys.readouterr().out.splitlines()[-1])
        versions = OBJECTS + len(ODD_KEYS) + 3
        assert (record["status"], record["succeeded"], record["failed"]) == ("Complete", versions, 0)
        assert [difference.partition(":")[0] for difference in differences(*sides)] == ["elsewhere"]

        assert main([*options, "backfill", "start", "--yes"]) == 0
        assert not list(differences(*sides))
        assert not list(history_differences(*sides))
