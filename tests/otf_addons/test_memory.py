"""I7: the memory for a file of 1 GiB does not depend on its size."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.otf_addons.definitions import destination, source
from tests.otf_addons.test_between_servers import protocol_of

pytestmark = pytest.mark.chaos

MIB = 1024 * 1024
SIZE = 1024 * MIB
# Python, botocore and the framework take 55 MB; between two servers four parts of 16 MiB are in memory.
MOST_MB = 180

CARRY = """
import json, sys
from opentaskpy.addons.aws.remotehandlers.s3 import S3Transfer

given, target, folder, what = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3], sys.argv[4]
giving, taking = S3Transfer(given), S3Transfer(target)
if what == "upload":
    assert taking.push_files_from_worker(folder) == 0
else:
    files = giving.list_files("dest" if what == "download" else "src", ".*")
    assert len(files) == 1
    if what == "download":
        assert giving.pull_files_to_worker(files, folder) == 0
    else:
        assert giving.transfer_files(files, target, dest_remote_handler=taking) == 0
with open("/proc/self/status") as status:
    peak = next(line for line in status if line.startswith("VmHWM"))
print(json.dumps(int(peak.split()[1]) * 1024 / 1e6))
"""


def digest(file):
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the peak of a process is read from Linux's /proc")
def test_file_of_a_gigabyte_goes_up_across_and_down(new_store, tmp_path):
    near, far = new_store("inbox"), new_store("elsewhere", number=1)
    (tmp_path / "up").mkdir()
    (tmp_path / "down").mkdir()
    with open(tmp_path / "up" / "large", "wb") as file:
        for _ in range(SIZE // MIB):
            file.write(os.urandom(MIB))
    up = destination(near.bucket, directory="src", protocol=protocol_of(near))
    across = source(near.bucket, protocol=protocol_of(near)), destination(far.bucket, protocol=protocol_of(far))
    down = source(far.bucket, directory="dest", protocol=protocol_of(far))

    peaks = {
        "upload": peak(across[0], up, tmp_path / "up", "upload"),
        "across": peak(*across, tmp_path, "across"),
        "download": peak(down, up, tmp_path / "down", "download"),
    }

    assert digest(tmp_path / "down" / "large") == digest(tmp_path / "up" / "large")
    assert {what: mb for what, mb in peaks.items() if mb > MOST_MB} == {}
    print(f"Peaks in MB: {peaks}")


def peak(given, target, folder, what):
    """Return the peak memory, in MB, of a process of the framework that runs this code."""
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / "tasks" / "otf_addons" / "plugin")])
    command = [sys.executable, "-c", CARRY, json.dumps(given), json.dumps(target), str(folder), what]
    environment = {**os.environ, "PYTHONPATH": path, "OTF_NO_LOG": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])
