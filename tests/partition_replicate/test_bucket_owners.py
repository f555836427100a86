"""Nothing is mirrored into, or out of, a bucket of another account than the one that is expected."""

import json

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from tasks.partition_replicate.settings import Settings
from tests.partition_replicate.conftest import MIRROR, MIRROR_REGION, SOURCE
from tests.partition_replicate.test_settings import REQUIRED

STRANGER = "210987654321"


@pytest.fixture(name="open_mirror")
def mirror_of_a_stranger_that_lets_everyone_in(world):
    world.mirror.delete_bucket(Bucket=MIRROR)
    s3_backends[STRANGER]["aws-us-gov"].create_bucket(MIRROR, MIRROR_REGION)
    return world


@pytest.mark.parametrize("owners", [{"*": DEFAULT_ACCOUNT_ID}, {SOURCE: STRANGER, MIRROR: STRANGER}])
def test_bucket_of_a_stranger_is_neither_read_nor_written(open_mirror, environment, capsys, owners):
    environment(BUCKET_OWNERS=json.dumps(owners))
    assert open_mirror.replicate(open_mirror.put("a.txt")) == [0]
    bucket, owner = (SOURCE, STRANGER) if SOURCE in owners else (MIRROR, DEFAULT_ACCOUNT_ID)
    assert f"the bucket {bucket} must belong to account {owner}" in capsys.readouterr().out
    assert open_mirror.mirrored("a.txt") is None


def test_mirror_of_another_account_is_written_when_it_is_named(open_mirror, environment):
    environment(BUCKET_OWNERS=json.dumps({"*": DEFAULT_ACCOUNT_ID, MIRROR: STRANGER}))
    assert open_mirror.replicate(open_mirror.put("a.txt", b"bytes")) == []
    assert open_mirror.mirrored("a.txt") == b"bytes"


def test_refusal_of_a_look_which_may_be_one_of_the_keys_names_the_owner(world, environment, wire, capsys):
    environment(BUCKET_OWNERS=json.dumps({"*": DEFAULT_ACCOUNT_ID}), VERSIONS="current")
    event = world.put("a.txt")
    assert world.replicate(event) == []
    # The answer to a HEAD has no body, so S3 says no more than that.
    wire.fail("HeadObject", (403, "403"), times=9, key=MIRROR)
    assert world.replicate(event) == [0]
    assert f"and that the bucket {MIRROR} belongs to account {DEFAULT_ACCOUNT_ID}" in capsys.readouterr().out


def test_store_that_is_not_aws_is_expected_to_have_no_owner():
    owners = {"BUCKET_OWNERS": '{"*": "123456789012"}', "DEST_ENDPOINT_URL": "https://s3.example.org"}
    settings = Settings.read({**REQUIRED, **owners})
    assert (settings.bucket_owners, settings.destination.owners(settings.bucket_owners)) == ({"*": "123456789012"}, {})
