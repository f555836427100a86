"""Every interleaving of two workers over every short history: the mirror keeps I1 to I3.

`test_counterexamples.py` shows what it does not keep, each by its shortest history.
"""

import pytest

from tests.partition_replicate.explorer.bounds import Bounds, Policy, any_of
from tests.partition_replicate.explorer.changes import CHANGES
from tests.partition_replicate.explorer.explore import Explorer
from tests.partition_replicate.explorer.mirror import Mirror

CURRENT = {
    "current": Policy("current", is_versioned=False),
    "current-keep": Policy("current", deletes="keep", is_versioned=False),
    "current-versioned": Policy("current"),
    "current-encrypted": Policy("current", is_versioned=False, is_encrypted=True),
}
ALL = {
    "all": Policy(),
    "all-mirror": Policy(version_deletes="mirror"),
    "all-keep": Policy(deletes="keep"),
    "all-keep-mirror": Policy(deletes="keep", version_deletes="mirror"),
    "all-encrypted": Policy(is_encrypted=True),
    "all-mirror-encrypted": Policy(version_deletes="mirror", is_encrypted=True),
}
POLICIES = CURRENT | ALL
PUT = (("put",),)
# Where the event of an expiry comes after later changes, the README names what may stay.
LASTING = tuple(name for name in CHANGES if name != "expire")

every_policy = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
every_policy_of_current = pytest.mark.parametrize("policy", CURRENT.values(), ids=CURRENT)
every_policy_of_all = pytest.mark.parametrize("policy", ALL.values(), ids=ALL)
# The first change of an empty key is a put; the second one spreads a search over several processes.
every_second_change = pytest.mark.parametrize("second", CHANGES)


def explore(policy, changes, **more):
    """Explore, and print how much was seen."""
    with Mirror(policy) as mirror:
        report = Explorer(mirror, Bounds(changes, **more)).run()
    print(report)
    assert report.ends


@every_policy
def test_one_worker_two_changes_and_any_fault(policy):
    explore(policy, any_of(2), workers=1)


@every_policy_of_current
def test_two_workers_two_changes_and_any_fault_for_the_newest_state(policy):
    explore(policy, any_of(2))


@every_policy_of_all
def test_two_workers_and_two_changes_for_all_versions(policy):
    explore(policy, any_of(2), faults=0, switches=2)


def test_two_workers_an_expiry_and_a_delete_after_it():
    explore(CURRENT["current-versioned"], (*PUT, ("expire",), ("delete",)), switches=2)


def test_two_workers_and_tags_of_an_untracked_version():
    explore(ALL["all"], (*PUT, ("tag",)), kills=0, late=0, switches=3)


def test_two_workers_any_fault_and_tags_of_a_version_that_is_removed():
    explore(ALL["all-mirror"], (*PUT, ("tag",), ("remove the newest version",)), switches=1)


@pytest.mark.parametrize("second", ["put", "put equal bytes", "delete", "remove the newest version"])
def test_two_workers_and_any_fault_for_all_versions(second):
    explore(ALL["all-mirror"], (*PUT, (second,)), switches=1)


@pytest.mark.parametrize("deletes", ["mirror", "keep"])
@pytest.mark.parametrize("second, third", [("delete", "put"), ("put", "remove the newest version")])
def test_one_worker_any_fault_and_a_removal_after_three_changes(deletes, second, third):
    policy = Policy(deletes=deletes, version_deletes="mirror")
    explore(policy, (*PUT, (second,), (third,), ("remove the newest version",)), workers=1)


def test_one_worker_any_fault_and_a_change_during_the_recheck():
    explore(ALL["all-mirror"], (*PUT, ("put equal bytes",), ("remove an older version",), ("put",)), workers=1)


def test_one_worker_any_fault_and_the_last_version_is_removed_during_the_recheck():
    removals = ("remove the newest version",), ("remove the newest version",)
    explore(ALL["all-mirror"], (*PUT, ("delete",), *removals), workers=1)


@pytest.mark.chaos
@pytest.mark.parametrize("second", LASTING)
@pytest.mark.parametrize("deletes", ["mirror", "keep"])
def test_one_worker_four_changes_and_any_fault(deletes, second):
    policy = Policy(deletes=deletes, version_deletes="mirror")
    explore(policy, (*PUT, (second,), LASTING, LASTING), workers=1)


@pytest.mark.chaos
@every_second_change
@every_policy
def test_one_worker_three_changes_and_any_fault(policy, second):
    explore(policy, (*PUT, (second,), tuple(CHANGES)), workers=1)


@pytest.mark.chaos
@every_second_change
@every_policy_of_current
def test_two_workers_three_changes_and_any_fault_for_the_newest_state(policy, second):
    explore(policy, (*PUT, (second,), tuple(CHANGES)), switches=3)


@pytest.mark.chaos
@every_second_change
@every_policy_of_all
def test_two_workers_three_changes_and_any_fault_for_all_versions(policy, second):
    explore(policy, (*PUT, (second,), tuple(CHANGES)), switches=1)


@pytest.mark.chaos
@every_second_change
@every_policy_of_all
def test_two_workers_that_take_more_turns_for_all_versions(policy, second):
    explore(policy, (*PUT, (second,)), switches=3)
