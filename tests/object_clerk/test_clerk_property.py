"""I1 and I2: after any operation on objects, and any failure of it, all bytes that should exist are there.

Each step calls the clerk once while faults lie in its way. A request fails before the server sees it, or the server
performs it and its answer is lost, once or from then on. Another writer may overwrite the source meanwhile, with other
bytes or with the same bytes and other metadata. Then a client without faults reads the store, and the test compares
the result with what was there before.
"""

import boto3
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tasks.object_clerk import ObjectClerk, moves
from tasks.object_clerk.copies import Copied, _Copy
from tasks.object_clerk.errors import ObjectClerkException
from tasks.object_clerk.moves import _copy_found
from tasks.object_clerk.uploads import _Upload
from tests.conftest import REGION
from tests.object_clerk.clerking import AS_OFTEN_AS_IT_IS_TRIED, Clerking, ClerkingWithVersions, Way
from tests.support.mocked import patched_aws


def run(machine, look, faulty, bucket, **limits):
    tries = AS_OFTEN_AS_IT_IS_TRIED
    clerk = ObjectClerk.from_client(faulty, retry_delay=0, retry_jitter=0, retry_tries=tries)
    way = Way(faulty)
    run_state_machine_as_test(
        lambda: machine(look, clerk, way, bucket),
        settings=settings(
            **limits,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def new_client(**options):
    return boto3.session.Session().client("s3", config=Config(retries={"total_max_attempts": 1}), **options)


def run_on_moto(machine, **options):
    with patched_aws():
        look = new_client()
        look.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
        if machine.keeps_versions:
            look.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
        run(machine, look, new_client(), "bucket", **options)


@pytest.mark.parametrize("machine", [pytest.param(Clerking, marks=pytest.mark.long), ClerkingWithVersions])
@pytest.mark.usefixtures("five_mib_parts")
def test_no_bytes_are_ever_missing(machine):
    run_on_moto(machine, max_examples=5, stateful_step_count=10)


@pytest.mark.long
@pytest.mark.parametrize("machine", [Clerking, ClerkingWithVersions])
@pytest.mark.usefixtures("five_mib_parts")
def test_no_bytes_are_missing_after_any_of_more_histories(machine):
    run_on_moto(machine, max_examples=20, stateful_step_count=10)


@pytest.mark.usefixtures("five_mib_parts")
def test_no_bytes_are_ever_missing_on_seaweedfs(seaweedfs_store):
    store = seaweedfs_store
    faulty = new_client(endpoint_url=store.endpoint_url, **store.keys)
    run(Clerking, store.client, faulty, store.bucket, max_examples=8, stateful_step_count=8)


@pytest.mark.chaos
@pytest.mark.parametrize("machine", [Clerking, ClerkingWithVersions])
@pytest.mark.usefixtures("five_mib_parts")
def test_no_bytes_are_ever_missing_after_many_steps(machine):
    run_on_moto(machine, max_examples=500, stateful_step_count=30)


def delete_whatever_is_there(requests, source, _found, *, destination, **_):
    requests("delete_object", source=source, destination=destination, Bucket=source.bucket, Key=source.key)


def copy_and_go_on_where_it_fails(requests, source, destination, found, **how):
    try:
        return _copy_found(requests, source, destination, found, **how)
    except ObjectClerkException:
        return Copied(destination, found["ETag"], written=True, attempts=1)


def find_everything_equal(*_):
    return True


def describe_by_nothing(_):
    return None


def delete_what_was_there(upload, upload_id):
    del upload_id
    upload.requests("delete_object", Bucket=upload.destination.bucket, Key=upload.destination.key)


@pytest.mark.chaos
@pytest.mark.parametrize(
    "machine, place, name, bug",
    [
        (Clerking, moves, "delete_copied", delete_whatever_is_there),
        (ClerkingWithVersions, moves, "delete_copied", delete_whatever_is_there),
        (Clerking, moves, "_described", describe_by_nothing),
        (Clerking, moves, "_copy_found", copy_and_go_on_where_it_fails),
        (Clerking, _Copy, "_is_equal", find_everything_equal),
        (Clerking, _Upload, "_abort", delete_what_was_there),
    ],
)
@pytest.mark.usefixtures("five_mib_parts")
def test_planted_bugs_are_found(monkeypatch, machine, place, name, bug):
    monkeypatch.setattr(place, name, bug)
    with pytest.raises(AssertionError):
        run_on_moto(machine, max_examples=500, stateful_step_count=10, phases=(Phase.generate,), derandomize=True)
