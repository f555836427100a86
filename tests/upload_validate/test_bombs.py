"""150 MB of any content are checked in a minute of one processor and in 64 MB."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.upload_validate.findings import COUNTED
from tests.upload_validate.bombs import BOMBS, checked

ROOT = Path(__file__).parents[2]


def cost_of(name, size):
    command = [sys.executable, "-m", "tests.upload_validate.bombs", name, str(size)]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize("name", BOMBS)
def test_finding_of_a_bomb_is_bounded(name):
    finding = checked(name, 20_000)
    assert len(finding.problems) <= 50 + 2
    assert finding.problem_count <= COUNTED + 2
    assert all(len(problem.text) + len(problem.excerpt) < 1_000 for problem in finding.problems)


@pytest.mark.long
@pytest.mark.parametrize("name", BOMBS)
def test_fifteen_megabytes_of_any_content_take_seconds(name):
    seconds, megabytes, *_ = cost_of(name, 15_000_000)
    # A tenth of the time for 150 MB, twice: the machine does other things too.
    assert seconds < 12
    assert megabytes < 64


@pytest.mark.chaos
@pytest.mark.parametrize("name", BOMBS)
def test_150_megabytes_of_any_content_take_a_minute(name):
    seconds, megabytes, *_ = cost_of(name, 150_000_000)
    assert seconds < 60
    assert megabytes < 64
