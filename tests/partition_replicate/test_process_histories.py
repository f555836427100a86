"""I1 to I4 with real worker processes on a real S3 server: SIGKILL at any request, writes that land late, answers that
are lost or say 5xx after the deed, two workers on a key. See `process_histories`.

The histories run in a process of their own: the embedded AWS is one for each process.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.partition_replicate.container import PLANTED

ROOT = Path(__file__).parent.parent.parent
# `make chaos` sets it, and prints it.
SEED = os.environ.get("CHAOS_SEED", "0")
HISTORIES, BATCH = 5_000, 200
# Enough for each of what is planted to be met.
ENOUGH = 400


def run_histories(seed, first, count, *planted):
    """Runs a batch; returns whether all went well, and what was printed."""
    command = [sys.executable, "-m", "tests.partition_replicate.process_histories", seed, str(first), str(count)]
    done = subprocess.run([*command, *planted], cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)
    return done.returncode == 0, done.stdout


@pytest.mark.long
def test_any_history_of_real_processes_converges():
    went_well, printed = run_histories("a-few", 0, 6)
    assert went_well, printed


@pytest.mark.chaos
@pytest.mark.parametrize("first", range(0, HISTORIES, BATCH))
def test_any_of_many_histories_of_real_processes_converges(first):
    went_well, printed = run_histories(SEED, first, BATCH)
    assert went_well, printed


@pytest.mark.chaos
@pytest.mark.parametrize("planted", PLANTED)
def test_histories_of_real_processes_find_what_is_planted(planted):
    _, printed = run_histories("planted", 0, ENOUGH, planted)
    assert "HISTORY planted" in printed
