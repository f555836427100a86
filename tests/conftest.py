import gc
from contextlib import nullcontext
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import boto3
import botocore.session
import pytest

from tasks.object_clerk.s3_requests import client_config
from tasks.object_clerk.transport import clients
from tasks.object_clerk.transport.readable_keys import read_all_keys
from tests.support import measuring
from tests.support.mocked import patched_aws
from tests.support.repeated_proofs import leave_further_cases, run_once_by_way_of_botocore
from tests.support.task_pieces import missing_modules
from tests.support.time_machine import Clock
from tests.support.wire import Wire

REGION = "eu-west-1"
TESTS = Path(__file__).parent

# Coverage costs a third of the time of the measured code, libraries included. So it is off for tests of other code than
# tasks/, and for files of tests that take many inputs through the same paths, as those of hypothesis do, or only paths
# that cheaper tests take too. The cases of one test mostly take the same paths: if each case speaks to a server, only
# the first one is measured.
SERVERS = {"aws", "store", "world"}
MEASURED = set()
NOT_MEASURED = {"bench", "local", "ops", "permissions", "scripts", "terraform"}
NOT_MEASURED |= {"test_alarms.py", "test_architecture.py", "test_language.py", "test_markdown.py", "test_tasks.py"}
SAME_PATHS = {
    "test_annotations.py",
    "test_annotations_on_seaweedfs.py",
    "test_batches.py",
    "test_bombs.py",
    "test_by_way_of_the_worker.py",
    "test_clerk_copies.py",
    "test_clerk_faults.py",
    "test_clerk_property.py",
    "test_clients.py",
    "test_convergence.py",
    "test_crashes.py",
    "test_direct_requests.py",
    "test_earlier_table.py",
    "test_explorer.py",
    "test_far_side.py",
    "test_federation.py",
    "test_histories.py",
    "test_hostile_cells.py",
    "test_large_objects.py",
    "test_late_writes.py",
    "test_long_tags.py",
    "test_odd_keys.py",
    "test_on_seaweedfs.py",
    "test_outages.py",
    "test_patterns.py",
    "test_plan.py",
    "test_planted.py",
    "test_refused_bodies.py",
    "test_removed_versions.py",
    "test_retried_messages.py",
    "test_sets.py",
    "test_table.py",
    "test_transfers.py",
    "test_watches.py",
}


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Measure the imports of tasks/, but not the collection of thousands of tests."""
    if sentences := missing_modules(TESTS.parent):
        # The tests of the task could not be imported. Then no test would run, not even the one that names its pieces.
        raise pytest.UsageError(*sentences)
    for module in walk_packages([str(TESTS.parent / "tasks")], "tasks."):
        import_module(module.name)
    with measuring.paused():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items):
    """Leave repeated proofs to `make test-long`, and choose the tests that measure coverage."""
    run_once_by_way_of_botocore(items)
    leave_further_cases(items)
    yield
    at_a_server = set()
    for item in items:
        test = item.nodeid.partition("[")[0]
        if _is_measured(item) and test not in at_a_server:
            MEASURED.add(item)
            if not SERVERS.isdisjoint(item.fixturenames):
                at_a_server.add(test)


def pytest_collection_finish():
    """Exclude the libraries from garbage collection, which would search them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    with nullcontext() if item in MEASURED else measuring.paused():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup():
    with measuring.paused():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown():
    with measuring.paused():
        return (yield)


def _is_measured(item):
    if item.path.name in SAME_PATHS or hasattr(item.obj, "hypothesis"):
        return False
    return item.path.relative_to(TESTS).parts[0] not in NOT_MEASURED


@pytest.fixture(autouse=True)
def no_aws_of_this_machine(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(params=[True, False], ids=["direct", "botocore"])
def direct(request):
    """Whether the tasks send their most common requests directly: what they do is the same either way."""
    return request.param


@cache
def session_of_the_tests():
    return boto3.session.Session()


@cache
def session_beneath_the_tasks():
    return botocore.session.Session()


@cache
def session_of_the_tasks():
    return boto3.session.Session(botocore_session=session_beneath_the_tasks(), region_name=REGION)


@cache
def client_of_the_tests(service, region):
    if service != "s3":
        return session_of_the_tests().client(service, region_name=region)
    client = session_of_the_tests().client("s3", region_name=region, config=client_config())
    read_all_keys(client)
    return client


@pytest.fixture(name="aws")
def empty_aws(monkeypatch):
    """Start an empty, patched moto in this process, and return the boto3 session of the tasks' clients."""
    with patched_aws():
        # A new session reads botocore's data files again, so one session serves every test of a process.
        monkeypatch.setattr(clients, "session", session_beneath_the_tasks)
        yield session_of_the_tasks()


@pytest.fixture(name="wire")
def wire_of_the_tasks(aws):
    """Record all requests to S3 by the clients of the tasks."""
    wire = Wire()
    with wire.listening(aws.events):
        yield wire


@pytest.fixture(name="clock")
def time_that_passes_at_once(monkeypatch):
    """Simulate the time of SQS and of the tasks' waits."""
    clock = Clock()
    clock.patch(monkeypatch)
    return clock


@pytest.fixture
def s3(aws):
    """Return a client for set-up and assertions, whose requests are not recorded."""
    return client_of_the_tests("s3", aws.region_name)


@pytest.fixture
def sqs(aws):
    return client_of_the_tests("sqs", aws.region_name)
