"""`brigade prove` on moto. A stand-in does the work of the functions, whenever the command waits."""

import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from ops.commands import prove
from ops.proving import canary, cleaning, mirror, promises
from ops.proving.mirror import LONGEST_KEY
from ops.proving.side import Side
from tests.ops.conftest import ARCHIVE, DESTINATION_REGION, FINAL, MIRROR, NAME, RESTORED, SOURCE, UPLOADS

TASK = "partition_replicate"
BUCKETS = (SOURCE, RESTORED, ARCHIVE, UPLOADS, FINAL)
FEW = ("--objects", "2", "--large", "1kB")
# All odd keys pass through the real stack, in test_prove_on_the_stack.py.
ODD_KEYS = ("plus+plus.txt", "control\x01\x7f.txt")


class StandIn:
    """The functions of the stack: copies what is at a source when the command waits.

    Attributes:
        ignores: a part of the keys that it does not mirror.
        late: objects that it writes to the mirror after the source was emptied.
    """

    def __init__(self, aws):
        self.s3 = aws.client("s3")
        self.far = aws.client("s3", region_name=DESTINATION_REGION)
        self.sqs = aws.client("sqs")
        self.ignores = "no key"
        self.late = []
        self.interrupts = False
        self._copied = {}

    def work(self, _seconds):
        if self.interrupts:
            self.interrupts = False
            raise KeyboardInterrupt
        self._mirror()
        for key in listed(self.s3, RESTORED):
            copy(self.s3, RESTORED, self.s3, ARCHIVE, key)

    def idle(self, _seconds):
        while self.late:
            self.far.put_object(Bucket=MIRROR, Key=self.late.pop(), Body=b"late")

    def _mirror(self):
        here, there = listed(self.s3, SOURCE), listed(self.far, MIRROR)
        for key in here:
            # A listing does not show changed tags.
            if self.ignores not in key and (self._copied.get(key) != here[key] or key.endswith("retagged")):
                copy(self.s3, SOURCE, self.far, MIRROR, key)
        for key in there.keys() - here.keys():
            self.far.delete_object(Bucket=MIRROR, Key=key)
        self._copied = here


def listed(s3, bucket):
    return {each["Key"]: each["ETag"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}


def copy(source, source_bucket, destination, bucket, key):
    found = source.get_object(Bucket=source_bucket, Key=key)
    names = ("ContentType", "CacheControl", "ContentDisposition", "ContentLanguage", "Metadata")
    about = {name: found[name] for name in names if name in found}
    tags = source.get_object_tagging(Bucket=source_bucket, Key=key)["TagSet"] if found.get("TagCount") else []
    tagging = urlencode({tag["Key"]: tag["Value"] for tag in tags})
    destination.put_object(Bucket=bucket, Key=key, Body=found["Body"].read(), Tagging=tagging, **about)


@pytest.fixture(name="stack")
def stand_in_for_the_stack(aws, outputs, monkeypatch):
    """Return the stand-in; the deployment has no annotations, because it does not carry them."""
    functions, name = aws.client("lambda"), outputs[TASK]["replicate_function_name"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    changed = {"Variables": {**variables, "ANNOTATIONS": "ignore", "DEST_SECRET": ""}}
    functions.update_function_configuration(FunctionName=name, Environment=changed)
    rule(aws)
    monkeypatch.setattr(mirror, "ODD_KEYS", ODD_KEYS)
    working = StandIn(aws)
    monkeypatch.setattr(promises, "time", Clock(working.work))
    monkeypatch.setattr(cleaning, "time", Clock(working.idle))
    monkeypatch.setattr(cleaning, "PATIENCE_SECONDS", 5)
    return working


class Clock:
    """A clock that passes only when the command waits, a second at a time."""

    def __init__(self, sleep):
        self._sleep = sleep
        self._now = 0.0

    def monotonic(self):
        return self._now

    def sleep(self, seconds):
        self._now += seconds
        self._sleep(seconds)


def rule(aws, prefixes=()):
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [SOURCE]}}}
    if prefixes:
        pattern["detail"]["object"] = {"key": [{"prefix": prefix} for prefix in prefixes]}
    aws.client("events").put_rule(Name=f"{NAME}-partition-replicate", EventPattern=json.dumps(pattern))


def left(stack):
    here = [key for bucket in BUCKETS for key in listed(stack.s3, bucket)]
    return [*here, *listed(stack.far, MIRROR)]


def proofs(brigade):
    return {each["promise"]: each for each in brigade.records}


def test_working_mirror_is_proven_and_both_sides_are_left_empty(stack, brigade, tmp_path, monkeypatch):
    monkeypatch.setattr(prove, "new_id", lambda now: "20261122T000000Z-abcdef")
    # It arrives at the mirror after this was emptied.
    stack.late = ["brigade-prove/20261122T000000Z-abcdef/late"]
    file = tmp_path / "report.json"
    assert brigade("prove", "--json", "--task", TASK, *FEW, "--report", str(file)) == 0, brigade.err
    found = proofs(brigade)
    assert {each["outcome"] for each in found.values()} == {"ok", "skipped"}
    assert found["annotations are mirrored"]["reason"] == "partition_replicate_annotations is ignore"
    assert found["keys of every kind are mirrored"]["objects"] == len(ODD_KEYS) + 1
    # The stand-in works at the first wait, and a deletion is seen after a second step.
    assert found["a deletion is mirrored"]["seconds_max"] == 1
    assert stack.late == [] and left(stack) == []

    report = json.loads(file.read_text(encoding="utf-8"))
    assert report["schema"] == "brigade-prove/1" and report["left_behind"] == 0
    assert (report["region"], report["partition"]) == ("eu-west-1", "aws")
    assert report["proofs"] == list(found.values())
    function = report["functions"][f"{NAME}-partition-replicate"]
    assert function["settings"] == {"ANNOTATIONS": "ignore", "DELETES": "mirror", "VERSION_DELETES": "keep"}
    assert "123456789012" not in file.read_text(encoding="utf-8")


def test_longest_key_of_a_run_has_as_many_bytes_as_s3_allows():
    run = canary.Canary("20261122T000000Z-abcdef", base="é/")
    odd, *_ = mirror.MirrorProof(
        Side(None, SOURCE), Side(None, MIRROR), {"VERSIONS": "current", "ANNOTATIONS": "ignore"}, run
    ).promises()
    keys = [subject.name for subject in odd.subjects]
    assert max(len(key.encode()) for key in keys) == LONGEST_KEY
    assert all(key.startswith(run.prefix) for key in keys)


def test_object_that_does_not_arrive_is_named_and_removed(stack, brigade):
    stack.ignores = "plus+plus"
    assert brigade("prove", "--task", TASK, *FEW, "--timeout", "3") == 1
    shown = re.sub("prove/[^/]+/", "prove/ID/", brigade.out)
    assert "failed   partition_replicate: keys of every kind are mirrored" in shown
    reason = "1 of 3 did not arrive: brigade-prove/ID/plus+plus.txt: it is not at the destination"
    assert reason in shown and left(stack) == []


def test_interrupted_run_removes_what_it_made(stack, brigade):
    stack.interrupts = True
    assert brigade("prove", "--task", TASK, *FEW) == 130
    assert left(stack) == [] and brigade.err.endswith("stopped\n")


@pytest.mark.parametrize("moment", [("PutObject", 1), ("PutObject", 5), ("DeleteObject", 1)])
def test_ctrl_c_while_a_canary_is_written_removes_it(brigade, stack, ctrl_c, tmp_path, moment):
    report = tmp_path / "report.json"
    ctrl_c(*moment)
    status = brigade("prove", "--task", TASK, *FEW, "--report", str(report))
    assert status == 130 and not report.exists()
    assert left(stack) == []
    uploads = [
        each
        for s3, bucket in ((stack.s3, SOURCE), (stack.far, MIRROR))
        for each in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    ]
    assert uploads == []


def test_kept_objects_stay_until_a_run_after_an_hour_removes_them(stack, brigade, monkeypatch):
    assert brigade("prove", "--task", TASK, *FEW, "--keep") == 0
    kept = left(stack)
    assert len(kept) == 22 and "the objects stay below brigade-prove/" in brigade.err
    stack.s3.put_object(Bucket=SOURCE, Key="brigade-prove/by a person.txt", Body=b"")

    monkeypatch.setattr(canary, "STALE", timedelta(seconds=-5))
    assert brigade("prove", "--task", TASK, *FEW) == 0
    assert "removing what an earlier run left below brigade-prove/" in brigade.err
    assert set(left(stack)) == {"brigade-prove/by a person.txt"}


def test_only_ids_of_runs_are_stale_after_an_hour():
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert canary.is_stale("20261122T105959Z-0a1b2c", now)
    assert not canary.is_stale("20261122T110001Z-0a1b2c", now)
    assert not any(canary.is_stale(other, now) for other in ("by a person.txt", "20251122T105959Z", ""))
    assert not canary.is_stale(canary.new_id(now), now)


def test_filter_of_the_rule_that_excludes_the_prefix_is_named(aws, stack, brigade):
    rule(aws, ["reports/", "images/"])
    assert brigade("prove", "--task", TASK, *FEW) == 2
    assert "the rule takes only keys that begin with reports/ or images/: pass --prefix reports/brig" in brigade.out
    assert brigade.err.endswith("error: nothing could be proven: every promise was skipped\n")
    assert brigade("prove", "--task", TASK, *FEW, "--prefix", "reports/brigade-prove/", "--dry-run") == 0
    assert "keys of every kind are mirrored (3 objects)" in brigade.out and left(stack) == []


def test_archive_is_proven_with_an_event_in_its_queue(stack, brigade, outputs):
    url = outputs["archive_copy"]["queue_url"]
    # The stand-in copies without events; a message stays, so the removal waits as long as it may.
    assert brigade("prove", "--task", "archive_copy") == 0
    (message,) = stack.sqs.receive_message(QueueUrl=url)["Messages"]
    (record,) = json.loads(message["Body"])["Records"]
    assert record["eventName"] == "ObjectRestore:Completed"
    assert record["s3"]["object"]["key"].endswith("/restored+%C3%A9%2B.txt")
    assert left(stack) == []


def test_uploads_are_skipped_where_people_would_be_notified(aws, stack, brigade):
    functions, name = aws.client("lambda"), f"{NAME}-upload-validate"
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    changed = {"Variables": {**variables, "GITHUB_API_KEY": "ssm:/token", "ERROR_REPORT_EMAIL": "a@example.org"}}
    functions.update_function_configuration(FunctionName=name, Environment=changed)
    assert brigade("prove", "--task", "upload_validate") == 2
    assert "GitHub, an e-mail address would be notified: --notify allows that" in brigade.out
    assert "token" not in brigade.out and left(stack) == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--notify",), "no quarantine bucket is deployed"),
        (("--prefix", "a/b"), "the profile's layout excludes a/b/"),
    ],
)
def test_uploads_that_cannot_be_proven_say_why(stack, brigade, options, reason):
    brigade("prove", "--task", "upload_validate", "--timeout", "1", *options)
    assert reason in brigade.out and left(stack) == []


def test_dry_run_writes_nothing(stack, brigade):
    assert brigade("prove", "--dry-run", *FEW) == 0
    assert "partition_replicate: 2 small objects are mirrored (2 objects)" in brigade.out
    assert left(stack) == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--task", "nothing"), "--task should be one of these: archive_copy, partition_replicate, upload_validate"),
        (("--prefix", "/"), "--prefix should be a prefix of 1 to 499 bytes"),
        (("--large", "big"), "--large should be a size above 0"),
        (("--report", "no/folder/report.json"), "error: no/folder/report.json cannot be written"),
    ],
)
def test_wrong_option_is_one_sentence(stack, brigade, options, sentence):
    assert brigade("prove", *options) == 2
    assert sentence in brigade.err and brigade.err.count("\n") == 1
    assert left(stack) == []


def test_bucket_that_is_missing_is_one_sentence(stack, brigade):
    stack.s3.delete_bucket(Bucket=SOURCE)
    assert brigade("prove", "--task", TASK, *FEW) == 2
    assert "NoSuchBucket" in brigade.err and "Traceback" not in brigade.err
