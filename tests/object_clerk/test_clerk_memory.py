"""I7: memory is bounded by settings, not by the size of the object."""

import json
import os
import subprocess
import sys

import pytest

MIB = 1024 * 1024
# More than the memory of the process that carries it.
SIZE = 200 * MIB
# Python and boto3 take 55 MB, and one gigabyte takes no more than this than 200 MiB do: see `make bench`.
MOST_MB = 120

CARRY = """
import json, os, resource, sys
from tasks.object_clerk import ObjectClerk

host, port, access_key, secret_key, bucket, path, what = sys.argv[1:]
clerk = ObjectClerk(host, port, access_key, secret_key, 0, 1, 0, 0, 3)
if what == "upload":
    clerk.upload_object(path, bucket, "key")
elif what == "upload blocks":
    with open(path, "rb") as file:
        clerk.upload_object(iter(lambda: file.read(1 << 20), b""), bucket, "key")
elif what == "download":
    clerk.download_object(bucket, "key", path)
else:
    sum(map(len, clerk.iterate_object(bucket, "key")))
with open("/proc/self/status") as status:
    peak = next(line for line in status if line.startswith("VmHWM"))
print(json.dumps(int(peak.split()[1]) * 1024 / 1e6))
"""


@pytest.mark.long
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the peak of a process is read from Linux's /proc")
def test_an_object_larger_than_the_memory_used_goes_both_ways(seaweedfs_store, tmp_path):
    store, path = seaweedfs_store, tmp_path / "file"
    with open(path, "wb") as file:
        for number in range(SIZE // MIB):
            file.write(number.to_bytes(2, "big") * (MIB // 2))
    written = path.read_bytes()
    keys = store.keys["aws_access_key_id"], store.keys["aws_secret_access_key"]
    peaks = {}
    for what in ("upload", "download", "upload blocks", "iterate"):
        arguments = [store.host, str(store.port), *keys, store.bucket, str(path), what]
        done = subprocess.run([sys.executable, "-c", CARRY, *arguments], capture_output=True, text=True, check=True)
        peaks[what] = json.loads(done.stdout)
    assert path.read_bytes() == written
    assert store.head("key")["ContentLength"] == SIZE
    # The parts of a stream are in memory until S3 has them: four under way and the next one.
    limits = {**dict.fromkeys(peaks, MOST_MB), "upload blocks": MOST_MB + 6 * 16}
    assert {what: peak for what, peak in peaks.items() if peak > limits[what]} == {}
