"""The whole chain under chaos: all three tasks on the real Terraform, judged by `brigade check` and `brigade explain`.

The run is a process of its own, because a process can hold only one embedded AWS.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not shutil.which("terraform") and os.environ.get("CI") != "true", reason="Terraform is not installed"
)

ROOT = Path(__file__).parents[2]
# `make chaos` takes another seed each time and prints it; `make test-long` always carries out the same plan.
SEED = os.environ.get("CHAOS_SEED") or "7"


def run(events, keys):
    """Carry out a run; return whether all is well at its end, and what it printed."""
    command = [sys.executable, "-m", "tests.chaos", SEED, str(events), str(keys)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)
    return done.returncode == 0, done.stdout


# Under three minutes on two idle cores.
@pytest.mark.long
def test_whole_chain_loses_nothing_in_a_few_minutes_of_chaos():
    passed, printed = run(240, 80)
    assert passed, printed


@pytest.mark.chaos
def test_whole_chain_loses_none_of_ten_thousand_events_on_two_thousand_keys():
    passed, printed = run(10_000, 2_000)
    assert passed, printed
