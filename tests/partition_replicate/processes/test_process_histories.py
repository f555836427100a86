"""I1 to I4 with real worker processes on a real S3 server.

Workers are killed at any request, writes land late, answers are lost or are errors although the server did the work,
and two workers handle one key: see `histories`. The histories run in a process of their own, because a process can hold
only one embedded AWS.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.partition_replicate.processes.container import PLANTED

ROOT = Path(__file__).parent.parent.parent.parent
# `make chaos` sets and prints it.
SEED = os.environ.get("CHAOS_SEED", "0")
HISTORIES, BATCH = 5_000, 200
# In so many histories each planted error shows.
ENOUGH = 400


def run_histories(seed, first, count, *planted):
    """Run a batch, and return whether all histories passed and what they printed."""
    command = [sys.executable, "-m", "tests.partition_replicate.processes.histories", seed, str(first), str(count)]
    done = subprocess.run([*command, *planted], cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)
    return done.returncode == 0, done.stdout


@pytest.mark.long
def test_any_history_of_real_processes_converges():
    passed, printed = run_histories("a-few", 0, 6)
    assert passed, printed


@pytest.mark.chaos
@pytest.mark.parametrize("first", range(0, HISTORIES, BATCH))
def test_any_of_many_histories_of_real_processes_converges(first):
    passed, printed = run_histories(SEED, first, BATCH)
    assert passed, printed


@pytest.mark.chaos
@pytest.mark.parametrize("planted", PLANTED)
def test_histories_of_real_processes_find_what_is_planted(planted):
    _, printed = run_histories("planted", 0, ENOUGH, planted)
    assert "HISTORY planted" in printed
