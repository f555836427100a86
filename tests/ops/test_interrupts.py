"""Ctrl-C leaves nothing half done: files, messages and moves. The tests of each command have more of it."""

import json
import os

import pytest

from ops import letter_reader
from ops.checking import repair
from ops.errors import ExitStatus
from tests.ops.conftest import SOURCE
from tests.ops.letters import Letters

KEYS = [f"{number:02}" for number in range(25)]
OLD = "of an earlier check\n"


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    monkeypatch.setattr(letter_reader, "WAIT_SECONDS", 0)


@pytest.fixture(name="letters")
def queues_of_the_deployment(aws, outputs):
    return Letters(aws.client("sqs"), outputs)


@pytest.fixture(name="source")
def source_with_keys_that_the_mirror_lacks(aws, outputs):
    assert outputs
    s3 = aws.client("s3")
    for key in KEYS:
        s3.put_object(Bucket=SOURCE, Key=key, Body=b"1")
    return s3


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("before", [None, OLD])
def test_interrupted_check_writes_no_files(brigade, ctrl_c, tmp_path, before):
    files = [tmp_path / "combined", tmp_path / "rows.csv"]
    for file in files if before else ():
        file.write_text(before, encoding="utf-8")
    words = ("check", "--combined", str(files[0]), "--csv", str(files[1]))
    # The causes are found after the listings, so the files have lines by then.
    ctrl_c("GetQueueAttributes")
    assert brigade(*words) == ExitStatus.INTERRUPTED
    assert [file.read_text(encoding="utf-8") if file.exists() else None for file in files] == [before, before]
    assert not list(tmp_path.glob("*.unfinished"))

    assert brigade(*words) == ExitStatus.DIFFERENT
    assert [len(file.read_text(encoding="utf-8").splitlines()) for file in files] == [len(KEYS), len(KEYS) + 1]
    assert not list(tmp_path.glob("*.unfinished"))


def test_failed_check_writes_no_file(brigade, source, tmp_path):
    for key in KEYS:
        source.delete_object(Bucket=SOURCE, Key=key)
    source.delete_bucket(Bucket=SOURCE)
    assert brigade("check", "--csv", str(tmp_path / "rows.csv")) == ExitStatus.FAILED
    assert [file.name for file in tmp_path.iterdir()] == ["outputs.json"]


@pytest.mark.usefixtures("source")
def test_pipe_and_device_are_written_directly(brigade):
    reader, writer = os.pipe()
    assert brigade("check", "--csv", os.devnull, "--combined", f"/dev/fd/{writer}") == ExitStatus.DIFFERENT
    os.close(writer)
    with open(reader, encoding="utf-8") as lines:
        assert sorted(lines) == [f"+ {key}\n" for key in KEYS]


@pytest.mark.usefixtures("source")
def test_interrupted_repair_has_sent_whole_messages_and_the_next_one_sends_the_others(brigade, letters, ctrl_c):
    ctrl_c("SendMessageBatch", 2)
    words = ("check", "--repair", "--no-wait")
    assert brigade(*words) == ExitStatus.INTERRUPTED
    sent = keys_in(letters)
    assert 10 <= len(sent) < len(KEYS) and set(sent) <= set(KEYS)
    assert brigade(*words) == ExitStatus.DIFFERENT
    assert sorted(keys_in(letters)) == KEYS


@pytest.mark.usefixtures("source")
def test_interrupted_wait_of_a_repair_leaves_its_messages(brigade, letters, monkeypatch):
    def press(_seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(repair.time, "sleep", press)
    assert brigade("check", "--repair") == ExitStatus.INTERRUPTED
    assert "sent 25 messages to the queue" in brigade.out
    assert sorted(keys_in(letters)) == KEYS


@pytest.mark.usefixtures("source")
def test_disk_that_is_full_is_one_sentence(brigade):
    assert brigade("check", "--csv", "/dev/full") == ExitStatus.FAILED
    assert brigade.err == "error: the output cannot be written: No space left on device\n"


def keys_in(letters):
    bodies = letters.bodies("partition_replicate", "queue")
    return [json.loads(body)["detail"]["object"]["key"] for body in bodies]


def test_ctrl_c_while_a_move_is_started_cancels_it(brigade, letters, ctrl_c):
    letters.archive("a.txt", "b.txt")
    ctrl_c("StartMessageMoveTask")
    assert brigade("dead", "redrive", "--yes", "--rate", "1") == ExitStatus.INTERRUPTED
    arn = letters.sqs.get_queue_attributes(
        QueueUrl=letters.url("archive_copy", "dead_letter_queue"), AttributeNames=["QueueArn"]
    )["Attributes"]["QueueArn"]
    (task,) = letters.sqs.list_message_move_tasks(SourceArn=arn)["Results"]
    assert task["Status"] in ("CANCELLING", "CANCELLED")
