import json
import logging
import sys
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from local.embedded_aws import EmbeddedAws
from local.seaweedfs import SeaweedFS
from tests.support.stores import Store, new_client

ONCE = Config(retries={"total_max_attempts": 1})
PLUGIN = Path(__file__).parents[2] / "tasks" / "otf_addons" / "plugin"

# The framework finds the add-on as on a worker: as a part of its own namespace, on the path.
sys.path.append(str(PLUGIN))


@dataclass(frozen=True)
class Ran:
    """How a task ended, and its output."""

    ok: bool
    said: str


@dataclass
class Framework:
    """The framework's own command, run in this process."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture

    def write(self, definition, *, name="task", variables=None):
        """Write the folder of a configuration as users do, and return its path."""
        cfg = self.folder / "cfg"
        cfg.mkdir(exist_ok=True)
        (cfg / "variables.json").write_text(json.dumps(variables or {}), encoding="utf-8")
        text = definition if isinstance(definition, str) else json.dumps(definition)
        (cfg / f"{name}.json").write_text(text, encoding="utf-8")
        return cfg

    def run(self, definition, *, variables=None, verbosity=None):
        """Run `task-run -t task -c cfg`."""
        from opentaskpy.cli import task_run  # pylint: disable=import-outside-toplevel  # it reads the environment

        cfg = self.write(definition, variables=variables)
        more = ["-v", str(verbosity)] if verbosity else []
        self.monkeypatch.setattr(sys, "argv", ["task-run", "-t", "task", "-c", str(cfg), *more])
        self.capsys.readouterr()
        root = logging.getLogger()
        before, level = list(root.handlers), root.level
        try:
            task_run.main()
            ok = True
        except SystemExit as end:
            ok = not end.code
        finally:
            root.setLevel(level)
            for handler in root.handlers[:]:
                if handler not in before:
                    root.removeHandler(handler)
        said = self.capsys.readouterr()
        return Ran(ok, said.out + said.err)


@pytest.fixture(autouse=True)
def no_log_files(monkeypatch):
    # Handlers that are created without the framework's command would write to the folder of the test run.
    monkeypatch.setenv("OTF_NO_LOG", "1")


@pytest.fixture(autouse=True)
def logger_of_a_worker(monkeypatch):
    # The handlers of Lambda functions, which another test of this process may have used, redirect the logger.
    shared = logging.getLogger("bucket_brigade")
    for name, value in {"handlers": [], "propagate": True, "level": logging.NOTSET}.items():
        monkeypatch.setattr(shared, name, value)


@pytest.fixture
def framework(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OTF_STAGING_DIR", str(tmp_path / "staging"))
    # The command sets it, and the fixture removes it with the test.
    for name in ("OTF_TASK_ID", "OTF_LOG_RUN_PREFIX"):
        monkeypatch.setenv(name, "")
    return Framework(tmp_path, monkeypatch, capsys)


@pytest.fixture(name="aws")
def embedded_aws(monkeypatch):
    """All of AWS, permissions included; the environment's credentials are the administrator's."""
    with EmbeddedAws() as aws:
        use(monkeypatch, aws.endpoint_url, aws.admin_credentials)
        yield aws


def use(monkeypatch, endpoint_url, keys):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["aws_secret_access_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", keys["region_name"])


def moto_store(aws, bucket, **options):
    keys = {**aws.admin_credentials, **options}
    client = new_client(aws.endpoint_url, keys, ONCE)
    where = {"LocationConstraint": keys["region_name"]}
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    return Store("moto", client, keys, aws.endpoint_url, bucket)


@dataclass
class Server:
    """A server with a client, and with empty buckets.

    Each bucket gets volumes of its own, which takes time and disk space, so buckets are emptied and used again.
    """

    seaweedfs: SeaweedFS
    client: Any
    buckets: list = field(default_factory=list)

    def bucket(self, name):
        if not self.buckets:
            self.new_bucket(name)
        return self.buckets.pop()

    def new_bucket(self, name):
        self.buckets.append(f"{name}-{uuid.uuid4().hex[:12]}")
        self.client.create_bucket(Bucket=self.buckets[-1])


@pytest.fixture(name="servers", scope="session")
def two_seaweedfs():
    """Servers with keys of their own; each starts when a test needs it."""
    with ExitStack() as stack:

        @cache
        def server(_number):
            seaweedfs = stack.enter_context(SeaweedFS())
            return Server(seaweedfs, new_client(seaweedfs.endpoint_url, seaweedfs.credentials, ONCE))

        yield server


@pytest.fixture(name="new_store")
def make_stores(servers):
    """Create a `Store` with an empty bucket on a real S3 server."""
    made = []

    def make(name, *, number=0, versions=False):
        server = servers(number)
        if versions:
            server.new_bucket(name)
        bucket, seaweedfs = server.bucket(name), server.seaweedfs
        store = Store("seaweedfs", server.client, seaweedfs.credentials, seaweedfs.endpoint_url, bucket)
        if versions:
            store.keep_versions()
        else:
            made.append((store, server))
        return store

    yield make
    for store, server in made:
        store.empty()
        server.buckets.append(store.bucket)


@pytest.fixture(name="inbox")
def make_inbox(new_store, monkeypatch):
    """The bucket of the sources; the environment has the keys of its server."""
    store = new_store("inbox")
    use(monkeypatch, store.endpoint_url, store.keys)
    return store


@pytest.fixture(name="outbox")
def make_outbox(new_store):
    """The bucket of the copies, on the same server."""
    return new_store("outbox")
