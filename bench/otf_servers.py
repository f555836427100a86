"""Server and contestants of the rows of Open Task Framework: two add-ons, and many small files."""

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
    """Start a server with the files; yield the two add-ons.

    Args:
        folder: The folder for the peer's package, kept between runs.
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
        # Both add-ons have the same module names, so each is on the path of its own process only.
        yield [_contestant(name, work, environment, path) for name, path in ((OURS, plugin), (PEER, packages))]


def _contestant(name: str, work: str, environment: dict[str, str], add_on: Path) -> Contestant:
    path = os.pathsep.join([os.getcwd(), str(add_on)])
    command = (sys.executable, "-m", "bench.otf_worker", work)
    return Contestant(name, command, {**environment, "PYTHONPATH": path}, reports_itself=True)
