"""`python -m bench.checker PREFIX`: compare the buckets of two servers below a prefix, as `brigade check` does.

The last line of the output is JSON with the number of list requests.
"""

import atexit
import gc
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from bench.names import DESTINATION, SOURCE
from tasks.mirror_check.check import Scope, compare_all
from tasks.mirror_check.evidence import Depth, Evidence
from tasks.mirror_check.listings import Side, keep_xml
from tasks.object_clerk.s3_requests import S3Requests, client_config
from tasks.object_clerk.transport import clients

WORKERS = 4


def main() -> None:
    """Compare the buckets; end with status 1 if a key differs."""
    # As `brigade` ends: ops/cli.py says why.
    atexit.register(gc.freeze)
    with ThreadPoolExecutor(WORKERS) as pool:
        source, destination = _side(SOURCE), _side(DESTINATION)
        evidence = Evidence(source, destination, None, Depth(), pool)
        findings = [each for chunk in compare_all(evidence, Scope(sys.argv[1], WORKERS)) for each in chunk.findings]
    print(json.dumps({"requests": len(source.listed) + len(destination.listed)}))
    sys.exit(bool(findings))


def _side(name: str) -> Side:
    """Return the side of a bucket; its server is in the variable BENCH_<name of the bucket>, as JSON."""
    options = json.loads(os.environ[f"BENCH_{name.upper()}"])
    client = clients.client("s3", config=client_config(max_pool_connections=4 * WORKERS), **options)
    return Side(S3Requests(keep_xml(client)), name)


if __name__ == "__main__":
    main()
