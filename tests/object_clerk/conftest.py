import json
import os
import uuid

import pytest
from botocore.config import Config

from tests.support.proxy import Proxy
from tests.support.servers import moto_server, seaweedfs_server
from tests.support.stores import Store, new_client

# The least that S3 allows, so that small objects have parts.
PART = 5 * 1024 * 1024


@pytest.fixture(scope="session", name="seaweedfs")
def make_seaweedfs():
    """One SeaweedFS for all tests of this process. Each test has its own bucket."""
    with seaweedfs_server() as server:
        yield server


@pytest.fixture(scope="session")
def seaweedfs_client(seaweedfs):
    client = new_client(seaweedfs.endpoint_url, seaweedfs.credentials, Config(retries={"total_max_attempts": 1}))
    yield client
    client.close()


@pytest.fixture(scope="session")
def seaweedfs_buckets():
    """Empty buckets that can be used again."""
    return []


@pytest.fixture(params=[pytest.param("moto", marks=pytest.mark.long), "seaweedfs"], name="store")
def make_store(request, direct, monkeypatch):
    """A real HTTP server that speaks S3. Each test runs on both servers and both ways; on moto in `make test-long`."""
    monkeypatch.setenv("DIRECT_REQUESTS", "on" if direct else "off")
    for store in store_named(request, request.param):
        store.direct = direct
        yield store


@pytest.fixture
def moto_store(request):
    yield from store_named(request, "moto")


@pytest.fixture
def seaweedfs_store(request):
    yield from store_named(request, "seaweedfs")


def store_named(request, name):
    # Each request once, so that a failing preparation fails at once.
    config = Config(retries={"total_max_attempts": 1})
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    if name == "moto":
        with moto_server() as server:
            client = new_client(server.endpoint_url, server.credentials, config)
            region = server.credentials["region_name"]
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
            yield Store(name, client, server.credentials, server.endpoint_url, bucket)
            client.close()
        return
    server = request.getfixturevalue("seaweedfs")
    client = request.getfixturevalue("seaweedfs_client")
    # Every bucket gets its own volumes, which takes time and space, so buckets are used again.
    reusable = request.getfixturevalue("seaweedfs_buckets")
    if reusable:
        bucket = reusable.pop()
    else:
        client.create_bucket(Bucket=bucket)
    made = Store(name, client, server.credentials, server.endpoint_url, bucket)
    yield made
    if not made.keeps_versions:
        made.empty()
        reusable.append(bucket)


@pytest.fixture
def clerk(store):
    return store.clerk()


@pytest.fixture(name="way")
def make_way(store):
    """A proxy in front of the store, with the faults of the test."""
    with Proxy(store.host, store.port) as proxy:
        yield proxy


@pytest.fixture
def travelling_clerk(store, way):
    """A clerk whose requests pass the proxy; it tries three times and waits two seconds for an answer."""
    return store.clerk(port=way.listens_on, client_config={"read_timeout": 2, "connect_timeout": 5})


@pytest.fixture
def five_mib_parts(monkeypatch):
    monkeypatch.setenv("MULTIPART_THRESHOLD", str(PART))
    monkeypatch.setenv("S3_DOWNLOAD_CONFIG", json.dumps({"multipart_threshold": PART, "multipart_chunksize": PART}))


@pytest.fixture
def body():
    """Two parts and a bit."""
    return os.urandom(2 * PART + 12345)
