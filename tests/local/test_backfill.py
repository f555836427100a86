"""`brigade backfill` on the real Terraform: objects that were there before the mirror reach it, with progress."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local import stack
from local.demo import partition_replicate as demo
from local.demo.comparison import differences, history_differences
from local.demo.mirror import SOURCE, Mirror
from local.terraform import profiles
from tests.ops.conftest import write_outputs
from tests.support.terminals import terminal

ROOT = Path(__file__).parents[2]

# Fewer objects take seconds of a deployment that takes a minute; all of them take five minutes on two cores.
OBJECTS = [pytest.param(500, marks=pytest.mark.long), pytest.param(5000, marks=pytest.mark.chaos)]
ODD_KEYS = ("before/a b+c%2F.txt", "before/déjà vu/🪣.txt", "before/new\nline")
OVERWRITTEN, DELETED = "before/overwritten", "before/deleted"


def keys_of(objects):
    """Return the keys below `before/`."""
    return [*(f"before/{number:04}" for number in range(objects)), *ODD_KEYS, OVERWRITTEN, DELETED]


def write_objects(aws, keys):
    """Write the objects that exist before the deployment."""
    s3 = aws.client("s3")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=SOURCE, Key=key, Body=key.encode()), [*keys, OVERWRITTEN]))
    s3.delete_object(Bucket=SOURCE, Key=DELETED)
    s3.put_object(Bucket=SOURCE, Key="elsewhere", Body=b"not below the prefix")


@pytest.fixture(name="mirror")
def mirror_deployed_after_the_objects(tmp_path, monkeypatch, objects):
    def prepare(aws):
        more = demo.prepare(aws)
        write_objects(aws, keys_of(objects))
        return more

    disabled = {"archive_copy_enabled": False, "upload_validate_enabled": False}
    variables = {"package_dir": str(ROOT / "dist"), **disabled, **demo.VARIABLES}
    with stack.deploying(variables, folder=tmp_path / "terraform", prepare=prepare) as (running, deployment):
        deployment.wait_for("partition_replicate")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", running.aws.admin_credentials["aws_access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", running.aws.admin_credentials["aws_secret_access_key"])
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profiles(running.folder)))
        yield Mirror.of(running)


@pytest.fixture(name="brigade")
def command_in_a_terminal(mirror, tmp_path):
    """Return a function that runs `brigade` as a person does; it returns the status and all that was shown."""
    aws, file = mirror.stack.aws, write_outputs(tmp_path, mirror.stack.outputs)
    where = ["--outputs", str(file), "--region", aws.region, "--endpoint-url", aws.endpoint_url]

    def run(*words):
        line = [sys.executable, "-m", "ops", *where, "--destination-profile", "mirror", *words]
        with terminal(line, ROOT) as shown:
            return shown.wait(), shown.shown

    return run


@pytest.mark.parametrize("objects", OBJECTS)
def test_objects_from_before_the_mirror_are_backfilled_with_progress(mirror, brigade, objects):
    # The versions without delete markers, and the objects that are current.
    versions, current = len(keys_of(objects)) + 1, len(keys_of(objects)) - 1
    sides = (mirror.source, SOURCE, mirror.destination, mirror.outputs["destination_bucket"])
    assert len(list(differences(*sides))) > objects

    status, shown = brigade("backfill", "start", "--prefix", "before/", "--yes")
    assert status == 0, shown
    assert f"Complete, {versions:,} succeeded, 0 failed of {versions:,}" in shown
    progress = [int(done) for done in re.findall(rf" (\d+)/{versions} ", shown)]
    assert progress == sorted(progress) and any(0 < done < versions for done in progress), progress

    status, shown = brigade("check", "--prefix", "before/")
    assert status == 0 and f"both sides are equal: {current:,} keys ({current:,} equal)" in shown, shown
    status, shown = brigade("check")
    assert status == 1 and f"1 difference: {current + 1:,} keys ({current:,} equal, 1 missing)" in shown, shown

    assert brigade("backfill", "start", "--prefix", "elsewhere", "--yes")[0] == 0
    status, shown = brigade("check")
    assert status == 0 and "both sides are equal" in shown, shown
    assert not list(differences(*sides))
    assert not list(history_differences(*sides))
