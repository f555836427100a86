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
from local.demo.keep import MALFORMED, REJECTED, UPLOADED
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

    def read_rows(self, *patterns):
        """Read lines until each pattern has matched one, in any order."""
        missing = set(patterns)
        while missing:
            line = self.read_until("|".join(missing)).string
            missing = {pattern for pattern in missing if not re.search(pattern, line)}

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
            "planted_found": 1,
            "planted_left": 0,
            "seconds": None,
        }
        assert_tables_have_heads_and_reasons(running.lines)
        # No output so far has an access key; the commands below name the keys of the user.
        assert not [line for line in running.lines if access_keys.KEY_ID.search(line)]
        pasted, hints = printed_commands(running)
        terminal = Terminal(tmp_path / "terraform", tmp_path / "tools", pasted)
        follow_the_hints(running, terminal, hints)
        run_documentation(terminal, partial(client_of, pasted), running.read_until)
        running.interrupt()
        assert running.end() == (0, [])


def assert_tables_have_heads_and_reasons(lines):
    for head in (
        "key destination attempts seconds",
        "event key mirror attempts seconds",
        "verdict set file and reason",
    ):
        assert head in [" ".join(line.split()) for line in lines]
    reason = 'bucket_map does not contain values for ".jpg" or "other"; its extensions are .csv, .hdf, .iso, .met'
    assert any(reason in line for line in lines)
    assert any(
        re.search(r"^rejected +E06000023/\S+ +empty.csv: Expected file to be at least 1KB$", line) for line in lines
    )


def printed_commands(running):
    """Return the lines to paste first, and the hints: the commands of each task by its name."""
    running.read_until("paste this first")
    running.read_until("^task +result +key +destination or reason$")
    start = next(number for number, line in enumerate(running.lines) if "paste this first" in line)
    pasted, *others = "\n".join(running.lines[start + 1 :]).split("\n\n")
    hints = {}
    for title, *commands in map(str.splitlines, others[:-1]):
        hints.setdefault(title.split(":")[0], []).extend(commands)
    return pasted.splitlines(), hints


def client_of(pasted, service, region_name=None):
    """Return a boto3 client with the environment that the demo prints."""
    exported = dict(re.findall(r"^export (\w+)=(.*)$", "\n".join(pasted), re.MULTILINE))
    session = boto3.session.Session(
        exported["AWS_ACCESS_KEY_ID"], exported["AWS_SECRET_ACCESS_KEY"], region_name=exported["AWS_DEFAULT_REGION"]
    )
    return session.client(service, endpoint_url=exported["AWS_ENDPOINT_URL"], region_name=region_name)


def follow_the_hints(running, terminal, hints):
    """Paste every printed command, in order, and read the row of each result."""
    assert list(hints) == ["archive_copy", "partition_replicate", "upload_validate", "Terraform"]
    *restore, read, letters = hints["archive_copy"]
    by_hand = archive_copy.LEFT_FROZEN
    terminal.run(*restore)
    running.read_rows(
        rf"^archive_copy +archived +{re.escape(by_hand.key)}  +s3://",
        r'^archive_copy +dead-lettered +pictures/unmapped.png  +bucket_map does not .* "\.png" or "other"',
    )
    assert by_hand.body.decode() in terminal.run(read)
    assert terminal.run(letters).count("bucket_map does not contain values for") == 2
    write, look = hints["partition_replicate"]
    terminal.run(write)
    running.read_until(r"^partition_replicate +replicated +by-hand.txt  +s3://")
    assert "by-hand.txt" in terminal.run(look)
    good, wrong, malformed, look = hints["upload_validate"]
    terminal.run(good)
    running.read_until(rf"^upload_validate +published +{UPLOADED}  +1 file$")
    terminal.run(wrong)
    running.read_until(rf"^upload_validate +rejected +{REJECTED}  +short.csv: Expected file to be at least 1KB")
    terminal.run(malformed)
    running.read_until(
        rf"^upload_validate +nothing to do +s3://\S+/{MALFORMED}stations.csv.*  +its key is not of the form"
    )
    assert f"{UPLOADED}stations.csv" in terminal.run(look)
    planned = terminal.run(*hints["Terraform"])
    assert "dead_letter_queue_url" in planned
    assert "No changes." in planned


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
    with stack.running(variables, folder=folder / "work"):
        pytest.fail("the apply should have failed")
