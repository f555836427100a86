"""No object is copied into or out of a bucket of an unexpected account."""

import json

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from tasks.archive_copy.handler import CopyRequestError
from tests.archive_copy.conftest import PROTECTED, RESTORED
from tests.conftest import REGION
from tests.support.events import s3_event, s3_record

STRANGER = "210987654321"
EVENT = s3_event(s3_record(RESTORED, "a.hdf"))


@pytest.fixture(name="open_archive")
def archive_of_a_stranger_that_lets_everyone_in(archive, s3):
    s3.put_object(Bucket=RESTORED, Key="a.hdf", Body=b"bytes")
    s3.delete_bucket(Bucket=PROTECTED)
    s3_backends[STRANGER]["aws"].create_bucket(PROTECTED, REGION)
    return archive


def keys(s3, bucket):
    return [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_archive_of_an_unexpected_account_is_not_written(open_archive, environment, s3):
    environment(BUCKET_OWNERS=json.dumps({"*": DEFAULT_ACCOUNT_ID}))
    with pytest.raises(CopyRequestError, match=f"the bucket {PROTECTED} must belong to account {DEFAULT_ACCOUNT_ID}"):
        open_archive(EVENT)
    assert keys(s3, PROTECTED) == []


def test_archive_of_another_account_is_written_when_it_is_named(open_archive, environment, s3):
    environment(BUCKET_OWNERS=json.dumps({"*": DEFAULT_ACCOUNT_ID, PROTECTED: STRANGER}))
    open_archive(EVENT)
    assert keys(s3, PROTECTED) == ["a.hdf"]


def test_source_of_an_unexpected_account_is_not_read(open_archive, environment, s3):
    environment(BUCKET_OWNERS=json.dumps({PROTECTED: STRANGER, RESTORED: STRANGER}))
    with pytest.raises(CopyRequestError, match=f"the bucket {RESTORED} must belong to account {STRANGER}"):
        open_archive(EVENT)
    assert keys(s3, PROTECTED) == []
