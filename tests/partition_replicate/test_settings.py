import errno

import pytest

from tasks.object_clerk.parts import MIB
from tasks.partition_replicate import handler
from tasks.partition_replicate.settings import Settings
from tasks.utils.errors import SettingsError
from tests.support.mirror_settings import MIRROR
from tests.support.refusals import refusal_of

REQUIRED = {**MIRROR, "OBJECTS_QUEUE": "https://queue", "RECHECK_QUEUE": "https://recheck"}


def test_settings_that_are_not_set_have_their_documented_defaults():
    settings = Settings.read(REQUIRED)
    queue = settings.intake.queue
    assert (settings.mirror.deletes, settings.work.concurrency, settings.work.memory) == ("mirror", 10, 256 * MIB)
    assert (settings.mirror.kms_key, settings.destination.endpoint_url, queue.dead_letter_queue) == ("", "", "")
    assert (queue.max_receives, settings.intake.telemetry.level) == (None, "INFO")


def test_all_that_is_missing_is_told_at_once():
    said = refusal_of(Settings, {})
    assert all(f"{name} is not set" in said for name in REQUIRED if name != "DEST_SECRET")
    assert "either DEST_ROLE_ARN or DEST_SECRET must be set" in said


def test_destination_is_written_by_a_role_or_by_a_user_and_not_by_both():
    role = {"DEST_ROLE_ARN": "arn:aws-us-gov:iam::123456789012:role/mirror", "DEST_TOKEN_AUDIENCE": "bucket-brigade"}
    settings = Settings.read({**REQUIRED, **role, "DEST_SECRET": ""})
    assert (settings.destination.role_arn, settings.destination.secret) == (role["DEST_ROLE_ARN"], "")
    assert "either DEST_ROLE_ARN or DEST_SECRET must be set" in refusal_of(Settings, {**REQUIRED, **role})
    said = refusal_of(Settings, {**REQUIRED, **role, "DEST_SECRET": "", "DEST_TOKEN_AUDIENCE": ""})
    assert said == "DEST_TOKEN_AUDIENCE is not set: the audience that DEST_ROLE_ARN trusts"


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("VERSIONS", "some", "VERSIONS is 'some': it should be one of all, current"),
        ("DELETES", "sometimes", "DELETES is 'sometimes': it should be one of mirror, keep"),
        ("DEST_BUCKET", "source", "an object cannot be mirrored onto itself"),
        ("TRANSFER_MEMORY_MB", "15", "it should be a whole number from 16 to 10240"),
        ("REPLICATE_CONCURRENCY", "11", "it should be a whole number from 1 to 10"),
    ],
)
def test_setting_that_cannot_work_is_named_with_its_reason(name, value, said):
    refusal = refusal_of(Settings, {**REQUIRED, name: value})
    assert name in refusal and said in refusal


def test_single_versions_are_removed_only_where_all_are_mirrored():
    refusal = refusal_of(Settings, {**REQUIRED, "VERSIONS": "current", "VERSION_DELETES": "mirror"})
    assert "VERSION_DELETES is mirror: single versions are mirrored with" in refusal
    assert Settings.read({**REQUIRED, "VERSION_DELETES": "mirror"}).mirror.versions == "all"
    assert Settings.read(REQUIRED).mirror.versions is None


def test_more_memory_than_the_machine_has_is_named(environment, monkeypatch):
    environment(**REQUIRED, TRANSFER_MEMORY_MB="10240")

    def refuse(*_, **__):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr("tasks.object_clerk.buffer_pool.mmap.mmap", refuse)
    with pytest.raises(SettingsError, match="TRANSFER_MEMORY_MB is 10240: the machine has not so much memory"):
        handler.worker()
