"""The task writes to and reads from no bucket of an unexpected account."""

import json

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from tasks.utils.errors import BucketBrigadeError
from tests.conftest import REGION
from tests.upload_validate.conftest import FINAL, QUARANTINE, csv_of, forget_container

STRANGER = "210987654321"
SHORT = csv_of() + b"short\n"


@pytest.mark.parametrize("bucket", [FINAL, QUARANTINE])
@pytest.mark.parametrize("owner", [DEFAULT_ACCOUNT_ID, STRANGER])
def test_bucket_of_another_account_is_written_only_if_the_setting_names_the_account(
    task, s3, monkeypatch, bucket, owner
):
    s3.delete_bucket(Bucket=bucket)
    s3_backends[STRANGER]["aws"].create_bucket(bucket, REGION)
    monkeypatch.setenv("QUARANTINE_BUCKET_NAME", QUARANTINE)
    monkeypatch.setenv("BUCKET_OWNERS", json.dumps({"*": DEFAULT_ACCOUNT_ID, bucket: owner}))
    forget_container()
    key = task.put("stations.csv", csv_of() if bucket == FINAL else SHORT)
    if owner == STRANGER:
        task.run(key)
        assert key in task.published(bucket)
    else:
        with pytest.raises(BucketBrigadeError, match=f"the bucket {bucket} must belong to account {owner}"):
            task.run(key)
        assert task.published(bucket) == []
