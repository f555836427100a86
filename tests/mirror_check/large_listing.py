"""Compares two generated listings of many keys, and prints the peak memory in MB and the number of keys."""

import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ops.cli
from tasks.mirror_check.check import Scope, compare_all
from tasks.mirror_check.evidence import Depth, Evidence
from tasks.mirror_check.listings import XML, Side
from tasks.object_clerk.s3_requests import S3Requests

KEYS = 200_000
ENTRY = (
    "<Contents><Key>a-folder/with-a-name/object-{:06}.parquet</Key>"
    "<LastModified>2026-11-22T10:00:00.000Z</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>"
    "<Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>"
)


class Server:  # pylint: disable=too-few-public-methods  # a client has more, and none is needed
    """The client of a bucket whose keys are numbered."""

    # pylint: disable-next=invalid-name  # boto3's names
    def list_objects_v2(self, *, MaxKeys, StartAfter="", ContinuationToken="", Delimiter="", **_):
        """Return a page."""
        if Delimiter:
            # All keys are in one folder, so none comes after any of them.
            return {XML: b"<ListBucketResult/>"}
        first = int(ContinuationToken) if ContinuationToken else number_after(StartAfter)
        entries = "".join(ENTRY.format(number) for number in range(first, min(KEYS, first + MaxKeys)))
        token = f"<NextContinuationToken>{first + MaxKeys}</NextContinuationToken>"
        more = f"<IsTruncated>true</IsTruncated>{token}" if first + MaxKeys < KEYS else ""
        return {XML: f"<ListBucketResult>{more}{entries}</ListBucketResult>".encode()}


def number_after(text):
    """Return the number of the first key after a text."""
    low, high = 0, KEYS
    while low < high:
        number = (low + high) // 2
        low, high = (low, number) if f"a-folder/with-a-name/object-{number:06}.parquet" > text else (number + 1, high)
    return low


def main():
    """Compare the listings, with everything loaded that the command line loads."""
    assert ops.cli
    with ThreadPoolExecutor(2) as pool:
        sides = [Side(S3Requests(Server()), name) for name in ("source", "destination")]
        chunks = compare_all(Evidence(*sides, None, Depth(), pool), Scope(workers=8))
        keys = sum(chunk.keys - len(chunk.findings) for chunk in chunks)
    print(peak_memory() / 1_000_000, keys)


def peak_memory():
    """Return the most bytes of memory that this process used."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # `ru_maxrss` counts the parent's memory too: getrusage(2).
    (line,) = [
        line for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:")
    ]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
