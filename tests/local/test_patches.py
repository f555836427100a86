import importlib
import inspect
import re
import threading
from pathlib import Path

import pytest

import local
from local import patches
from tests.local.patching import TESTED


def current(patch):
    return inspect.getattr_static(patch.owner, patch.attribute, None)


def test_patches_are_applied_only_within_the_block():
    before = [current(patch) for patch in patches.PATCHES]
    with patches.applied():
        assert all(current(patch) is not found for patch, found in zip(patches.PATCHES, before, strict=True))
    assert [current(patch) for patch in patches.PATCHES] == before


def test_patches_stay_until_the_outermost_block_ends():
    with patches.applied() as hooks:
        patched = [current(patch) for patch in patches.PATCHES]
        with patches.applied() as inner_hooks:
            assert inner_hooks is hooks
        assert [current(patch) for patch in patches.PATCHES] == patched


def test_patches_are_removed_after_an_error():
    before = [current(patch) for patch in patches.PATCHES]
    with pytest.raises(LookupError), patches.applied():
        raise LookupError
    assert [current(patch) for patch in patches.PATCHES] == before


def test_patches_that_are_already_applied_cannot_be_left_out():
    with patches.applied(), pytest.raises(RuntimeError, match="cannot be left out"):
        with patches.applied(without=patches.PATCHES[:1]):
            pass


def test_settings_are_reset_when_the_block_ends():
    with patches.applied() as hooks:
        hooks.restore_seconds = 99
        hooks.faults.add("PutObject", times=1, status=500, code="InternalError")
    with patches.applied() as hooks:
        assert hooks.restore_seconds < 1
        assert hooks.faults.take("PutObject", "bucket", "key") is None


def test_scheduled_calls_are_dropped_when_the_block_ends():
    calls = []
    with patches.applied() as hooks:
        hooks.clock.call_later(None, lambda: calls.append("late"))
        clock = hooks.clock
    clock.run_all()
    clock.call_later(0, lambda: calls.append("later"))
    assert not calls


def test_failing_call_does_not_stop_the_other_calls(caplog):
    made = threading.Event()
    with patches.applied() as hooks:
        hooks.clock.call_later(0, lambda: 1 / 0)
        hooks.clock.call_later(0, made.set)
        assert made.wait(10)
    assert "ZeroDivisionError" in caplog.text


def test_every_patch_says_what_aws_does_and_what_moto_does():
    for patch in patches.PATCHES:
        assert "moto" in patch.function.__doc__.lower(), patch.name


def test_table_of_the_readme_has_one_row_for_every_patch():
    text = Path(local.__file__).with_name("README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (.+?) \|$", text.partition("## The patches")[2], re.MULTILINE)
    names = [name for name, *_ in rows]
    assert len(names) == len(set(names))
    assert set(names) == {patch.name for patch in patches.PATCHES}


def test_every_patch_has_a_test_that_needs_it():
    for path in Path(__file__).parent.glob("test_patches_*.py"):
        importlib.import_module(f"tests.local.{path.stem}")
    assert {patch.name for patch in patches.PATCHES} - {patch.name for patch in TESTED} == set()
