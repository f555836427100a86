import subprocess
import sys

import pytest

from tests.mirror_check.large_listing import KEYS


@pytest.mark.long
def test_memory_does_not_grow_with_the_number_of_keys():
    command = [sys.executable, "-m", "tests.mirror_check.large_listing"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    peak, keys = float(printed[0]), int(printed[1])
    assert keys == KEYS
    assert peak < 120
