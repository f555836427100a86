import importlib
import inspect
import re
import threading
from pathlib import Path

import pytest

import local
from local import mends
from tests.local.mending import TESTED


def current(mend):
    return inspect.getattr_static(mend.owner, mend.attribute, None)


def test_mends_are_in_place_within_the_block_alone():
    before = [current(mend) for mend in mends.MENDS]
    with mends.applied():
        assert all(current(mend) is not found for mend, found in zip(mends.MENDS, before, strict=True))
    assert [current(mend) for mend in mends.MENDS] == before


def test_mends_stay_until_the_outermost_block_ends():
    with mends.applied() as hooks:
        mended = [current(mend) for mend in mends.MENDS]
        with mends.applied() as inner_hooks:
            assert inner_hooks is hooks
        assert [current(mend) for mend in mends.MENDS] == mended


def test_mends_are_removed_after_an_error():
    before = [current(mend) for mend in mends.MENDS]
    with pytest.raises(LookupError), mends.applied():
        raise LookupError
    assert [current(mend) for mend in mends.MENDS] == before


def test_mends_that_are_in_place_cannot_be_left_out():
    with mends.applied(), pytest.raises(RuntimeError, match="cannot be left out"):
        with mends.applied(without=mends.MENDS[:1]):
            pass


def test_settings_go_back_to_their_defaults():
    with mends.applied() as hooks:
        hooks.restore_seconds = 99
        hooks.faults.add("PutObject", times=1, status=500, code="InternalError")
    with mends.applied() as hooks:
        assert hooks.restore_seconds < 1
        assert hooks.faults.take("PutObject", "bucket", "key") is None


def test_calls_that_were_to_come_later_are_forgotten_at_the_end():
    calls = []
    with mends.applied() as hooks:
        hooks.clock.call_later(None, lambda: calls.append("late"))
        clock = hooks.clock
    clock.run_all()
    clock.call_later(0, lambda: calls.append("later"))
    assert not calls


def test_call_that_fails_keeps_no_other_from_being_made(caplog):
    made = threading.Event()
    with mends.applied() as hooks:
        hooks.clock.call_later(0, lambda: 1 / 0)
        hooks.clock.call_later(0, made.set)
        assert made.wait(10)
    assert "ZeroDivisionError" in caplog.text


def test_every_mend_says_what_aws_does_and_what_moto_does():
    for mend in mends.MENDS:
        assert "moto" in mend.function.__doc__.lower(), mend.name


def test_table_of_the_readme_has_a_row_for_every_patch_and_no_other():
    text = Path(local.__file__).with_name("README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (.+?) \|$", text.partition("## The patches")[2], re.MULTILINE)
    names = [name for name, *_ in rows]
    assert len(names) == len(set(names))
    assert set(names) == {mend.name for mend in mends.MENDS}


def test_every_mend_has_a_test_that_needs_it():
    for path in Path(__file__).parent.glob("test_mends_*.py"):
        importlib.import_module(f"tests.local.{path.stem}")
    assert {mend.name for mend in mends.MENDS} - {mend.name for mend in TESTED} == set()
