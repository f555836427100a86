"""Any history of a few keys converges, however its events are delivered and whichever requests fail.

Workers run one inside the other: between any two requests of one, another event is handled whole, or the source
changes. To S3 and the table that is every way in which two workers can meet.

A server may hold a write whose answer was lost, or whose worker was killed, and carry it out at any later moment. The
recheck after such a write is delivered last, when no server holds a request any more.

With VERSIONS=all the destination's history is compared too: each version and delete marker of the source once, in its
order, with its tags and annotations.
"""

from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    run_state_machine_as_test,
)

from tasks.object_clerk import annotations, part_copies
from tasks.partition_replicate import table as table_module
from tasks.partition_replicate.reconcile import destination as destination_module
from tasks.partition_replicate.reconcile.object_snapshot import ObjectSnapshot
from tasks.partition_replicate.settings import ALL, CURRENT, KEEP, MIRROR
from tasks.utils.key_messages import RecheckQueue
from tests.partition_replicate.conftest import STATES
from tests.partition_replicate.histories import Histories
from tests.partition_replicate.stage import InThisThread, Stage
from tests.support.mocked import patched_aws

# Source, mirror, VERSIONS and VERSION_DELETES: all nine pairs, and every version in two thirds of the histories.
NEWEST_ONLY = [(source, mirror, CURRENT, KEEP) for source in STATES for mirror in STATES]
ALL_KEPT, ALL_MIRRORED = [("Enabled", "Enabled", ALL, KEEP)], [("Enabled", "Enabled", ALL, MIRROR)]
EVERY_VERSION = ALL_KEPT + ALL_MIRRORED
ANY = EVERY_VERSION + NEWEST_ONLY


def run_histories(examples, *among, locked=False, **more):
    """Run so many histories, each with one of the settings."""
    # Workers run one inside the other, so each of them must work in one thread.
    with patched_aws(), patch.object(annotations, "ThreadPoolExecutor", InThisThread):
        stage = Stage()
        if locked:
            stage.lock()
        machine = type("Histories", (Histories,), {"stage": stage, "among": among, "locked": locked})
        how = settings(
            max_examples=examples,
            stateful_step_count=8,
            deadline=None,
            database=None,
            print_blob=True,
            # Explaining a failure costs more memory and time than finding it.
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        try:
            run_state_machine_as_test(machine, settings=settings(how, **more))
        finally:
            stage.close()


def test_any_history_converges():
    run_histories(25, ALL_KEPT, ALL_MIRRORED, NEWEST_ONLY)


@pytest.mark.long
def test_any_of_more_histories_converges():
    run_histories(100, ALL_KEPT, ALL_MIRRORED, NEWEST_ONLY)


@pytest.mark.long
def test_any_history_converges_if_all_tags_are_too_long_for_a_header(monkeypatch):
    monkeypatch.setattr(part_copies, "HEADER_BYTES", 0)
    run_histories(15, ALL_KEPT, ALL_MIRRORED, NEWEST_ONLY)


@pytest.mark.long
def test_any_history_converges_if_the_destination_is_locked():
    run_histories(15, ALL_KEPT, ALL_MIRRORED, locked=True)


@pytest.mark.chaos
def test_any_of_many_histories_converges():
    run_histories(2_000, ALL_KEPT, ALL_MIRRORED, NEWEST_ONLY)


@pytest.mark.chaos
def test_any_of_many_histories_converges_if_all_tags_are_too_long_for_a_header(monkeypatch):
    monkeypatch.setattr(part_copies, "HEADER_BYTES", 0)
    run_histories(500, ALL_KEPT, ALL_MIRRORED, NEWEST_ONLY)


@pytest.mark.chaos
def test_any_of_many_histories_converges_if_the_destination_is_locked():
    run_histories(500, ALL_KEPT, ALL_MIRRORED, locked=True)


def without_conditions(write, _condition):
    return write({})


def without_second_observation(_self, _other):
    return True


def whatever_the_row_is(_row):
    return {}


def do_nothing(_self, _event):
    return None


def carry_nothing(*_, **__):
    return None


# These histories hardly ever meet three cases, which test_untracked_versions.py and test_annotations.py state exactly.
# A version is undone while another worker records it. The source version of an untracked copy is gone. An annotation
# is put after a newer one.
PLANTED = {
    "no recheck": (RecheckQueue, "send", do_nothing, ANY),
    "no compare-and-swap": (destination_module, "conditional_write", without_conditions, ANY),
    "no compare-and-swap of the row": (table_module, "_unchanged", whatever_the_row_is, EVERY_VERSION),
    "no annotations": (annotations.AnnotationCopy, "run", carry_nothing, ANY),
    "no second observation": (ObjectSnapshot, "is_still", without_second_observation, NEWEST_ONLY),
}


@pytest.mark.chaos
@pytest.mark.parametrize("place, name, mutation, among", PLANTED.values(), ids=PLANTED)
def test_histories_find_what_is_planted(monkeypatch, place, name, mutation, among):
    monkeypatch.setattr(place, name, mutation)
    with pytest.raises(AssertionError):
        run_histories(300, among, phases=(Phase.generate,), derandomize=True)
