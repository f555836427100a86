"""`brigade status` and `brigade explain` on the real Terraform, in a situation that each of them has to find."""

import json
import re
import signal
import sys
from itertools import count
from pathlib import Path

import pytest

from local import stack
from local.demo import partition_replicate as demo
from local.demo.mirror import SOURCE, Mirror
from local.terraform import profiles
from tests.local.lambda_deployment import eventually
from tests.ops.conftest import Run, write_outputs
from tests.ops.letters import restored
from tests.permissions.steps import Task
from tests.support.terminals import terminal

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
# Every wait is for some seconds of work; a busy machine takes longer.
SECONDS = 90

DONE, FAILED, FROZEN = "by hand/done", "by hand/failed once", "by hand/frozen"
WAITING, TAKEN, UNDELIVERED = "by hand/waiting", "by hand/taken", "by hand/undelivered"
UNMAPPED = "pictures/unmapped.png"
ARCHIVES = {"documents": {"extensions": [".txt"]}}


class Situation:
    """A deployment with an object for each thing that can happen to one.

    Attributes:
        mirror: the mirror.
        archive: the task `archive_copy`.
        replicate: the function that mirrors.
    """

    def __init__(self, running):
        self.stack, self.aws = running, running.aws
        self.mirror = Mirror.of(running)
        outputs, archive = self.mirror.outputs, running.outputs["archive_copy"]
        self.archive = Task(running, archive["function_name"], archive["queue_url"])
        self.replicate = Task(running, outputs["replicate_function_name"], outputs["queue_url"])
        self.enqueue = Task(running, outputs["enqueue_function_name"], outputs["recheck_queue_url"])
        self.sqs = running.aws.client("sqs")

    def plant(self):
        """Let one object of each kind happen, those first that need a function which still gets its messages."""
        source, outputs = self.mirror.source, self.mirror.outputs
        with self.replicate.logging("replicated", key=DONE):
            source.put_object(Bucket=SOURCE, Key=DONE, Body=b"done")
        with self.replicate.logging("dead-lettered", key=FROZEN):
            source.put_object(Bucket=SOURCE, Key=FROZEN, Body=b"cold", StorageClass="GLACIER")
        with self.enqueue.logging("dead-lettered"):
            self.enqueue.send("{", DelaySeconds=0)
        self.plant_dead_letter_of_the_archive()
        fault = {"bucket": outputs["destination_bucket"], "key": FAILED, "status": 503, "code": "SlowDown"}
        self.aws.faults.add("PutObject", times=5, **fault)
        with self.replicate.logging("will be retried", key=FAILED), self.replicate.logging("replicated", key=FAILED):
            source.put_object(Bucket=SOURCE, Key=FAILED, Body=b"slow")
        self._switch_off()
        for key in (TAKEN, WAITING):
            source.put_object(Bucket=SOURCE, Key=key, Body=b"1")
            eventually(lambda: self._count(outputs["queue_url"]), SECONDS)
            if key == TAKEN:
                self.sqs.receive_message(QueueUrl=outputs["queue_url"], VisibilityTimeout=600)
        self._forbid_the_rule()
        source.put_object(Bucket=SOURCE, Key=UNDELIVERED, Body=b"1")
        eventually(lambda: self._count(outputs["undelivered_queue_url"]), SECONDS)

    def plant_dead_letter_of_the_archive(self):
        bucket = self.stack.outputs["archive_copy"]["source_bucket"]
        self.aws.client("s3").put_object(Bucket=bucket, Key=UNMAPPED, Body=b"1")
        with self.archive.logging("dead-lettered", key=UNMAPPED):
            self.archive.send(restored(UNMAPPED, bucket))

    def _count(self, url):
        names = ["ApproximateNumberOfMessages"]
        return int(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][names[0]])

    def _switch_off(self):
        """Stop the messages to `replicate`; a poll that is under way may still take one."""
        functions, queue = self.aws.client("lambda"), self.mirror.outputs["queue_url"]
        (mapping,) = functions.list_event_source_mappings(FunctionName=self.replicate.name)["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        for number in count():
            key = f"by hand/last {number}"
            self.mirror.source.put_object(Bucket=SOURCE, Key=key, Body=b"1")
            if eventually(lambda key=key: self._count(queue) or self._is_mirrored(key), SECONDS) is not True:
                break
        (message,) = self.sqs.receive_message(QueueUrl=queue)["Messages"]
        self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    def _is_mirrored(self, key):
        lines = self.stack.functions.logs(self.replicate.name)
        return any(f'"{key}"' in line and '"replicated"' in line for line in lines)

    def _forbid_the_rule(self):
        functions, name = self.aws.client("lambda"), self.enqueue.name
        (statement,) = json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]
        functions.remove_permission(FunctionName=name, StatementId=statement["Sid"])


@pytest.fixture(name="situation", scope="module")
def planted_situation(tmp_path_factory):
    variables = {
        **demo.VARIABLES,
        "package_dir": str(ROOT / "dist"),
        "archive_copy_archives": ARCHIVES,
        "upload_validate_enabled": False,
    }
    folder = tmp_path_factory.mktemp("terraform")
    with stack.deploying(variables, folder=folder, prepare=demo.prepare) as (running, deployment):
        for task in ("archive_copy", "partition_replicate"):
            deployment.wait_for(task)
        found = Situation(running)
        found.plant()
        yield found


@pytest.fixture(name="options")
def global_options(situation, tmp_path, monkeypatch):
    keys = situation.aws.admin_credentials
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["aws_secret_access_key"])
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profiles(situation.stack.folder)))
    file = write_outputs(tmp_path, situation.stack.outputs)
    where = ["--outputs", str(file), "--region", situation.aws.region, "--endpoint-url", situation.aws.endpoint_url]
    return [*where, "--destination-profile", "mirror"]


@pytest.fixture(name="brigade")
def command(options, capsys):
    return Run(capsys, options)


def test_status_counts_what_waits_moves_and_failed(situation, brigade):
    assert brigade("--json", "status") == 1
    states = {(one["task"], one["queue"]): one for one in brigade.records if "task" in one}
    keys, rechecks = states["partition_replicate", "keys"], states["partition_replicate", "rechecks"]
    assert (keys["waiting"], keys["in_flight"], keys["delayed"], keys["dead_letters"]) == (1, 1, 0, 1)
    assert keys["changed"] >= 2 and keys["failed"] == 2
    assert 0 <= keys["oldest_seconds"] < 600 and 0 <= keys["lag_seconds"] < 600
    assert keys["error"]["key"] == FAILED and "SlowDown" in keys["error"]["reason"]
    assert (rechecks["waiting"], rechecks["in_flight"], rechecks["dead_letters"]) == (0, 0, 1)
    assert "not JSON" in rechecks["error"]["reason"]
    assert states["partition_replicate", "undelivered"]["dead_letters"] == 1
    archive = states["archive_copy", "events"]
    assert (archive["waiting"], archive["dead_letters"], archive["changed"], archive["failed"]) == (0, 1, 0, 1)
    assert (archive["oldest_seconds"], archive["error"]["key"]) == (None, UNMAPPED)
    warnings = [one["warning"] for one in brigade.records if "warning" in one]
    name = situation.replicate.name
    assert [warning.startswith(f"{name} gets no messages: its event source") for warning in warnings] == [True]


STORIES = {
    DONE: (0, r"both sides are equal", {"INFO: replicated"}),
    FAILED: (0, r"both sides are equal", {"ERROR: will be retried", "INFO: replicated"}),
    FROZEN: (1, r"the source is in GLACIER .* a dead letter waits for a redrive, because ", {"ERROR: dead-lettered"}),
    WAITING: (1, r"the mirror lacks the object: the queues hold \d messages, maybe about it", set()),
    TAKEN: (1, r"the mirror lacks the object: the queues hold \d messages, maybe about it", set()),
    UNDELIVERED: (1, r"the mirror lacks the object: a dead letter waits for a redrive, because of ", set()),
}
# The ends of the names of the queues that hold their dead letters.
LETTERS = {FROZEN: ["letters.fifo"], UNDELIVERED: ["undelivered"]}


@pytest.mark.parametrize("key", STORIES)
def test_explain_tells_the_story_of_an_object(situation, brigade, key):
    wanted, conclusion, lines = STORIES[key]
    assert brigade("--json", "explain", f"s3://{SOURCE}/{key}") == wanted
    facts = {record["fact"]: record["where"] for record in brigade.records if "fact" in record}
    (concluded,) = [record["conclusion"] for record in brigade.records if "conclusion" in record]
    assert re.match(conclusion, concluded), concluded
    # The table has the name of the function.
    own = {text.partition(",")[0] for text, where in facts.items() if where == situation.replicate.name}
    shown = {text for text in own if re.match("[A-Z]+: ", text)}
    assert shown == lines
    places, is_mirrored = set(facts.values()), wanted == 0
    assert (situation.mirror.outputs["destination_bucket"] in places) == is_mirrored
    assert any(text.startswith("version row: ") for text in facts) == is_mirrored
    assert ("work queues" in places) and SOURCE in places
    letters = [where for text, where in facts.items() if text.startswith("dead letter: ")]
    assert [each.rpartition("-")[2] for each in letters] == LETTERS.get(key, [])


def test_explain_names_the_archive_that_is_missing(situation, brigade):
    bucket = situation.stack.outputs["archive_copy"]["source_bucket"]
    assert brigade("explain", f"s3://{bucket}/{UNMAPPED}") == 1
    assert re.search(r"conclusion: no archive takes the object .*\.png.*: a dead letter waits", brigade.out)
    assert "ERROR: dead-lettered" in brigade.out


def test_watch_shows_a_change_and_ends_with_ctrl_c(situation, options):
    words = [sys.executable, "-m", "ops", *options, "status", "--task", "archive_copy", "--watch", "1"]
    row = r"archive_copy +events +0 +0 +0 +- +{} "
    with terminal(words, ROOT) as shown:
        assert shown.read_until(row.format(1)), shown.shown
        situation.plant_dead_letter_of_the_archive()
        assert shown.read_until(row.format(2)), shown.shown
        shown.process.send_signal(signal.SIGINT)
        assert shown.wait() == 0, shown.shown
    assert "Traceback" not in shown.shown and "error" not in shown.shown.replace("last error", "")
