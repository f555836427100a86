"""The judge of a run names what is wrong, and nothing else."""

from types import SimpleNamespace

import pytest

from tests.chaos.changes import ARCHIVE, MIRROR, POISON, UNMAPPED, Change
from tests.chaos.command import Answer
from tests.chaos.judge import Judge
from tests.chaos.plan import Plan, Step
from tests.chaos.writers import poison

HALF = Change(POISON, ARCHIVE, "half")
CHANGES = (
    Change(MIRROR, "a", "put"),
    Change(ARCHIVE, "twice.hdf", "restore"),
    Change(ARCHIVE, "twice.hdf", "restore", 1),
    Change(ARCHIVE, "once.hdf", "restore"),
    Change(ARCHIVE, f"picture{UNMAPPED}", "restore"),
    HALF,
)
POISONED = {
    "id": "1",
    "task": "archive_copy",
    "type": "EventError",
    "reason": "no JSON",
    "key": "",
    "body": poison(HALF),
}
SUMMARY = {"type": "summary", "keys": 3}


class Stage:
    """Answers each command with fixed records."""

    def __init__(self, reports=(), **records):
        self.services = SimpleNamespace(reports=reports)
        self.wire = SimpleNamespace(writes_to=lambda key: [f"PUT /mirror/{key} lost"])
        self._records = {"explain": [{"conclusion": "a dead letter waits: no JSON"}], **records}

    def brigade(self, command, *_):
        return Answer(0, self._records[command], "")

    def outputs(self, _task):
        return {"source_bucket": "source"}


def judge(**records):
    return Judge(Stage(**records), Plan("7", (Step(CHANGES),)), SimpleNamespace(mirrored=lambda: ["a"]))


def letter(**about):
    return {**POISONED, "body": "{}", **about}


def difference(key, *, expected=False):
    return {"type": "difference", "key": key, "expected": expected}


def test_dead_letter_without_a_reason_is_named():
    assert not list(judge().of_letters([POISONED]))
    assert list(judge().of_letters([POISONED, letter(reason="")])) == ["the dead letter 1 has no reason"]


@pytest.mark.parametrize(
    "expected",
    [
        letter(type="UnmappedExtensionError", key=f"picture{UNMAPPED}"),
        letter(type="OlderVersionError", key="twice.hdf"),
    ],
)
def test_dead_letter_that_the_plan_expects_is_right(expected):
    assert not list(judge().of_redriven([POISONED, expected]))


@pytest.mark.parametrize(
    "unexpected",
    [
        letter(),
        letter(type="UnmappedExtensionError", key="once.hdf"),
        letter(type="OlderVersionError", key="once.hdf"),
    ],
)
def test_any_other_dead_letter_is_named(unexpected):
    (problem,) = judge().of_redriven([POISONED, unexpected])
    assert problem.startswith(f"unexpected dead letter of archive_copy: {unexpected['type']}: no JSON")


def test_poison_that_is_lost_is_named():
    (problem,) = judge().of_redriven([])
    assert problem == f"the poison is in no dead-letter queue: {poison(HALF)}"


def test_difference_of_the_mirror_is_named_unless_the_settings_ask_for_it():
    assert not list(judge(check=[{**SUMMARY, "keys": 1}]).of_mirror())
    records = [difference("a"), difference("b", expected=True), {**SUMMARY, "keys": 1}]
    found = list(judge(check=records).of_mirror())
    assert len(found) == 2 and all("'key': 'a'" in problem for problem in found)
    # What happened to the key follows, so that a run that cannot be repeated says why.
    assert all("a dead letter waits" in problem and "PUT /mirror/a lost" in problem for problem in found)


def test_mirrored_keys_that_the_check_does_not_see_are_named():
    assert list(judge(check=[{**SUMMARY, "keys": 0}]).of_mirror()) == ["check compared 0 of 1 keys"]


def test_restored_object_is_archived_or_has_no_archive():
    unmapped = difference(f"picture{UNMAPPED}")
    assert not list(judge(check=[unmapped, SUMMARY]).of_archives())
    assert list(judge(check=[SUMMARY]).of_archives()) == [f"check does not name picture{UNMAPPED}"]
    (problem,) = judge(check=[unmapped, difference("once.hdf"), SUMMARY]).of_archives()
    assert "once.hdf" in problem
    (problem,) = judge(check=[unmapped, {**SUMMARY, "keys": 2}]).of_archives()
    assert problem == "check compared 2 of 3 restored objects"


def test_explain_has_to_name_the_reason_of_a_dead_letter():
    expected = letter(type="OlderVersionError", key="twice.hdf", reason="it is older")
    (problem,) = judge(explain=[{"conclusion": "it waits"}]).of_redriven([POISONED, expected])
    assert problem.startswith("explain does not name the reason of")


def test_second_call_of_the_webhook_for_one_content_is_named():
    one, other = {"set": "a/", "digest": "1"}, {"set": "a/", "digest": "2"}
    assert not list(judge(reports=[one, other]).of_notifications())
    assert list(judge(reports=[one, other, one]).of_notifications()) == [
        "the webhook was called 2 times for ('a/', '1')"
    ]
