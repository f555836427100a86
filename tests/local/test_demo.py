"""The demo in a pipe: kept up, used with the AWS CLI, interrupted."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import boto3
import pytest

from local import stack
from local.demo import access_keys, archive_copy
from local.embedded_aws import EmbeddedAws
from local.terraform import DeploymentError
from tests.local.documentation import run_documentation
from tests.support import subreaper
from tests.support.snippets import Terminal

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not shutil.which("terraform") and os.environ.get("CI") != "true", reason="Terraform is not installed"
)


class Demo:
    """A running demo."""

    def __init__(self, process):
        self._process = process
        self.lines = []

    def read_until(self, pattern):
        """Read lines up to the first match, and return the match."""
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            if found := re.search(pattern, line):
                return found
        raise AssertionError("the demo ended without a match in these lines:\n" + "\n".join(self.lines))

    def interrupt(self):
        self._process.send_signal(signal.SIGINT)

    def end(self):
        """Wait for its end; return the exit status and the remaining processes."""
        report = json.loads(self.read_until(r'^\{"status"').string)
        # pytest shows this if a later assertion fails.
        print(*self.lines, sep="\n")
        return report["status"], report["left"]


@contextmanager
def demo(folder, **environment):
    demo_command = [sys.executable, "-m", "local.demo", "--folder", str(folder)]
    command = [sys.executable, "-m", "tests.support.subreaper", *demo_command]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with subprocess.Popen(
        command, cwd=ROOT, env={**inherited, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield Demo(process)
        finally:
            process.terminate()


def keys(client, bucket):
    return [found["Key"] for found in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.mark.long
def test_demo_shows_every_task_stays_up_for_the_cli_and_leaves_nothing_behind(tmp_path):
    with demo(tmp_path, KEEP="1") as running:
        running.read_until(r"15 objects restored: 14 archived and verified \(1 after retries\), 1 in the dead-letter")
        running.read_until(r"\d+ changes mirrored, 1 large object .* after a crash, 1 poison message .*, 0 differences")
        running.read_until("5 sets judged: 2 published, 3 rejected; 1 issue with 1 comment, 2 e-mails, 5 webhook calls")
        summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
        assert {**summary, "seconds": None} == {
            "objects": 15,
            "copied": 14,
            "retried": 1,
            "dead_lettered": 1,
            "lost": 0,
            "replicated": 23,
            "differences": 0,
            "resumed": 1,
            "access_keys": 0,
            "published": 2,
            "rejected": 3,
            "issues": 1,
            "mails": 2,
            "webhooks": 5,
            "seconds": None,
        }
        # No output so far has an access key; the commands below name the keys of the user.
        assert not [line for line in running.lines if access_keys.KEY_ID.search(line)]
        environment = {name: running.read_until(rf"^export {name}=(.*)$")[1] for name in NAMES}
        use_the_cli(running, environment)
        terminal = Terminal(tmp_path / "terraform", tmp_path / "tools", environment)
        # Exit status 0 means an empty plan.
        terminal.run("terraform plan -input=false -no-color -lock=false -detailed-exitcode")
        run_documentation(terminal, partial(client_of, environment), running.read_until)
        running.interrupt()
        assert running.end() == (0, [])


NAMES = (
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_DEFAULT_REGION",
    "AWS_SHARED_CREDENTIALS_FILE",
)


def client_of(environment, service, region_name=None):
    """Return a client with the environment that the demo prints."""
    endpoint, key_id, secret, region, _ = environment.values()
    session = boto3.session.Session(key_id, secret, region_name=region)
    return session.client(service, endpoint_url=endpoint, region_name=region_name)


def use_the_cli(running, environment):
    """Restore an object and write one with the printed commands, and wait for their arrival."""
    s3, there = client_of(environment, "s3"), client_of(environment, "s3", region_name="us-gov-west-1")
    bucket = running.read_until(r"^aws s3 ls --recursive s3://(\S+)")[1]
    archive = running.read_until(r"^aws s3 cp 's3://([^/]+)/")[1]
    source = running.read_until(r"^aws s3 cp README.md s3://([^/]+)/")[1]
    mirror = running.read_until(r"^aws s3 ls --recursive s3://(\S+) --region us-gov-west-1")[1]
    by_hand = archive_copy.LEFT_FROZEN.key
    assert by_hand in keys(s3, bucket)
    assert by_hand not in keys(s3, archive)
    s3.restore_object(Bucket=bucket, Key=by_hand, RestoreRequest={"Days": 1})
    running.read_until(rf"^archived  {re.escape(by_hand)}")
    assert s3.get_object(Bucket=archive, Key=by_hand)["Body"].read() == archive_copy.LEFT_FROZEN.body
    s3.put_object(Bucket=source, Key="README.md", Body=b"by hand")
    running.read_until(r"^replicated  README.md")
    assert there.get_object(Bucket=mirror, Key="README.md")["Body"].read() == b"by hand"


@pytest.mark.long
def test_demo_interrupted_while_terraform_works_leaves_nothing_behind(tmp_path):
    with demo(tmp_path) as running:
        running.read_until("on this machine")
        running.read_until(r"Terraform: \d+ of \d+ resources made")
        running.interrupt()
        assert running.end() == (130, [])


@pytest.mark.long
def test_deployment_without_a_package_names_the_command_to_run(tmp_path):
    with nothing_left_running():
        with pytest.raises(DeploymentError, match="terraform apply failed:\n.*run `make dist`"):
            start_and_stop(tmp_path, package_dir=str(tmp_path / "no-such-folder"))


@pytest.mark.long
def test_apply_that_fails_half_way_reports_the_error_of_aws_and_leaves_nothing_behind(tmp_path, monkeypatch):
    start = EmbeddedAws.start

    def start_without_buckets(aws):
        start(aws)
        aws.faults.add("CreateBucket", times=99, status=403, code="AccessDenied", message="No buckets for you.")

    monkeypatch.setattr(EmbeddedAws, "start", start_without_buckets)
    (tmp_path / "archive_copy.zip").write_bytes(AN_EMPTY_ZIP)
    with nothing_left_running():
        with pytest.raises(DeploymentError, match="terraform apply failed:\n.*AccessDenied.*No buckets for you"):
            start_and_stop(tmp_path, package_dir=str(tmp_path))


@contextmanager
def nothing_left_running():
    """Check that the block leaves no child process; other tests of this process may have servers."""
    before = dict(subreaper.children())
    yield
    assert dict(subreaper.children()).keys() <= before.keys()


AN_EMPTY_ZIP = b"PK\x05\x06" + bytes(18)


def start_and_stop(folder, **variables):
    with stack.running(variables, folder=folder / "work", on_progress=lambda _: None):
        pytest.fail("the apply should have failed")
