"""What the tests themselves rely on."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.support.project_texts import ROOT
from tests.support.repeated_proofs import leave_further_cases, run_once_by_way_of_botocore

MEASURED = """\
from tests.support.measuring import unmeasured

@unmeasured
def library(found):
    return [each for each in found]

def caller(found):
    first = library(found)
    if first:
        second = library(first)
    return second

caller([1])
"""


class Case(SimpleNamespace):
    """A case of a test, with the methods of pytest's that the choice uses."""

    def get_closest_marker(self, name):
        return next((mark for mark in self.marks if name in (mark, getattr(mark, "name", None))), None)

    def add_marker(self, name):
        self.marks.append(name)


def cases_of(test, *inputs, marks=()):
    named = [(f"{test}[{number}]", SimpleNamespace(params=params)) for number, params in enumerate(inputs)]
    return [Case(nodeid=name, callspec=callspec, marks=list(marks)) for name, callspec in named]


def test_lines_of_a_caller_are_measured_and_those_of_an_unmeasured_function_are_not(tmp_path):
    (tmp_path / "measured.py").write_text(MEASURED)
    coverage = [sys.executable, "-m", "coverage"]
    data = f"--data-file={tmp_path / 'data'}"
    command = [*coverage, "run", data, "--rcfile=/dev/null", "--branch", f"--source={tmp_path}", "-m", "measured"]
    subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": f"{ROOT}:{tmp_path}"}, check=True)
    report = [*coverage, "json", data, "--rcfile=/dev/null", "--quiet", "-o", "-"]
    seen = json.loads(subprocess.run(report, cwd=ROOT, capture_output=True, check=True).stdout)
    (file,) = seen["files"].values()
    assert file["missing_lines"] == [5]
    assert [[9, 10]] == [branch for branch in file["executed_branches"] if branch[0] == 9]


def test_each_test_runs_once_by_way_of_botocore_and_its_other_cases_are_long():
    ways = [{"direct": True, "size": 1}, {"direct": False, "size": 1}, {"direct": True, "size": 2}]
    cases = cases_of("read", *ways, {"direct": False, "size": 2}) + cases_of("write", *ways)
    run_once_by_way_of_botocore(cases)
    assert [case.nodeid for case in cases if case.marks] == ["read[3]"]


def test_case_that_is_long_already_leaves_the_next_one_to_make_test():
    elsewhere, here = {"direct": False, "store": "moto"}, {"direct": False, "store": "seaweedfs"}
    cases = cases_of("read", elsewhere, marks=["long"]) + cases_of("read", here)
    run_once_by_way_of_botocore(cases)
    assert [case.marks for case in cases] == [["long"], []]


def test_further_cases_are_long_and_those_that_are_long_already_do_not_count():
    first_two = pytest.mark.first_cases(2).mark
    cases = cases_of("read", {}, marks=[first_two, "long"]) + cases_of("read", *[{}] * 3, marks=[first_two])
    leave_further_cases(cases + cases_of("write", *[{}] * 3))
    assert ["long" in case.marks for case in cases] == [True, False, False, True]
