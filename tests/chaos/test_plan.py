"""The plan of a run: equal seeds give equal plans, and each change is possible after those before it."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chaos.changes import ARCHIVE, MIRROR, POISON, UPLOADS, body_of
from tests.chaos.plan import DISTURBANCES, FUNCTIONS, POISONED, Plan

SEEDS = st.integers(0, 10**9).map(str)


@given(SEEDS)
@settings(max_examples=20)
def test_plan_of_a_seed_is_always_the_same(seed):
    plan = Plan.of(seed, 200, 50)
    assert plan == Plan.of(seed, 200, 50) != Plan.of(seed + "0", 200, 50)
    assert list(map(body_of, plan.of_task(MIRROR).popitem()[1])) == list(
        map(body_of, Plan.of(seed, 200, 50).of_task(MIRROR).popitem()[1])
    )


@given(SEEDS)
@settings(max_examples=20)
def test_plan_has_every_disturbance_task_and_poison(seed):
    plan = Plan.of(seed, 200, 50)
    assert {step.disturbance for step in plan.steps} >= set(DISTURBANCES)
    assert {change.of for change in plan.changes} == {MIRROR, ARCHIVE, UPLOADS, POISON}
    assert set(plan.of_task(POISON)) == set(POISONED)


@given(SEEDS)
@settings(max_examples=10)
def test_function_that_is_disturbed_has_work(seed):
    for step in Plan.of(seed, 200, 50).steps:
        task = FUNCTIONS.get(step.disturbance.rpartition(" ")[2])
        assert task is None or any(change.of == task for change in step.changes)


@given(SEEDS)
@settings(max_examples=20)
def test_each_change_of_a_mirrored_object_is_possible(seed):
    for changes in Plan.of(seed, 200, 50).of_task(MIRROR).values():
        assert [change.number for change in changes] == list(range(len(changes)))
        versions = []
        for change in changes:
            if change.action in ("put", "put large", "put again", "delete"):
                assert change.action in ("put", "put large") or versions and versions[-1] != "delete"
                versions.append(change.action)
            else:
                assert versions and versions[-1] != "delete"
                if change.action == "remove newest":
                    versions.pop()


@given(SEEDS)
@settings(max_examples=10)
def test_keys_are_different_and_within_the_limit_of_s3(seed):
    plan = Plan.of(seed, 300, 100)
    for task, share in ((MIRROR, 70), (ARCHIVE, 20)):
        keys = Counter(key.split(" ")[0] for key in plan.of_task(task))
        assert len(keys) >= share and set(keys.values()) == {1}
        assert all(len(key.encode()) <= 1024 for key in plan.of_task(task))


def test_plan_of_the_whole_run_has_ten_thousand_events():
    plan = Plan.of("7", 10_000, 2_000)
    assert 10_000 < len(plan.changes) < 11_500
    assert sum(len(plan.of_task(task)) for task in (MIRROR, ARCHIVE, UPLOADS)) > 2_000
