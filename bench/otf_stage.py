"""The stage for the rows of Open Task Framework: a SeaweedFS server with many small files, and two add-ons."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import peers
from bench.row import Contestant
from local.seaweedfs import SeaweedFS

INBOX, OUTBOX = "inbox", "outbox"
LISTED, TRANSFERRED = "many", "some"
COUNTS = {LISTED: 5000, TRANSFERRED: 500}
SIZE = 4096

OURS, PEER = "bucket brigade", "otf-addons-aws"


@contextmanager
def add_ons(folder: Path, work: str) -> Iterator[list[Contestant]]:
    """Give the two add-ons while a server runs that has the files.

    Args:
        folder: For the peer's package, which is kept from one run to the next.
        work: `list` or `transfer`.
    """
    packages = peers.installed(folder)
    directory = LISTED if work == "list" else TRANSFERRED
    with SeaweedFS() as server:
        client = server.client()
        for bucket in (INBOX, OUTBOX):
            client.create_bucket(Bucket=bucket)
        put = partial(client.put_object, Bucket=INBOX, Body=os.urandom(SIZE))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: put(Key=f"{directory}/{number:04}.txt"), range(COUNTS[directory])))
        keys = server.credentials
        environment = {
            "AWS_ENDPOINT_URL": server.endpoint_url,
            "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
            "AWS_REGION": keys["region_name"],
            "AWS_DEFAULT_REGION": keys["region_name"],
            "OTF_NO_LOG": "1",
        }
        plugin = Path("tasks", "otf_addons", "plugin").resolve()
        # Both are found under the same names, so each is on the path of its own process only.
        yield [_contestant(name, work, environment, where) for name, where in ((OURS, plugin), (PEER, packages))]


def _contestant(name: str, work: str, environment: dict[str, str], add_on: Path) -> Contestant:
    path = os.pathsep.join([os.getcwd(), str(add_on)])
    command = (sys.executable, "-m", "bench.otf_worker", work)
    return Contestant(name, command, {**environment, "PYTHONPATH": path}, reports_itself=True)
